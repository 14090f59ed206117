"""The runs of a confirmation, each a finalist in a block: their order, their training and their tracking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from bertnado_config import ArgumentProblem, FoldingSession, Problem, parse_sweep_config

from bertnado_sweep.folding import fold_problems
from bertnado_sweep.plan import RunKind

from .design import FINALIST, FOLD, SEED
from .finalists import reseeded
from .ranking import LOOK, clearly_behind, means_by_fold

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bertnado_config import Parameter, ParameterPath, Report, Session, SweepConfig, Trainer, TrialResult
    from bertnado_metrics import Goal, Objective
    from numpy.typing import NDArray

    from bertnado_sweep.records.trial import Trial
    from bertnado_sweep.search.base import SearchState

    from .design import Block, Design

_PARTS = (
    ("dataset", "dataset", "{dataset} must give the rows of the sweep, got others"),
    ("model", "model_name", "{model_name} must give the weights of the sweep, got others"),
)
"""What a trainer may give a fingerprint of, the option that names it, and what must hold."""


@dataclass(frozen=True)
class RunTable:
    """The runs of a confirmation by finalist and block."""

    finalists: tuple[int, ...]
    design: Design
    goal: Goal
    runs: Mapping[tuple[int, Block], Trial]

    @classmethod
    def of(cls, finalists: Sequence[int], design: Design, goal: Goal, trials: Sequence[Trial]) -> RunTable:
        """Sort the trials of a confirmation's sweep; those of other finalists or blocks are left out."""
        found = {(trial.parameters[FINALIST], design.block_of(trial.parameters)): trial for trial in trials}
        pairs = [(finalist, block) for finalist in finalists for block in design.blocks]
        return cls(tuple(finalists), design, goal, {pair: found[pair] for pair in pairs if pair in found})

    def of_finalist(self, finalist: int) -> list[tuple[Block, Trial]]:
        """Return the runs of a finalist with their blocks, in the order of these."""
        blocks = self.design.blocks
        return [(block, self.runs[finalist, block]) for block in blocks if (finalist, block) in self.runs]

    @property
    def values(self) -> NDArray[np.float64]:
        """The values `(finalists, blocks)`; NaN where there is none."""
        rows = [[self._value(finalist, block) for block in self.design.blocks] for finalist in self.finalists]
        return np.array(rows, dtype=float)

    def _value(self, finalist: int, block: Block) -> float | None:
        run = self.runs.get((finalist, block))
        return run.value if run is not None and run.is_eligible else None

    @property
    def units(self) -> NDArray[np.float64]:
        """What means are taken of: the values `(finalists, seeds)`, or their means by fold `(finalists, folds)`."""
        folds = self.design.folds
        return self.values if folds is None else means_by_fold(self.values, len(folds.groups))

    @property
    def scores(self) -> NDArray[np.float64]:
        """The values, with the sign by which higher is better."""
        return self.signed(self.values)

    def signed(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return values with the sign by which higher is better."""
        return values if self.goal == "maximize" else -values

    @property
    def dropped(self) -> frozenset[int]:
        """The finalists that are clearly behind; none before the first blocks of all finalists are over."""
        blocks = self.design.blocks
        first = [self.runs.get((finalist, block)) for finalist in self.finalists for block in blocks[:LOOK]]
        if len(blocks) <= LOOK or not all(run is not None and run.is_counted for run in first):
            return frozenset()
        scores = self.scores[:, :LOOK]
        is_complete = np.isfinite(scores).all(axis=1)
        compared = np.array(self.finalists)[is_complete]
        return frozenset(compared[clearly_behind(scores[is_complete])].tolist()) if len(compared) else frozenset()

    def by_mean(self) -> list[int]:
        """Return the finalists by their means so far, the best first; those without a value come last."""
        known = {
            finalist: row[np.isfinite(row)].mean()
            for finalist, row in zip(self.finalists, self.scores, strict=True)
            if np.isfinite(row).any()
        }
        return sorted(self.finalists, key=lambda finalist: -known.get(finalist, -np.inf))


@dataclass(frozen=True)
class ConfirmationOrder:
    """Chooses the next run: block by block over all finalists, without those that are clearly behind.

    Within a block the finalist that is ahead comes first. So several workers begin their third one with it rather than
    with one that may yet be dropped. See `SearchMethod`.
    """

    finalists: tuple[int, ...]
    design: Design
    name: str = "confirm"
    is_exhaustive: bool = True

    def check_space(self, space: Mapping[ParameterPath, Parameter]) -> Sequence[Problem]:
        """Accept the space, which is made for it."""
        return ()

    def candidates(self, state: SearchState) -> Iterator[dict[str, Any]]:
        """Yield the runs in their order."""
        table = RunTable.of(self.finalists, self.design, state.goal, state.trials)
        dropped, order = table.dropped, table.by_mean()
        for block in self.design.blocks:
            for finalist in order:
                if finalist not in dropped:
                    yield self.design.run(finalist, block)


@dataclass(frozen=True)
class FinalistTrainer:
    """Trains finalists: a run has the parameters of its finalist, with its seed. See `bertnado_config.Trainer`."""

    trainer: Trainer
    finalists: Mapping[int, Trial]
    """The trials of the search by their numbers, as they are shown."""
    design: Design

    def parameters_of(self, run: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters that a run trains with."""
        return reseeded(self.trainer, self.finalists[run[FINALIST]].parameters, run[SEED])

    def check(self, config: SweepConfig, objective: Objective) -> Sequence[Problem]:
        """Return why a finalist cannot be trained, which data are not those of the sweep, and what is wrong with folds.

        Other warnings are left out: the sweep has shown them.
        """
        problems: dict[str, Problem] = {}
        for number, trial in self.finalists.items():
            parameters = reseeded(self.trainer, trial.parameters, 0)
            constants = {name: {"value": value} for name, value in parameters.items()}
            found = self.trainer.check(parse_sweep_config({"method": "grid", "parameters": constants}), objective)
            errors = [_named(problem, number) for problem in found if problem.severity == "error"]
            problems |= {str(problem): problem for problem in errors}
        return list(problems.values()) or self._other_data() or self._fold_problems(objective)

    def _fold_problems(self, objective: Objective) -> list[Problem]:
        folds = self.design.folds
        return [] if folds is None else fold_problems(self.trainer, folds.column, objective)

    def _other_data(self) -> list[Problem]:
        """Report a dataset, or the weights of a model, that have changed since the sweep."""
        return [
            ArgumentProblem(option, f"{message}: it has changed since; restore it")
            for part, option, message in _PARTS
            if self._has_changed(part)
        ]

    def _has_changed(self, part: str) -> bool:
        now = getattr(self.trainer, f"{part}_fingerprint", None)
        known = {_fingerprint(trial, part) for trial in self.finalists.values()} - {None}
        return now is not None and bool(known) and known != {now}

    def open(self) -> Session:
        """Open the trainer of the sweep."""
        return _FinalistSession(self, self.trainer.open())

    @property
    def checkpoint_bytes(self) -> int | None:
        """The size of a checkpoint, that of the finalist that was checked last; None if it is unknown."""
        return getattr(self.trainer, "checkpoint_bytes", None)

    @property
    def training_state_bytes(self) -> int | None:
        """The size of a training state; None if none is written."""
        return getattr(self.trainer, "training_state_bytes", None)

    @property
    def device(self) -> str | None:
        """The devices that trials train on here; None if the trainer does not say it."""
        return getattr(self.trainer, "device", None)


@dataclass
class _FinalistSession:
    """A worker's open trainer."""

    trainer: FinalistTrainer
    session: Session
    last_fold: tuple[str, Session] | None = None
    """The session of the last run's fold: the runs go fold by fold, and each fold takes memory."""

    def run(self, parameters: Mapping[str, Any], report: Report) -> TrialResult:
        """Train one run."""
        return self._session_of(parameters).run(self.trainer.parameters_of(parameters), report)

    def _session_of(self, parameters: Mapping[str, Any]) -> Session:
        block, folds = self.trainer.design.block_of(parameters), self.trainer.design.folds
        if block is None or block.fold is None or folds is None:
            return self.session
        if self.last_fold is None or self.last_fold[0] != block.fold:
            self.last_fold = None
            assert isinstance(self.session, FoldingSession)  # noqa: S101  (its trainer has folds)
            self.last_fold = block.fold, self.session.of_fold(folds.column, block.fold)
        return self.last_fold[1]


@dataclass(frozen=True)
class ConfirmationRuns(RunKind):
    """The runs of a confirmation: tracked with the parameters of their finalists; none of them is exported."""

    trainer: FinalistTrainer | None = None

    def tracked_parameters(self, trial: Trial) -> Mapping[str, Any]:
        """Return the parameters of the finalist, with the seed, and the fold if there is one."""
        assert self.trainer is not None  # noqa: S101  (a default only because the fields before it have one)
        fold = {name: value for name, value in trial.parameters.items() if name == FOLD}
        return {**self.trainer.parameters_of(trial.parameters), **fold}

    def describe(self, trial: Trial) -> str:
        """Return which finalist a run trains, and with what."""
        assert self.trainer is not None  # noqa: S101  (as above)
        block = self.trainer.design.block_of(trial.parameters)
        return f"trial {trial.parameters[FINALIST]}, {block}"

    def group_of(self, trial: Trial) -> int:
        """Return the finalist: the best checkpoint of each is kept until one is confirmed."""
        return trial.parameters[FINALIST]


def _named(problem: Problem, number: int) -> Problem:
    """Return a problem of a parameter with the trial that has it."""
    return Problem("", f"trial {number}: {problem}") if problem.is_of_file else problem


def _fingerprint(trial: Trial, part: str) -> object:
    """Return the fingerprint of the dataset or the model of a trial; None if it is not recorded."""
    found = trial.details.get(part)
    return found.get("fingerprint") if isinstance(found, dict) else None  # pyright: ignore[reportUnknownVariableType, reportUnknownMemberType]
