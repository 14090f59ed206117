"""Trials that fail."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest
from bertnado_config import TrialResult

from bertnado_sweep.running.limits import TooManyFailuresError

from .sweeps import BackendFixtures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_config import Report

    from .sweeps import RunSweep


class FailureTests(BackendFixtures):
    """What becomes of a trial that fails, and of the others."""

    def test_a_trial_that_raises_is_recorded_and_the_sweep_continues(self, sweep: RunSweep) -> None:
        def train(parameters: Mapping[str, Any], report: Report) -> float:
            report(1, 0.3)
            if parameters["x"] == 1:
                raise ValueError("boom\nin two lines")
            return parameters["x"]

        result = sweep(train)
        assert [trial.state for trial in result.trials] == ["failed", "completed", "completed"]
        failed = result.trials[0]
        assert (failed.value, failed.error) == (None, "ValueError: boom in two lines")
        assert list(failed.history) == [{"step": 1, "score": 0.3}]
        assert 'raise ValueError("boom' in (failed.directory / "error.txt").read_text()

    @pytest.mark.parametrize("value", [math.nan, math.inf, None])
    def test_a_trial_without_a_finite_value_fails(self, sweep: RunSweep, value: float | None) -> None:
        def train(parameters: Mapping[str, Any], report: Report) -> float | TrialResult:
            report(1, math.nan)
            return TrialResult(value) if parameters["x"] == 2 else 0.1

        result = sweep(train)
        assert [trial.state for trial in result.trials] == ["completed", "failed", "completed"]
        assert result.trials[1].error == f"no finite value: score was {value} after 1 evaluations"
        assert result.trials[1].value is None

    def test_a_sweep_whose_trials_all_fail_for_the_same_reason_ends(self, sweep: RunSweep) -> None:
        def train(parameters: Mapping[str, Any], report: Report) -> Any:
            return {"score": 1.0}

        with pytest.raises(TooManyFailuresError, match="must return a number or a TrialResult, got dict") as raised:
            sweep(train)
        assert len(raised.value.trials) == 3

    def test_a_trainer_cannot_change_what_is_recorded(self, sweep: RunSweep) -> None:
        def train(parameters: Any, report: Report) -> float:
            parameters["optimizer"]["beta"] = 0.0
            parameters["more"] = 1
            return 0.5

        assert sweep(train).best.parameters == {"x": 1, "optimizer": {"beta": 0.9}}
