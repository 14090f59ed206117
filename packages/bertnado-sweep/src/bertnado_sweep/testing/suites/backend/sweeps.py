"""The sweeps that the tests of a backend run."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import pytest
from bertnado_config import TrialResult

from bertnado_sweep.sweep import run_sweep

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bertnado_config import Problem, Report, SweepConfig, Trainer, TrialFunction
    from bertnado_metrics import Objective

    from bertnado_sweep.backends import BackendType
    from bertnado_sweep.sweep import SweepResult

GRID: Mapping[str, Any] = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2, 3]}, "optimizer": {"parameters": {"beta": {"value": 0.9}}}},
}
"""A sweep of three trials."""

INTERVAL: Mapping[str, Any] = {**GRID, "parameters": {"x": {"min": 0.0, "max": 1.0}}}
"""A sweep without end; `method` must be another one."""

CURVES: Mapping[int, Sequence[float]] = {1: [0.1, 0.2], 2: [0.9, 0.3], 3: [0.5, 0.6]}
"""The values of the evaluations by `x`; the best trial, 2, is best at its first evaluation."""


@dataclass
class CurveTrainer:
    """A trainer that reports a curve for each `x`, obeys a stop, and writes a checkpoint."""

    curves: Mapping[int, Sequence[float]] = field(default_factory=lambda: CURVES)
    problems: Sequence[Problem] = ()
    """Returned by `check`."""
    opened: int = 0
    """Number of sessions."""

    def check(self, config: SweepConfig, objective: Objective) -> Sequence[Problem]:
        """Return the problems that the trainer was given."""
        return self.problems

    def open(self) -> CurveTrainer:
        """Count the session."""
        self.opened += 1
        return self

    def run(self, parameters: Mapping[str, Any], report: Report) -> TrialResult:
        """Report the curve until its end or a stop."""
        curve = self.curves[parameters["x"]]
        report.started(len(curve), {"arguments": {"beta": parameters["optimizer"]["beta"]}})
        values: list[float] = []
        for step, value in enumerate(curve, start=1):
            report.progress(step, {"train/loss": 1.0})
            values.append(value)
            if report(step, value, {"eval/loss": -value}):
                break
        checkpoint = report.directory / "checkpoint"
        checkpoint.mkdir()
        best = values.index(max(values))
        is_stopped = len(values) < len(curve)
        return TrialResult(
            values[best], best + 1, checkpoint=checkpoint, stopped=is_stopped, seed=7, timings={"wait": 1.0}
        )


class RunSweep(Protocol):
    """Run a sweep with the backend, into `sweep` in the test's directory."""

    def __call__(
        self, trainer: Trainer | TrialFunction, config: Mapping[str, Any] = ..., **options: Any
    ) -> SweepResult:
        """Run a sweep, by default of `GRID`; the options are those of `run_sweep`."""
        ...


class BackendFixtures:
    """The backend, what it can do, and sweeps with it."""

    stops_early: ClassVar[bool] = True
    """False for a backend that leaves `early_terminate` to a service that this suite does not start."""

    spends_spaces: ClassVar[bool] = True
    """False for a backend that may draw the same parameters twice with the method `random`."""

    uses_search_methods: ClassVar[bool] = True
    """False for a backend that leaves the search to a service, instead of the methods of `bertnado_sweep.search`."""

    @pytest.fixture
    def backend_type(self) -> BackendType:
        """The backend to test, registered. It may depend on fixtures that start what the backend needs."""
        raise NotImplementedError("provide the fixture backend_type: the backend to test")

    @pytest.fixture
    def sweep(self, backend_type: BackendType, tmp_path: Path) -> RunSweep:
        """A function that runs a sweep with the backend."""

        def run(trainer: Trainer | TrialFunction, config: Mapping[str, Any] = GRID, **options: Any) -> SweepResult:
            defaults: dict[str, Any] = {
                "output_dir": tmp_path / "sweep",
                "backend": backend_type.name,
                "workers": 1,
            }
            return run_sweep(trainer, config, **(defaults | options))

        return run

    def require(self, ability: str) -> None:
        """Skip the test if the backend lacks an ability, which is the name of an attribute."""
        if not getattr(self, ability):
            pytest.skip(f"{ability} is False")


def trial_records(output_dir: Path) -> list[dict[str, Any]]:
    """Return the content of every `trial.json`, by the number of the trial."""
    records = [json.loads(path.read_text()) for path in output_dir.glob("sweep_*/trial.json")]
    return sorted(records, key=lambda record: record["number"])
