"""Problems of a model and a dataset that transformers would run into during or after the first trial."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import ArgumentProblem, Problem
from bertnado_metrics import compute_metrics

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bertnado_metrics import Objective, Task
    from numpy.typing import NDArray

    from .encoded_split import EncodedSplit
    from .training_setup import TrainingSetup

_PLACE = "dataset"


def input_problems(setup: TrainingSetup, objective: Objective, model_name: str) -> list[Problem]:
    """Report why trials on this dataset would be meaningless, or would fail, and the warnings about its rows."""
    problems = [problem for problem in (_constant_labels(setup), _undefined_objective(setup, objective)) if problem]
    for name, split in setup.dataset.splits.items():
        problems += [f"{name}: {problem}" for problem in unreadable_rows(setup, split)]
    return [
        *setup.dataset.warnings,
        *(ArgumentProblem(_PLACE, problem) for problem in problems),
        *_model_problems(setup, model_name),
    ]


def _model_problems(setup: TrainingSetup, model_name: str) -> Iterator[Problem]:
    """Report what loading and trying the model showed."""
    about = f"the model {model_name!r}"
    for problem in setup.probe.problems:
        yield ArgumentProblem("model_name", f"{about} cannot be trained on this dataset: {problem}")
    for note in (*setup.model.notes, *setup.probe.notes):
        yield ArgumentProblem("model_name", f"{about}: {note}", "warning")
    for name, value in setup.probe.config.items():
        note = f"a batch of these rows sets {name} to {value!r} for good; every trial and the saved model have it"
        yield ArgumentProblem("model_name", f"{about}: {note}", "warning")


def _constant_labels(setup: TrainingSetup) -> str | None:
    labels = setup.train.labels
    shared = shared_label(labels)
    if shared is None:
        return None
    return (
        f"train: all {len(labels)} rows have the label {shared}, so there is nothing to learn; "
        f"split the dataset again, stratified by label"
    )


def shared_label(labels: NDArray[Any]) -> str | None:
    """Return the label of all rows in words; `None` if they have different ones."""
    if (labels != labels[0]).any():
        return None
    return f"{labels[0]:g}" if labels.ndim == 1 else str([int(label) for label in labels[0]])


def _undefined_objective(setup: TrainingSetup, objective: Objective) -> str | None:
    labels = setup.validation.labels
    if is_defined(objective, setup.task, labels, setup.dataset.logits):
        return None
    distinct = np.unique(labels)
    return (
        f"validation: {objective.name} is undefined for its {len(labels)} rows, whose labels are "
        f"{f'all {distinct[0]}' if len(distinct) == 1 else 'too few'}; split the dataset again, stratified by label, "
        f"or choose another metric"
    )


def is_defined(objective: Objective, task: Task, labels: NDArray[Any], logits: int) -> bool:
    """Return whether an objective has a value for these labels, by computing it for made-up logits."""
    made_up = np.random.default_rng(0).normal(size=(len(labels), logits))
    return math.isfinite(compute_metrics(task, made_up, labels)[objective.trainer_name])


def unreadable_rows(setup: TrainingSetup, split: EncodedSplit) -> Iterator[str]:
    """Find rows with tokens outside the model's vocabulary, or more of them than it takes."""
    vocabulary, longest_possible = setup.model.vocabulary, setup.probe.longest
    highest = split.highest_token
    if vocabulary is not None and highest >= vocabulary:
        yield (
            f"token id {highest} is outside the model's vocabulary of {vocabulary}; "
            f"prepare the dataset with the tokenizer of {setup.model.name!r}"
        )
    longest = int(split.lengths.max())
    if longest_possible is not None and longest > longest_possible:
        beyond = int((split.lengths > longest_possible).sum())
        yield (
            f"{beyond} of {len(split)} rows are longer than the model's {longest_possible} positions, the longest has "
            f"{longest} tokens; shorten the sequences, or cut them with {{max_length}} {longest_possible} and "
            f"{{too_long}} truncate"
        )
