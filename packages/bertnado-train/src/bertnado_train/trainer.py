"""The trainer that sweeps are handed: any Hugging Face sequence classifier on a prepared dataset."""

from __future__ import annotations

import math
import os
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
import torch
from bertnado_config import GPU_SHARE, Problem, TrainingInputs
from bertnado_metrics import compute_metrics

from .checks import SweepPlan, check_parameters, check_precision, try_arguments
from .memory import Fit
from .model import position_limit
from .model_files import model_name_problem
from .prepared import TRAIN, VALIDATION, DatasetError, PreparedDataset, dataset_name_problem, open_dataset
from .trial import CHECKPOINT, Setting, find_task, open_setting, run_trial

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import Report, SweepConfig, TrialResult
    from bertnado_metrics import Objective, Task


_BYTES = 4
"""Of one weight of a checkpoint, in fp32."""


class _KeptPlan(NamedTuple):
    """What a check found of a sweep that can be trained."""

    config: SweepConfig
    objective: Objective
    plan: SweepPlan
    problems: tuple[Problem, ...]


class HuggingFaceTrainer(TrainingInputs):
    """Trains trials of one model on one dataset; see `bertnado_config.Trainer`.

    Takes the fields of `TrainingInputs` as keywords. The dataset and the model are read when they are first needed.
    """

    def check(self, config: SweepConfig, objective: Objective) -> Sequence[Problem]:
        """Name everything that can be known to be wrong with model, dataset and parameters."""
        return self.plan(config, objective)[1]

    def plan(self, config: SweepConfig, objective: Objective) -> tuple[SweepPlan | None, list[Problem]]:
        """Check everything, and say what the trials will do unless something is wrong.

        The last plan is kept: asked again about an equal sweep, nothing is checked twice.
        """
        for kept in self._last_plan:
            if (kept.config, kept.objective) == (config, objective):
                return kept.plan, list(kept.problems)
        plan, problems = self._make_plan(config, objective)
        if plan is not None:
            self._last_plan[:] = [_KeptPlan(config, objective, plan, tuple(problems))]
        return plan, problems

    def _make_plan(self, config: SweepConfig, objective: Objective) -> tuple[SweepPlan | None, list[Problem]]:
        problems = [*check_parameters(config, self.task), *check_precision(config, self.precision)]
        unnamed = self._unnamed()
        setting, more = (None, unnamed) if unnamed else self._try_open(objective)
        problems += more
        if setting is None or any(problem.severity == "error" for problem in problems):
            return None, problems
        plan, more = try_arguments(config, objective, setting)
        return plan, problems + more

    def open(self) -> HuggingFaceSession:
        """Share the dataset and the model with all trials of the session; they are read unless `check` did."""
        share = float(os.environ.get(GPU_SHARE, 1))
        if share < 1 and torch.cuda.is_available():
            torch.cuda.set_per_process_memory_fraction(share)
        return HuggingFaceSession(self._setting)

    @property
    def task(self) -> Task:
        """The task as an object, however it was given.

        Raises:
            ValueError: No task has that name; the message lists those that exist.
        """
        return find_task(self.task_type)

    @property
    def checkpoint_bytes(self) -> int:
        """What the checkpoint of one trial takes on disk.

        Raises:
            ValueError: The model, or the dataset, cannot be read.
        """
        return sum(weight.numel() * _BYTES for weight in self._setting.model.weights.values())

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the inputs alone: another process reads the dataset and the model itself."""
        return partial(type(self), **dict(self)), ()

    @cached_property
    def _last_plan(self) -> list[_KeptPlan]:
        """At most one plan, in a list because a frozen model takes no new values."""
        return []

    @cached_property
    def _setting(self) -> Setting:
        return open_setting(self)

    def _unnamed(self) -> list[Problem]:
        """Find what is not named at all, or by what no name can be."""
        found = {"model_name": model_name_problem(self.model_name), "dataset": dataset_name_problem(self.dataset)}
        return [Problem(name, problem) for name, problem in found.items() if problem]

    def _try_open(self, objective: Objective) -> tuple[Setting | None, list[Problem]]:
        try:
            setting = self._setting
        except DatasetError as error:
            return None, [Problem("dataset", problem) for problem in error.problems]
        except ValueError as error:
            return None, [Problem("model_name", str(error)), *self._problems_without_model()]
        return setting, [
            *_constant_labels(setting.dataset),
            *_undefined_objective(objective, setting.dataset, setting.task),
            *self._unreadable_rows(setting),
        ]

    def _problems_without_model(self) -> list[Problem]:
        """Find what is wrong with the dataset where there is no model to read it with."""

        def no_tokenizer() -> NoReturn:
            raise LookupError

        try:
            open_dataset(self.dataset, self.task, no_tokenizer, None)
        except DatasetError as error:
            return [Problem("dataset", problem) for problem in error.problems]
        except LookupError:
            return []
        return []

    def _unreadable_rows(self, setting: Setting) -> list[Problem]:
        """Find rows that the model has no vocabulary or no positions for."""
        config = setting.model.config
        vocabulary, positions = getattr(config, "vocab_size", None), position_limit(config)
        problems: list[Problem] = []
        for name, split in setting.dataset.splits.items():
            highest = int(split.tokens.max())
            if vocabulary is not None and highest >= vocabulary:
                message = (
                    f"{name}: token id {highest} is beyond the model's vocabulary of {vocabulary}; "
                    f"prepare the dataset with the tokenizer of {self.model_name!r}"
                )
                problems.append(Problem("dataset", message))
            longest = int(split.lengths.max())
            if positions is not None and longest > positions:
                beyond = int((split.lengths > positions).sum())
                message = (
                    f"{name}: {beyond} of {len(split)} rows are longer than the model's {positions} positions, the "
                    f"longest has {longest} tokens; cut the sequences, or tokenise with "
                    f"truncation=True, max_length={positions}"
                )
                problems.append(Problem("dataset", message))
        return problems


class HuggingFaceSession:
    """An open trainer: dataset and model in memory, ready for one trial after the other."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting
        self._fit = Fit()

    def run(self, parameters: Mapping[str, Any], report: Report) -> TrialResult:
        """Train one trial; its best checkpoint lies in `checkpoint` in the trial's directory.

        Raises:
            ValueError: A parameter that no training argument has.
            DivergedError: The loss became NaN or infinite.
            OutOfMemoryError: Not even one row at a time fits into memory.
        """
        result, _ = run_trial(self._setting, parameters, report, report.directory / CHECKPOINT, fit=self._fit)
        return result


def _constant_labels(dataset: PreparedDataset) -> list[Problem]:
    """Find out whether there is something to learn."""
    labels = dataset.splits[TRAIN].labels
    if (labels != labels[0]).any():
        return []
    shared = f"{labels[0]:g}" if labels.ndim == 1 else [int(label) for label in labels[0]]
    message = (
        f"train: all {len(labels)} rows have the label {shared}, so there is nothing to learn; "
        f"choose the splits anew, stratified by label"
    )
    return [Problem("dataset", message)]


def _undefined_objective(objective: Objective, dataset: PreparedDataset, task: Task) -> list[Problem]:
    """Find out, with made-up logits, whether the objective is defined on the validation labels."""
    labels = dataset.splits[VALIDATION].labels
    logits = np.random.default_rng(0).normal(size=(len(labels), dataset.logits))
    value = compute_metrics(task.name, logits, labels)[objective.trainer_name]
    if math.isfinite(value):
        return []
    kinds = np.unique(labels)
    message = (
        f"validation: {objective.name} is not defined for its {len(labels)} rows, whose labels are "
        f"{'all ' + str(kinds[0]) if len(kinds) == 1 else 'too few'}; choose the split anew, stratified by label, "
        f"or another metric"
    )
    return [Problem("dataset", message)]
