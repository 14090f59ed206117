"""Which checkpoints stay on disk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import pytest
from bertnado_config import TrialResult

from bertnado_sweep.running.events import TrialEnded

from .sweeps import BackendFixtures, CurveTrainer, trial_records

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_sweep.running.events import Event
    from bertnado_sweep.sweep import SweepResult

    from .sweeps import RunSweep

    class RunAndLook(Protocol):
        """Run a sweep and return, with its result, the trials that had a checkpoint after each trial."""

        def __call__(self, **options: Any) -> tuple[SweepResult, list[set[int]]]:
            """Run the sweep with options."""
            ...


class CheckpointTests(BackendFixtures):
    """Which checkpoints are kept."""

    @pytest.fixture
    def kept(self, sweep: RunSweep, tmp_path: Path) -> RunAndLook:
        """A function that runs a sweep and lists the trials with a checkpoint, after each trial and at the end."""

        def run(**options: Any) -> tuple[SweepResult, list[set[int]]]:
            seen: list[set[int]] = []

            def observe(event: Event) -> None:
                if isinstance(event, TrialEnded):
                    seen.append(_trials_with_checkpoint(tmp_path / "sweep"))

            result = sweep(CurveTrainer(), observer=observe, **options)
            return result, [*seen, _trials_with_checkpoint(tmp_path / "sweep")]

        return run

    def test_the_best_one_stays_and_the_others_go_as_soon_as_they_cannot_win(self, kept: RunAndLook) -> None:
        result, seen = kept()
        assert seen == [{0}, {1}, {1}, {1}]
        assert result.best.checkpoint is not None
        assert result.best.checkpoint.is_dir()

    def test_all_stay_on_request(self, kept: RunAndLook) -> None:
        _, seen = kept(keep_checkpoints="all")
        assert seen == [{0}, {0, 1}, {0, 1, 2}, {0, 1, 2}]

    def test_none_stays_on_request_and_none_is_named(self, kept: RunAndLook) -> None:
        result, seen = kept(keep_checkpoints="none")
        assert seen == [set()] * 4
        assert result.best.checkpoint is None

    def test_what_a_trainer_keeps_elsewhere_is_left_alone(self, sweep: RunSweep, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        sweep(lambda parameters, report: TrialResult(parameters["x"], 1, checkpoint=elsewhere), keep_checkpoints="none")
        assert elsewhere.is_dir()


def _trials_with_checkpoint(output_dir: Path) -> set[int]:
    directories = {record["number"]: output_dir / record["directory"] for record in trial_records(output_dir)}
    return {number for number, directory in directories.items() if (directory / "checkpoint").exists()}
