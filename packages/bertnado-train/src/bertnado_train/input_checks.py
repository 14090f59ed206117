"""Problems of a model and a dataset that transformers would run into during or after the first trial."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from bertnado_config import ArgumentProblem, Problem
from bertnado_metrics import compute_metrics

from .stored_model import position_limit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertnado_metrics import Objective

    from .encoded_split import EncodedSplit
    from .training_setup import TrainingSetup

_PLACE = "dataset"


def input_problems(setup: TrainingSetup, objective: Objective, model_name: str) -> list[Problem]:
    """Report why trials on this dataset would be meaningless, or would fail, and the warnings about its rows."""
    problems = [problem for problem in (_constant_labels(setup), _undefined_objective(setup, objective)) if problem]
    for name, split in setup.dataset.splits.items():
        problems += [f"{name}: {problem}" for problem in _unreadable_rows(setup, split, model_name)]
    return [*setup.dataset.warnings, *(ArgumentProblem(_PLACE, problem) for problem in problems)]


def _constant_labels(setup: TrainingSetup) -> str | None:
    labels = setup.train.labels
    if (labels != labels[0]).any():
        return None
    shared = f"{labels[0]:g}" if labels.ndim == 1 else [int(label) for label in labels[0]]
    return (
        f"train: all {len(labels)} rows have the label {shared}, so there is nothing to learn; "
        f"split the dataset again, stratified by label"
    )


def _undefined_objective(setup: TrainingSetup, objective: Objective) -> str | None:
    """Compute the objective of the validation labels with made-up logits."""
    labels = setup.validation.labels
    logits = np.random.default_rng(0).normal(size=(len(labels), setup.dataset.logits))
    if math.isfinite(compute_metrics(setup.task, logits, labels)[objective.trainer_name]):
        return None
    distinct = np.unique(labels)
    return (
        f"validation: {objective.name} is undefined for its {len(labels)} rows, whose labels are "
        f"{f'all {distinct[0]}' if len(distinct) == 1 else 'too few'}; split the dataset again, stratified by label, "
        f"or choose another metric"
    )


def _unreadable_rows(setup: TrainingSetup, split: EncodedSplit, model_name: str) -> Iterator[str]:
    """Find rows with tokens outside the model's vocabulary, or more of them than it has positions."""
    config = setup.model.config
    vocabulary, positions = getattr(config, "vocab_size", None), position_limit(config)
    highest = int(split.tokens.max())
    if vocabulary is not None and highest >= vocabulary:
        yield (
            f"token id {highest} is outside the model's vocabulary of {vocabulary}; "
            f"prepare the dataset with the tokenizer of {model_name!r}"
        )
    longest = int(split.lengths.max())
    if positions is not None and longest > positions:
        beyond = int((split.lengths > positions).sum())
        yield (
            f"{beyond} of {len(split)} rows are longer than the model's {positions} positions, the longest has "
            f"{longest} tokens; shorten the sequences, or cut them with {{max_length}} {positions} and "
            f"{{too_long}} truncate"
        )
