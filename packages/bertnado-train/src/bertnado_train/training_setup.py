"""The task, dataset and model that all trials of a sweep share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bertnado_metrics import Task, get_task

from .dataset_splits import TRAIN, VALIDATION
from .prepared_dataset import PreparedDataset, open_dataset
from .pretrained import load_config, load_tokenizer
from .sequence_options import SequenceOptions
from .stored_model import StoredModel, read_model
from .training_arguments import make_training_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import Precision, TrainingInputs
    from bertnado_metrics import Objective
    from transformers import TrainingArguments

    from .encoded_split import EncodedSplit


@dataclass(frozen=True)
class TrainingSetup:
    """The task, dataset and model that all trials share, read once."""

    task: Task
    dataset: PreparedDataset
    model: StoredModel
    seed: int = 42
    """Seed of a trial whose parameters do not include one."""
    precision: Precision = "auto"
    """Precision of a trial whose parameters do not include it."""

    @property
    def train(self) -> EncodedSplit:
        """The training split."""
        return self.dataset.splits[TRAIN]

    @property
    def validation(self) -> EncodedSplit:
        """The validation split."""
        return self.dataset.splits[VALIDATION]

    def training_arguments(
        self, parameters: Mapping[str, Any], objective: Objective, output_dir: Path | str
    ) -> TrainingArguments:
        """Make the arguments of one trial, see `make_training_arguments`."""
        return make_training_arguments(
            parameters,
            output_dir=output_dir,
            objective=objective,
            rows=len(self.train),
            longest=int(self.validation.lengths.max()),
            seed=self.seed,
            precision=self.precision,
        )


def open_training_setup(inputs: TrainingInputs) -> TrainingSetup:
    """Read the dataset and the model of `inputs`.

    Raises:
        InvalidInputError: The model or the dataset cannot be used.
        ValueError: The task is unknown.
    """
    task = get_task(inputs.task_type)
    trust = inputs.trust_remote_code
    config = load_config(inputs.model_name, trust_remote_code=trust)
    dataset = open_dataset(
        inputs.dataset,
        task,
        lambda: load_tokenizer(inputs.model_name, trust_remote_code=trust),
        getattr(config, "pad_token_id", None),
        SequenceOptions(**inputs.sequence_options),
    )
    model = read_model(inputs.model_name, task, dataset.logits, label2id=dataset.label2id, trust_remote_code=trust)
    return TrainingSetup(task, dataset, model, inputs.seed, inputs.precision)
