"""What is trained: a model on a dataset."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (pydantic reads the annotations)
from typing import Annotated, Any, Literal

from bertnado_metrics import Task  # noqa: TC002 (the same)
from pydantic import BaseModel, ConfigDict, GetPydanticSchema

Precision = Literal["auto", "fp32", "bf16", "fp16"]
"""`auto` is bf16 on a GPU that supports it, with TF32 for what stays fp32, and fp32 everywhere else."""

_AsGiven = GetPydanticSchema(lambda _, schema_of: schema_of(Any))  # a Task's own fields are not for pydantic to resolve


class TrainingInputs(BaseModel):
    """What every trial of a sweep trains: the same model on the same dataset.

    Values are stored as they are given; a trainer's `check` names what is wrong with them.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    model_name: Annotated[str, _AsGiven]
    """A directory that holds a model, or the name of a model on the Hugging Face hub."""
    dataset: Annotated[str | Path, _AsGiven]
    """A tokenised `DatasetDict` on disk with the splits `train`, `validation` and, optionally, `test`."""
    task_type: Annotated[str | Task, _AsGiven] = "binary_classification"
    """The task: the name of one of `bertnado_metrics.TASKS`, or a `Task`."""
    seed: Annotated[int, _AsGiven] = 42
    """Seed of a trial whose parameters do not include one, from 0 to 2**32 - 1."""
    precision: Annotated[Precision, _AsGiven] = "auto"
    """Floating-point precision of training, unless the sweep file sets it."""
    trust_remote_code: Annotated[bool, _AsGiven] = False
    """Allow Python code that comes with the model to run."""
