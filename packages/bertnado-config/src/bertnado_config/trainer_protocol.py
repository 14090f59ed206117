"""The interface between a sweep, which runs many trials, and a trainer, which runs one.

A sweep drives a trainer through the types of this module. Neither side imports the other: anything that implements
these protocols can be swept, and anything that drives them can use any trainer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_metrics import Objective

    from .errors import Problem
    from .forecast import Forecast
    from .sweep_config import SweepConfig


GPU_SHARE = "BERTNADO_GPU_SHARE"
"""The environment variable with the share of its GPU's memory that a worker may use, above 0 and at most 1."""


class TrialError(RuntimeError):
    """A trial that failed for a reason that the message explains in full: its parameters or its data."""


class MachineError(RuntimeError):
    """A trial that could not be trained here, whatever its parameters: the GPU is lost, for example.

    The worker leaves the sweep, and the trial is tried elsewhere.
    """


class TrainingStates(Protocol):
    """The training states of one trial: the file from which an interrupted trial goes on, and when to write it.

    A trainer may ignore it. One that uses it writes everything that the trial needs to go on into one file, so that a
    kill at any moment leaves the previous file or the whole new one. The sweep removes the file when the trial has
    ended.
    """

    @property
    def path(self) -> Path:
        """The file to write the state to, in the trial's directory."""
        ...

    @property
    def latest(self) -> Path | None:
        """The state to continue from, possibly that of an earlier attempt; None if there is none."""
        ...

    def is_due(self) -> bool:
        """Return whether the state must be written now; ask after each step, and after the answer to its report."""
        ...

    def written(self, step: int, seconds: float) -> None:
        """Report that the state after `step` optimiser steps was written, and how long that took."""
        ...

    def not_written(self, reason: str) -> None:
        """Report that the state could not be written; the trial goes on without."""
        ...

    def resumed(self, step: int, history: Sequence[Mapping[str, Any]], seconds: float) -> None:
        """Report, after `Report.started`, that the trial continues from `latest`.

        Args:
            step: The number of optimiser steps done.
            history: The evaluations until then, one row each; see `TrialResult.history`.
            seconds: The time that was spent on the trial until then.
        """
        ...

    def refused(self, reason: str) -> None:
        """Report that `latest` is damaged or does not fit the trial, which begins anew; then there is no latest one."""
        ...


class Report(Protocol):
    """The report of a running trial to its sweep."""

    @property
    def directory(self) -> Path:
        """The directory for the trial's files; it exists and belongs to this trial alone."""
        ...

    @property
    def objective(self) -> Objective:
        """The objective by which the trial is judged and its best checkpoint is chosen."""
        ...

    @property
    def training_states(self) -> TrainingStates | None:
        """The training states of the trial; None if none are to be written."""
        ...

    def started(self, total_steps: int, details: Mapping[str, Any]) -> None:
        """Report, before the first step, the length and the details of the trial.

        A trial that starts again, for example with smaller batches, reports this again; its earlier reports then no
        longer count.

        Args:
            total_steps: The number of optimiser steps of the whole trial.
            details: What to record of the trial besides its parameters: `arguments` (the effective training
                arguments), `dataset` (its fingerprint), ... JSON-serialisable.
        """
        ...

    def progress(self, step: int, metrics: Mapping[str, float] | None = None) -> bool:
        """Report that `step` optimiser steps are done, with the metrics that training logged (`train/loss`, ...).

        Return whether the trial must stop now; its best checkpoint so far is kept.
        """
        ...

    def __call__(self, step: int, value: float, metrics: Mapping[str, float] | None = None) -> bool:
        """Report one evaluation; return whether the trial must stop now.

        Args:
            step: The number of optimiser steps done.
            value: The objective at this evaluation; NaN if it is undefined.
            metrics: Every metric of this evaluation, by reported name (`eval/roc_auc`).
        """
        ...


@dataclass(frozen=True)
class TrialResult:
    """The result of one training run."""

    value: float | None
    """The objective at the trial's best checkpoint; `None` if no evaluation had a finite value."""
    step: int | None = None
    """The optimiser step of the best checkpoint."""
    history: Sequence[Mapping[str, Any]] = ()
    """One row per evaluation, in order: `step`, `epoch`, and every metric by its reported name."""
    checkpoint: Path | None = None
    """The directory of the best checkpoint."""
    stopped: bool = False
    """True if the trial ended because `report` returned that it must stop."""
    seed: int | None = None
    """The seed of the training run."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """The details that were passed to `Report.started`; also `judgement`, the record of a `bertnado_metrics.Judgement`,
    for lines about the best trial at the end of a sweep."""
    timings: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds spent, by activity."""


class Session(Protocol):
    """A worker's open trainer, which holds what is read once for many trials."""

    def run(self, parameters: Mapping[str, Any], report: Report) -> TrialResult:
        """Train one trial with `parameters`, nested as the sweep file nests them.

        Raises:
            Exception: The trial failed; the sweep records the error and continues with the next trial.
        """
        ...


class Trainer(Protocol):
    """Trains trials. Picklable, so that it can be sent to worker processes.

    A trainer may have the attribute `checkpoint_bytes`, an integer: the size of a trial's checkpoint on disk, so that a
    sweep whose checkpoints do not fit is rejected before it starts. One that writes `Report.training_states` has the
    attribute `training_state_bytes`, the size of such a state. A trainer may also have the attribute `device`, a text
    for the display that names the devices of this machine that trials train on. All are read after `check` has found no
    error.

    A trainer may have the attributes `dataset_fingerprint` and `model_fingerprint`, texts: what
    `details["dataset"]["fingerprint"]` and `details["model"]["fingerprint"]` of its trials are now, so that trials of a
    changed dataset, or from changed weights, are not compared with earlier ones.

    A trainer may have the attribute `pretrained_config`, a mapping: the content of its model's `config.json`, by which
    a sweep finds published settings for it.

    A trainer may have the method `forecast`, see `ForecastingTrainer`, `reseeded`, see `ReseedingTrainer`, and
    `groups`, see `FoldingTrainer`.
    """

    def check(self, config: SweepConfig, objective: Objective) -> Sequence[Problem]:
        """Return everything that can be known to be wrong before the first trial.

        Problems with severity `error` are reported together with those of the file; warnings are shown.
        """
        ...

    def open(self) -> Session:
        """Read what all trials share. Called once per worker, in the worker's process.

        The environment limits what the worker may use: `CUDA_VISIBLE_DEVICES`, `OMP_NUM_THREADS`, and `GPU_SHARE`.
        """
        ...


@runtime_checkable
class ReseedingTrainer(Protocol):
    """A `Trainer` that knows which of its parameters are seeds; with others, the parameter is named `seed`."""

    def reseeded(self, parameters: Mapping[str, Any], seed: int) -> Mapping[str, Any]:
        """Return the parameters with a seed from which all random numbers of training follow."""
        ...


@runtime_checkable
class FoldingTrainer(Protocol):
    """A `Trainer` that can validate on each group of a column of its data in turn; its sessions are `FoldingSession`.

    The validation rows of a fold are those of one group, its training rows those of all others. A test split takes no
    part.
    """

    def groups(self, column: str) -> Sequence[str]:
        """Return the groups of a column in their natural order, at least two.

        Raises:
            InvalidInputError: The column cannot be used. It calls it by the argument `folds`.
        """
        ...

    def check_folds(self, column: str, objective: Objective) -> Sequence[Problem]:
        """Return what is wrong with the rows of folds, by the argument `folds`; called after `check`."""
        ...


@runtime_checkable
class FoldingSession(Protocol):
    """The `Session` of a `FoldingTrainer`."""

    def of_fold(self, column: str, group: str) -> Session:
        """Return a session whose trials validate on a group of a column, and train on all other groups."""
        ...


@runtime_checkable
class ForecastingTrainer(Protocol):
    """A `Trainer` that measures, before the first trial, what trials cost."""

    def forecast(
        self,
        config: SweepConfig,
        objective: Objective,
        trials: Sequence[Mapping[str, Any]],
        *,
        places: Sequence[Mapping[str, str]],
        directory: Path,
    ) -> Forecast:
        """Measure a few steps, an evaluation and a checkpoint, and return what the trials of a sweep will cost.

        Called after `check` has found no error. It takes less than 30 s, or 5 % of the first trial. What it finds out
        about memory is part of the trainer that workers get.

        Args:
            config: The sweep file.
            objective: The objective by which trials are judged.
            trials: The parameters of trials that the sweep will probably run, at least one, nested as in the file.
            places: The environment variables of each worker, see `Trainer.open`.
            directory: An existing directory on the disk that checkpoints will be written to; nothing stays in it.
        """
        ...


TrialFunction = Callable[[Mapping[str, Any], Report], float | TrialResult]
"""The simplest trainer: a function of the parameters and a report that returns the objective's value."""
