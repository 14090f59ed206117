"""Sweeps that are interrupted and resumed."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from bertnado_config import InvalidInputError, read_best_config

from bertnado_sweep.backends import backend_types

from .sweeps import INTERVAL, BackendFixtures, CurveTrainer, trial_records

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import Report

    from bertnado_sweep.backends import BackendType

    from .sweeps import RunSweep


class InterruptionTests(BackendFixtures):
    """What is left of a sweep that was interrupted."""

    def test_ctrl_c_records_the_trial_as_interrupted_keeps_the_best_and_is_raised(
        self, sweep: RunSweep, tmp_path: Path
    ) -> None:
        def train(parameters: Mapping[str, Any], report: Report) -> float:
            if parameters["x"] == 2:
                report(1, 0.9)
                raise KeyboardInterrupt
            return 0.5

        with pytest.raises(KeyboardInterrupt):
            sweep(train)
        records = trial_records(tmp_path / "sweep")
        assert [record["state"] for record in records] == ["completed", "interrupted"]
        assert records[1]["history"] == [{"step": 1, "score": 0.9}]
        assert read_best_config(tmp_path / "sweep" / "best_sweep_config.json").parameters["x"] == 1

    def test_a_sweep_that_was_interrupted_continues_until_its_budget_is_met(
        self, sweep: RunSweep, tmp_path: Path
    ) -> None:
        config = {**INTERVAL, "method": "random"}
        trained: list[float] = []

        def train(parameters: Mapping[str, Any], report: Report) -> float:
            trained.append(parameters["x"])
            if len(trained) == 2:
                raise KeyboardInterrupt
            return parameters["x"]

        with pytest.raises(KeyboardInterrupt):
            sweep(train, config, sweep_count=4)
        first = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["sweep_id"]
        result = sweep(train, config, sweep_count=4, resume=True)
        assert result.sweep_id == first
        assert sum(trial.is_counted for trial in result.trials) == 4
        assert len(trained) == 5
        assert result.best.value == max(x for number, x in enumerate(trained) if number != 1)

    def test_a_sweep_is_resumed_with_its_own_backend_only(self, sweep: RunSweep, backend_type: BackendType) -> None:
        sweep(CurveTrainer())
        other = next(name for name in backend_types() if name != backend_type.name)
        with pytest.raises(InvalidInputError) as raised:
            sweep(CurveTrainer(), resume=True, backend=other)
        assert "resume" in [problem.path for problem in raised.value.problems]
