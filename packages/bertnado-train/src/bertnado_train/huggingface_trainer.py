"""The trainer that a sweep drives: any Hugging Face sequence classifier on a prepared dataset."""

from __future__ import annotations

import copy
import os
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, get_args

import torch
from bertnado_config import GPU_SHARE, ArgumentProblem, Head, InvalidInputError, LabelScaling, Problem, TrainingInputs
from bertnado_metrics import get_task

from .batch_size_limit import BatchSizeLimit
from .class_coverage import coverage_problems, few_rows_problems
from .devices import describe_visible_devices, device_problems, require_gpu
from .dry_run import forecast_trials
from .first_steps import step_problems
from .fold_checks import fold_problems
from .folds import fold_setup
from .input_checks import input_problems
from .model_config_checks import model_config_problems
from .model_files import model_name_problem
from .other_process import OtherProcess
from .parameter_checks import parameter_problems, swept_targets, typical_values_of
from .parameters.namespaces import override_parameters
from .parameters.strand_names import REVERSE_COMPLEMENT
from .possible_trials import distinct_trials
from .precision import precision_problems
from .prepared_dataset import dataset_name_problem, open_dataset
from .pretrained import load_config, read_stored_config
from .row_groups import read_groups
from .saved_tokenizer import save_tokenizer
from .split_overlap import overlap_problems
from .sweep_plan import SweepPlan, plan_trials
from .trained_checkpoint import BYTES_PER_WEIGHT
from .training_setup import TrainingSetup, open_training_setup
from .trial import CHECKPOINT, run_trial
from .trial_strands import strand_problems

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bertnado_config import Forecast, Report, SweepConfig, TrialResult
    from bertnado_metrics import Objective, Task
    from transformers import PreTrainedConfig

    from .model_probe import ModelProbe

_COPIES_IN_STATE = 4
"""Copies of the trained weights, or numbers of the same size, in a training state with AdamW."""


class _KeptPlan(NamedTuple):
    """The plan of a sweep without errors."""

    config: SweepConfig
    objective: Objective
    plan: SweepPlan
    problems: tuple[Problem, ...]


class HuggingFaceTrainer(TrainingInputs):
    """Trains trials of one model on one dataset; see `bertnado_config.Trainer`.

    Takes the fields of `TrainingInputs` as keywords. The dataset and the model are read when they are first needed.
    """

    def check(self, config: SweepConfig, objective: Objective) -> Sequence[Problem]:
        """Report everything that can be known to be wrong with the model, the dataset and the parameters."""
        return self.plan(config, objective)[1]

    def plan(self, config: SweepConfig, objective: Objective) -> tuple[SweepPlan | None, list[Problem]]:
        """Check everything, and return the plan of the trials, `None` if there are errors, with all problems.

        The last plan is kept, so that a second call with an equal sweep costs nothing.
        """
        for kept in self._last_plan:
            if (kept.config, kept.objective) == (config, objective):
                return kept.plan, list(kept.problems)
        plan, problems = self._make_plan(config, objective)
        if plan is not None:
            self._last_plan[:] = [_KeptPlan(config, objective, plan, tuple(problems))]
        return plan, problems

    def forecast(
        self,
        config: SweepConfig,
        objective: Objective,
        trials: Sequence[Mapping[str, Any]],
        *,
        places: Sequence[Mapping[str, str]],
        directory: Path,
    ) -> Forecast:
        """Measure what trials cost, in other processes; see `bertnado_config.ForecastingTrainer`.

        Raises:
            InvalidInputError: Not even a batch of one row fits into memory.
            Exception: It cannot be measured.
        """
        process = self.other_process
        found, limit = forecast_trials(self, config, objective, trials, places, directory, first_process=process)
        self._known_limit[:] = [limit]
        return found

    def check_inputs(self, objective: Objective) -> Sequence[Problem]:
        """Report what is wrong with the model and the dataset, whatever the parameters of trials are."""
        return self._check_inputs(objective)[1]

    def open(self) -> HuggingFaceSession:
        """Return a session that shares the dataset and the model among its trials; reads them unless `check` did.

        Raises:
            InvalidInputError: The model or the dataset cannot be read.
            MachineError: A GPU is named for this process and cannot be used.
        """
        require_gpu()
        share = float(os.environ.get(GPU_SHARE, 1))
        if share < 1 and torch.cuda.is_available():
            torch.cuda.set_per_process_memory_fraction(share)
        self.other_process.close()
        return HuggingFaceSession(self.setup, next(map(copy.copy, self._known_limit), None))

    @property
    def task(self) -> Task:
        """The task as an object.

        Raises:
            ValueError: No task has the name `task_type`; the message lists those that exist.
        """
        return get_task(self.task_type)

    @property
    def checkpoint_bytes(self) -> int:
        """The size of one trial's checkpoint on disk, the largest of the sweep that was checked last.

        Raises:
            InvalidInputError: The model or the dataset cannot be read.
        """
        for kept in self._last_plan:
            return kept.plan.checkpoint_bytes
        return sum(weight.numel() * BYTES_PER_WEIGHT for weight in self.setup.model.weights.values())

    @property
    def training_state_bytes(self) -> int:
        """The size of one trial's training state: its weights, two moments of each, and the best weights.

        Raises:
            InvalidInputError: The model or the dataset cannot be read.
        """
        return _COPIES_IN_STATE * self.checkpoint_bytes

    def reseeded(self, parameters: Mapping[str, Any], seed: int) -> dict[str, Any]:
        """Return the parameters with a seed for the new head, the order of the rows and dropout."""
        changed = override_parameters(parameters, {"data_seed": seed, "seed": seed})
        return {name: value for name, value in changed.items() if name != "data_seed"}  # it would be `seed` as well

    def groups(self, column: str) -> tuple[str, ...]:
        """Return the groups of a column of the training and validation rows; see `bertnado_config.FoldingTrainer`.

        Raises:
            InvalidInputError: The column cannot be used.
        """
        return read_groups(self.dataset, column).names

    def check_folds(self, column: str, objective: Objective) -> Sequence[Problem]:
        """Report folds that cannot be trained or validated on.

        Raises:
            InvalidInputError: The column, the model or the dataset cannot be used.
        """
        return fold_problems(self.setup, read_groups(self.dataset, column), objective)

    @property
    def dataset_fingerprint(self) -> str:
        """The fingerprint of the rows that the model gets.

        Raises:
            InvalidInputError: The model or the dataset cannot be read.
        """
        return self.setup.dataset.fingerprint

    @property
    def model_fingerprint(self) -> str:
        """The fingerprint of the stored weights that trials begin with.

        Raises:
            InvalidInputError: The model or the dataset cannot be read.
        """
        return self.setup.model.fingerprint

    @property
    def pretrained_config(self) -> Mapping[str, Any]:
        """The content of the model's `config.json`.

        Raises:
            InvalidInputError: It cannot be read.
        """
        return read_stored_config(self.model_name)

    @property
    def device(self) -> str:
        """The devices of this machine that trials train on."""
        return next((kept.plan.device for kept in self._last_plan), None) or describe_visible_devices()

    def __reduce__(self) -> tuple[Any, ...]:
        """Pickle the inputs, and what trying the model showed: another process reads dataset and model itself."""
        probes = [self.setup.probe] if "_setup" in vars(self) else self._known_probe
        return partial(_make_trainer, type(self), dict(self)), (probes, self._known_limit)

    @property
    def other_process(self) -> OtherProcess:
        """The process for what may take all memory, or crash; it starts when it is needed."""
        return self._other_process

    @cached_property
    def _other_process(self) -> OtherProcess:
        return OtherProcess(self)

    @cached_property
    def _last_plan(self) -> list[_KeptPlan]:
        """At most one plan, in a list because a frozen model cannot be assigned to."""
        return []

    @property
    def setup(self) -> TrainingSetup:
        """The dataset and the model, read when they are first needed.

        Raises:
            InvalidInputError: The model or the dataset cannot be read.
        """
        return self._setup

    @cached_property
    def _setup(self) -> TrainingSetup:
        return open_training_setup(self, next(iter(self._known_probe), None))

    @cached_property
    def _known_probe(self) -> list[ModelProbe]:
        """What another process found out about the model, at most one."""
        return []

    @cached_property
    def _known_limit(self) -> list[BatchSizeLimit]:
        """The batch sizes that fit, as a forecast found them, at most one."""
        return []

    def _make_plan(self, config: SweepConfig, objective: Objective) -> tuple[SweepPlan | None, list[Problem]]:
        problems = parameter_problems(config, self.task, self._find_config)
        problems += device_problems()
        problems += precision_problems(self.precision, swept_targets(config))
        setup, more = self._check_inputs(objective)
        problems += more
        if setup is not None and not setup.probe.problems:
            problems += model_config_problems(config, setup)
        if setup is not None and not _has_errors(problems):
            problems += strand_problems(setup, typical_values_of(config, REVERSE_COMPLEMENT))
        if setup is None or _has_errors(problems):
            return None, problems
        trials, varied = distinct_trials(config)
        plan, more = plan_trials(config, objective, setup, trials, varied)
        problems += more
        if plan is not None and not _has_errors(problems):
            problems += step_problems(self, trials, objective)
        return plan, problems

    def _find_config(self) -> PreTrainedConfig | None:
        """Return the configuration of the model as it is stored; `None` if it cannot be read."""
        try:
            return load_config(self.model_name, trust_remote_code=self.trust_remote_code)
        except InvalidInputError:
            return None

    def _check_inputs(self, objective: Objective) -> tuple[TrainingSetup | None, list[Problem]]:
        """Return the setup, `None` if it cannot be read, and all problems."""
        unnamed = self._name_problems()
        setup, problems = (None, unnamed) if unnamed else self._open_setup()
        if setup is not None:
            problems += input_problems(setup, objective, self.model_name)
            problems += coverage_problems(setup.task, setup.dataset)
            problems += few_rows_problems(setup.dataset)
            problems += overlap_problems(setup.dataset, setup.tokenizer)
        return setup, problems

    def _name_problems(self) -> list[Problem]:
        """Report an empty name, names that no directory can have, and choices that do not exist."""
        found = (
            model_name_problem(self.model_name),
            dataset_name_problem(self.dataset),
            _choice_problem("head", self.head, get_args(Head)),
            _choice_problem("label_scaling", self.label_scaling, get_args(LabelScaling)),
        )
        return [problem for problem in found if problem]

    def _open_setup(self) -> tuple[TrainingSetup | None, list[Problem]]:
        try:
            return self.setup, []
        except InvalidInputError as error:
            is_model = any(problem.path == "model_name" for problem in error.problems)
            return None, [*error.problems, *(self._dataset_problems_without_model() if is_model else ())]

    def _dataset_problems_without_model(self) -> list[Problem]:
        """Report what is wrong with the dataset as far as it can be read without a tokenizer."""

        def no_tokenizer() -> NoReturn:
            raise LookupError

        try:
            open_dataset(self.dataset, self.task, no_tokenizer, None)
        except InvalidInputError as error:
            return list(error.problems)
        except LookupError:
            return []
        return []


def _has_errors(problems: Sequence[Problem]) -> bool:
    return any(problem.severity == "error" for problem in problems)


def _choice_problem(name: str, value: str, choices: Sequence[str]) -> ArgumentProblem | None:
    if value in choices:
        return None
    return ArgumentProblem(name, f"unknown {{{name}}} {value!r}; choose from {', '.join(choices)}")


def _make_trainer(
    kind: type[HuggingFaceTrainer],
    inputs: Mapping[str, Any],
    probes: Sequence[ModelProbe],
    limits: Sequence[BatchSizeLimit],
) -> HuggingFaceTrainer:
    trainer = kind(**inputs)
    trainer._known_probe.extend(probes)  # pyright: ignore[reportPrivateUsage]
    trainer._known_limit.extend(limits)  # pyright: ignore[reportPrivateUsage]
    return trainer


class HuggingFaceSession:
    """A dataset and a model in memory, for one trial after the other."""

    def __init__(self, setup: TrainingSetup, batch_size_limit: BatchSizeLimit | None = None) -> None:
        self.setup = setup
        self._batch_size_limit = batch_size_limit or BatchSizeLimit()

    def run(self, parameters: Mapping[str, Any], report: Report) -> TrialResult:
        """Train one trial; its best checkpoint becomes `checkpoint` in the directory of the report.

        Raises:
            ValueError: A parameter cannot be used.
            DivergedError: The loss became NaN or infinite.
            OutOfMemoryError: Not even a batch of one row fits into memory.
        """
        checkpoint = report.directory / CHECKPOINT
        result, _ = run_trial(self.setup, parameters, report, checkpoint, batch_size_limit=self._batch_size_limit)
        if result.checkpoint is not None:
            save_tokenizer(self.setup, result.checkpoint)
        return result

    def of_fold(self, column: str, group: str) -> HuggingFaceSession:
        """Return a session that shares the model, and what is known of memory; see `bertnado_config.FoldingSession`.

        Raises:
            InvalidInputError: The column or the dataset cannot be used.
        """
        groups = read_groups(self.setup.dataset.path, column)
        return HuggingFaceSession(fold_setup(self.setup, groups, group), self._batch_size_limit)
