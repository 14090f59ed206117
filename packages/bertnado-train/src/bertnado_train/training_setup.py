"""The task, dataset and model that all trials of a sweep share."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from bertnado_metrics import Task, get_task

from .batch_format import BatchFormat
from .dataset_splits import TRAIN, VALIDATION
from .label_scaling import LabelScale
from .model_probe import ModelProbe, probe_model
from .new_thread import run_in_new_thread
from .padding import choose_padding
from .prepared_dataset import PreparedDataset, open_dataset
from .pretrained import find_tokenizer, load_config, load_tokenizer
from .sequence_options import SequenceOptions
from .stored_model import StoredModel, hide_reports, read_model
from .training_arguments import make_training_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import Head, LabelScaling, Precision, TrainingInputs
    from bertnado_metrics import Objective
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase, TrainingArguments

    from .encoded_split import EncodedSplit
    from .padding import Padding

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingSetup:
    """The task, dataset and model that all trials share, read once."""

    task: Task
    dataset: PreparedDataset
    model: StoredModel
    tokenizer: PreTrainedTokenizerBase | None
    """The model's tokenizer, if it has one."""
    probe: ModelProbe
    """What trying the model on the dataset showed."""
    seed: int = 42
    """Seed of a trial whose parameters do not include one."""
    precision: Precision = "auto"
    """Precision of a trial whose parameters do not include it."""
    head: Head = "auto"
    """Classifier on top of the model."""
    label_scaling: LabelScaling = "standardize"
    """What was asked for, see `TrainingInputs`."""
    label_scale: LabelScale | None = None
    """Mean and standard deviation of the training labels; `None` if trials train on the labels as they are."""

    @property
    def batch_format(self) -> BatchFormat:
        """The batches that the model takes."""
        return self.probe.format

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
        arguments = make_training_arguments(
            parameters,
            output_dir=output_dir,
            objective=objective,
            rows=len(self.train),
            longest=int(self.validation.lengths.max()),
            seed=self.seed,
            precision=self.precision,
        )
        if self.model.normalises_batches and len(self.train) % arguments.per_device_train_batch_size == 1:
            arguments.dataloader_drop_last = True  # batch normalisation cannot train on a batch of one row
        return arguments


class ReadDataset(NamedTuple):
    """A dataset, and what was read of the model for it."""

    config: PreTrainedConfig
    tokenizer: PreTrainedTokenizerBase | None
    padding: Padding
    dataset: PreparedDataset


def read_dataset(inputs: TrainingInputs) -> ReadDataset:
    """Read the dataset of `inputs`, and of the model its configuration and its tokenizer.

    Raises:
        InvalidInputError: The dataset, the configuration or the tokenizer cannot be used.
        ValueError: The task is unknown.
    """
    task, trust = get_task(inputs.task_type), inputs.trust_remote_code
    config = load_config(inputs.model_name, trust_remote_code=trust)
    tokenizer = find_tokenizer(inputs.model_name, trust_remote_code=trust)
    padding = choose_padding(config, tokenizer)
    _log.info("loading the dataset %s", inputs.dataset)
    dataset = open_dataset(
        inputs.dataset,
        task,
        lambda: tokenizer or load_tokenizer(inputs.model_name, trust_remote_code=trust),
        padding.declared,
        SequenceOptions(**inputs.sequence_options),
    )
    return ReadDataset(config, tokenizer, padding, dataset)


def open_training_setup(inputs: TrainingInputs, probe: ModelProbe | None = None) -> TrainingSetup:
    """Read the dataset and the model of `inputs`, and try the model on a few rows.

    Args:
        inputs: The model, the dataset and the task.
        probe: What another process found out about the model on this dataset; by default it is checked and tried.

    Raises:
        InvalidInputError: The dataset or the model cannot be used.
        ValueError: The task is unknown.
    """
    task, trust = get_task(inputs.task_type), inputs.trust_remote_code
    config, tokenizer, padding, dataset = read_dataset(inputs)
    _log.info("loading the model %s", inputs.model_name)
    model = read_model(
        inputs.model_name,
        config,
        task,
        dataset.logits,
        label2id=dataset.label2id,
        trust_remote_code=trust,
        allow_new_weights=inputs.allow_new_weights,
        head=inputs.head,
        is_checked=probe is not None,
    )
    is_scaled = task.predicts_values and inputs.label_scaling == "standardize"
    if probe is None:
        _log.info("running the model on a few rows")
        probe = run_in_new_thread(_try_model, model, dataset, padding, is_scaled)
    for name, value in probe.config.items():
        setattr(model.config, name, value)
    scale = LabelScale.of(dataset.splits[TRAIN].labels, probe.output_layer) if probe.output_layer is not None else None
    return TrainingSetup(
        task,
        dataset,
        model,
        tokenizer,
        probe,
        inputs.seed,
        inputs.precision,
        inputs.head,
        inputs.label_scaling,
        scale,
    )


def _try_model(model: StoredModel, dataset: PreparedDataset, padding: Padding, is_scaled: bool) -> ModelProbe:
    splits = list(dataset.splits.values())
    if model.vocabulary is not None and max(split.highest_token for split in splits) >= model.vocabulary:
        return ModelProbe(BatchFormat(padding.token_id, padding.side))  # `input_problems` names the tokens
    with hide_reports():
        return probe_model(
            model.copy(0),
            splits,
            pad_token_id=padding.token_id,
            side=padding.side,
            logits=dataset.logits,
            finds_output_layer=is_scaled,
        )
