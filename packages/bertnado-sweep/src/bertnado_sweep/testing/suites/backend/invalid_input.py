"""Sweeps that must not start, and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from bertnado_config import InvalidInputError, Problem

from bertnado_sweep.running.events import SweepStarted

from .sweeps import BackendFixtures, CurveTrainer

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_sweep.running.events import Event

    from .sweeps import RunSweep

_WARNING = Problem("parameters.x", "is small", "warning")


class InvalidInputTests(BackendFixtures):
    """What happens before the first trial."""

    def test_everything_that_is_wrong_is_named_at_once_and_nothing_is_started(
        self, sweep: RunSweep, tmp_path: Path
    ) -> None:
        (tmp_path / "sweep").mkdir()
        (tmp_path / "sweep" / "sweep.json").touch()
        trainer = CurveTrainer(problems=[Problem("parameters.x", "is not an argument"), _WARNING])
        with pytest.raises(InvalidInputError) as raised:
            sweep(trainer, sweep_count=0, seed=-1)
        paths = [problem.path for problem in raised.value.problems]
        assert paths == ["output_dir", "sweep_count", "seed", "parameters.x"]
        assert [path.name for path in (tmp_path / "sweep").iterdir()] == ["sweep.json"]
        assert trainer.opened == 0

    def test_mistakes_of_the_file_and_of_the_call_are_named_together(self, sweep: RunSweep) -> None:
        with pytest.raises(InvalidInputError) as raised:
            sweep(CurveTrainer(), {"method": "gird", "parameters": {"x": {"values": []}}}, sweep_count=0)
        assert {"sweep_count", "method"} <= {problem.path for problem in raised.value.problems}

    def test_warnings_are_handed_on_and_logged_without_an_observer(
        self, sweep: RunSweep, caplog: pytest.LogCaptureFixture, tmp_path: Path
    ) -> None:
        events: list[Event] = []
        trainer = CurveTrainer(problems=[_WARNING])
        result = sweep(trainer, observer=events.append)
        started = events[0]
        assert isinstance(started, SweepStarted)
        assert result.warnings == started.warnings == (_WARNING,)
        assert [record for record in caplog.records if record.name.startswith("bertnado")] == []
        sweep(trainer, output_dir=tmp_path / "again")
        assert "parameters.x: is small" in caplog.text

    def test_a_second_sweep_in_the_same_directory_is_refused_and_the_first_stays(
        self, sweep: RunSweep, tmp_path: Path
    ) -> None:
        sweep(CurveTrainer())
        before = _content(tmp_path / "sweep")
        with pytest.raises(InvalidInputError, match="sweep_2") as raised:
            sweep(CurveTrainer())
        assert [problem.path for problem in raised.value.problems] == ["output_dir"]
        assert _content(tmp_path / "sweep") == before


def _content(directory: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in directory.rglob("*") if path.is_file()}
