"""The seam between many runs and one run.

A sweep is handed a *trainer* and drives it through the types of this module. Neither side imports the
other: whatever fits these protocols can be swept, and whatever drives them can use any trainer.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_metrics import Objective

    from .errors import Problem
    from .sweep_config import SweepConfig


GPU_SHARE = "BERTNADO_GPU_SHARE"
"""The variable of the environment that says which part of its GPU's memory a worker may use, above 0, at most 1."""


class TrialError(RuntimeError):
    """A trial that came to nothing, for a reason that its message tells a person in full."""


class Report(Protocol):
    """What a running trial tells the sweep that runs it."""

    @property
    def directory(self) -> Path:
        """Where the trial keeps its files; it exists and belongs to this trial alone."""
        ...

    @property
    def objective(self) -> Objective:
        """What the trial is judged by: the best checkpoint is the best by it."""
        ...

    def started(self, total_steps: int, details: Mapping[str, Any]) -> None:
        """Say, before the first step, how many optimiser steps there will be and what is run.

        A trial that begins anew, with smaller batches for example, says so again: what it reported until then no
        longer counts.

        Args:
            total_steps: Optimiser steps of the whole trial.
            details: What is worth recording of the trial beside its parameters: `arguments` (the effective
                training arguments), `dataset` (its fingerprint), ... JSON-serialisable.
        """
        ...

    def progress(self, step: int, metrics: Mapping[str, float] | None = None) -> bool:
        """Say that `step` optimiser steps are done, with what training logged then (`train/loss`, ...).

        The answer is whether the trial has to stop now; its best checkpoint so far is kept.
        """
        ...

    def __call__(self, step: int, value: float, metrics: Mapping[str, float] | None = None) -> bool:
        """Report one evaluation; the answer is whether the trial has to stop now.

        Args:
            step: Optimiser steps done.
            value: The objective at this evaluation; NaN where it is not defined.
            metrics: Every number of this evaluation, by reported name (`eval/roc_auc`).
        """
        ...


@dataclass(frozen=True)
class TrialResult:
    """What one training run came to."""

    value: float | None
    """The objective at the trial's best checkpoint; `None` where no evaluation gave a number."""
    step: int | None = None
    """The optimiser step of the best checkpoint."""
    history: Sequence[Mapping[str, Any]] = ()
    """One row an evaluation, in order: `step`, `epoch`, and every number by its reported name."""
    checkpoint: Path | None = None
    """The directory of the best checkpoint."""
    stopped: bool = False
    """Whether the trial ended because `report` answered that it has to."""
    seed: int | None = None
    """The seed that the trial trained with."""
    details: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What was handed to `Report.started`."""
    timings: Mapping[str, float] = field(default_factory=dict[str, float])
    """Seconds spent, by what they were spent on."""


class Session(Protocol):
    """A worker's open trainer: what is read once for many trials lives here."""

    def run(self, parameters: Mapping[str, Any], report: Report) -> TrialResult:
        """Train one trial with `parameters`, nested as the sweep file nests them.

        Raises:
            Exception: Whatever went wrong; the sweep records it and goes on with the next trial.
        """
        ...


class Trainer(Protocol):
    """Something that can train a trial. Picklable, so that a worker process can be handed one.

    One that has the attribute `checkpoint_bytes`, an integer, says there what a trial's checkpoint takes on disk, so
    that a sweep for which there is no room is refused before it begins. It is asked after `check` found no error.
    """

    def check(self, config: SweepConfig, objective: Objective) -> Sequence[Problem]:
        """Name everything that can be known to be wrong before the first trial.

        The problems with severity `error` join the file's own in one error; warnings are shown.
        """
        ...

    def open(self) -> Session:
        """Read what all trials share. Called once per worker, in the worker's process.

        The environment says what the worker may use: `CUDA_VISIBLE_DEVICES`, `OMP_NUM_THREADS`, and `GPU_SHARE`.
        """
        ...


TrialFunction = Callable[[Mapping[str, Any], Report], float | TrialResult]
"""The smallest trainer: parameters and a report in, the objective's value out."""
