"""The inputs of training: a model and a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from bertnado_metrics import TASKS, Task, get_task
from pydantic import BaseModel, ConfigDict, GetPydanticSchema

from .argument_problem import ArgumentProblem
from .errors import InvalidInputError
from .option_details import OptionDetails
from .regular_file import path_exists

if TYPE_CHECKING:
    from collections.abc import Mapping

Precision = Literal["auto", "fp32", "bf16", "fp16"]
"""`auto` is bf16 on a GPU that supports it, with TF32 for what stays fp32, and fp32 everywhere else."""

TooLong = Literal["error", "truncate"]
"""`truncate` cuts the end of a row that has too many tokens; `error` refuses it."""

Head = Literal["auto", "pooled"]
"""`auto` is the classifier that the model's code or transformers has; `pooled` puts dropout and a linear layer on the
mean of the model's last hidden states."""

LabelScaling = Literal["standardize", "none"]
"""`standardize` trains a regression on labels of mean 0 and standard deviation 1; `none` on the labels as they are."""

_AsGiven = GetPydanticSchema(lambda _, schema_of: schema_of(Any))  # a Task's own fields are not for pydantic to resolve


class TrainingInputs(BaseModel):
    """The inputs that every trial of a sweep trains with: the same model and the same dataset.

    Values are stored as they are given; a trainer's `check` names what is wrong with them.
    """

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    model_name: Annotated[str, _AsGiven] = "PoetschLab/GROVER"
    """Model on the Hugging Face hub, or a directory that holds one."""
    dataset: Annotated[str | Path, _AsGiven]
    """Prepared dataset, required unless it is recorded: a Hugging Face `DatasetDict` on disk with the splits train,
    validation and, optionally, test; columns labels and either input_ids and attention_mask, or sequence."""
    task_type: Annotated[str | Task, _AsGiven, OptionDetails(choices=lambda: sorted(TASKS))] = "binary_classification"
    """Task: what the labels are."""
    seed: Annotated[int, _AsGiven] = 42
    """Seed of a trial whose parameters do not include one, from 0 to 2**32 - 1."""
    precision: Annotated[Precision, _AsGiven] = "auto"
    """Floating-point precision of training, unless the sweep file sets it. `auto` is bf16, with TF32 for the rest, on a
    GPU that supports it, and fp32 everywhere else."""
    trust_remote_code: Annotated[bool, _AsGiven] = False
    """Allow Python code that comes with the model to run. DNABERT-2 and Nucleotide Transformer v2 need it."""
    head: Annotated[Head, _AsGiven] = "auto"
    """Classifier on top of the model: `auto` is its own; `pooled` is dropout and a linear layer on the mean of its last
    hidden states, for models without one."""
    label_scaling: Annotated[LabelScaling, _AsGiven] = "standardize"
    """Labels that a regression trains on: `standardize` gives them mean 0 and standard deviation 1, and folds both into
    the saved model, which predicts in label units; `none` leaves them as they are."""
    allow_new_weights: Annotated[bool, _AsGiven] = False
    """Accept a model of which a tenth or more of the parameters below the head is new or left over, to train it from
    scratch."""

    uppercase: Annotated[bool, _AsGiven] = False
    """Write each `sequence` in upper case before it is tokenized. Most tokenizers do not know the lower case of
    soft-masked DNA."""
    rna_to_dna: Annotated[bool, _AsGiven] = False
    """Write T for U in each `sequence` before it is tokenized."""
    max_length: Annotated[int | None, _AsGiven, OptionDetails(metavar="N")] = None
    """Most tokens of a row, special tokens included. A longer row is an error, or is cut, as `too_long` says. Without
    it only the model sets a limit."""
    too_long: Annotated[TooLong, _AsGiven] = "error"
    """Treatment of a row with more than `max_length` tokens: `error` refuses it, `truncate` cuts its end and keeps a
    closing special token."""

    @classmethod
    def completed(cls, given: Mapping[str, Any], recorded: Mapping[str, Any]) -> Self:
        """Make the inputs from what is given and, for the rest, what is recorded.

        Args:
            given: Values by name; None stands for one that is not given.
            recorded: Values of an earlier sweep, possibly none.

        Raises:
            InvalidInputError: The dataset is missing, or no task has that name.
        """
        known = {name: value for name, value in recorded.items() if name in cls.model_fields}
        known |= {name: value for name, value in given.items() if value is not None}
        if known.get("dataset") is None:
            message = "{dataset} is required: the directory that save_to_disk wrote"
            raise InvalidInputError([ArgumentProblem("dataset", message)])
        inputs = cls(**known)
        try:
            get_task(inputs.task_name)
        except ValueError as error:
            if isinstance(inputs.task_type, str):
                raise InvalidInputError([ArgumentProblem("task_type", str(error))]) from None
        return inputs

    @property
    def task_name(self) -> str:
        """The name of the task."""
        return self.task_type if isinstance(self.task_type, str) else self.task_type.name

    def to_record(self) -> dict[str, Any]:
        """Return what a sweep records of its inputs, with paths that are found from everywhere; not the seed.

        What version 0.1.0 did not record is recorded if it is not the default, so that sweeps of that version continue.
        """
        recorded: dict[str, Any] = {
            "model_name": _absolute(self.model_name),
            "dataset": _absolute(self.dataset),
            "task_type": self.task_name,
            "trust_remote_code": self.trust_remote_code,
            "precision": self.precision,
        }
        for name, field in type(self).model_fields.items():
            if name not in recorded and name != "seed" and getattr(self, name) != field.default:
                recorded[name] = getattr(self, name)
        return recorded

    @property
    def sequence_options(self) -> dict[str, Any]:
        """How sequences are written and cut before a model gets them, by the names of the fields."""
        return {name: getattr(self, name) for name in ("uppercase", "rna_to_dna", "max_length", "too_long")}


def _absolute(place: str | Path) -> str:
    """Return the absolute path of what exists under that name; a name on the hub stays as it is."""
    return str(Path(place).resolve()) if path_exists(place) else str(place)
