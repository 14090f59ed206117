"""How many trials a sweep has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from bertnado_config import parse_sweep_config

from bertnado_sweep.records.best import NoEligibleTrialError
from bertnado_sweep.running.events import SweepStarted

from .sweeps import GRID, INTERVAL, BackendFixtures

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_config import Report

    from bertnado_sweep.backends import BackendType
    from bertnado_sweep.running.events import Event

    from .sweeps import RunSweep


class BudgetTests(BackendFixtures):
    """When a sweep ends."""

    @pytest.mark.parametrize(
        ("config", "count", "trials"),
        [
            (GRID, None, 3),
            (GRID, 2, 2),
            (GRID, 50, 3),
            ({**GRID, "run_cap": 2}, None, 2),
            ({**GRID, "run_cap": 2}, 1, 1),
            ({**INTERVAL, "method": "random"}, None, 10),
            ({**INTERVAL, "method": "bayes", "run_cap": 12}, None, 12),
            ({**INTERVAL, "method": "bayes", "run_cap": 12}, 4, 4),
        ],
    )
    def test_the_budget_is_the_smaller_of_what_was_asked_for_and_what_there_is(
        self, sweep: RunSweep, config: Mapping[str, Any], count: int | None, trials: int
    ) -> None:
        events: list[Event] = []
        result = sweep(lambda parameters, report: 0.5, config, sweep_count=count, observer=events.append)
        assert len(result.trials) == trials
        assert (result.finished, result.budget, result.ended_by) == (trials, trials, None)
        assert [event.budget for event in events if isinstance(event, SweepStarted)] == [trials]

    def test_the_size_of_a_grid_is_known(self, backend_type: BackendType) -> None:
        assert backend_type.size_of(parse_sweep_config(GRID), is_exhaustive=True) == 3

    def test_the_budget_counts_trials_that_failed(self, sweep: RunSweep) -> None:
        def train(parameters: Mapping[str, Any], report: Report) -> float:
            if parameters["x"] < 3:
                raise RuntimeError
            return 0.5

        with pytest.raises(NoEligibleTrialError, match="2 of 2: RuntimeError"):
            sweep(train, sweep_count=2)

    def test_a_target_that_is_reached_ends_the_sweep(self, sweep: RunSweep) -> None:
        config = {**GRID, "metric": {"name": "score", "goal": "maximize", "target": 2}}
        assert len(sweep(lambda parameters, report: parameters["x"], config).trials) == 2

    def test_a_space_that_is_spent_ends_the_sweep(self, sweep: RunSweep) -> None:
        self.require("spends_spaces")
        assert len(sweep(lambda parameters, report: 0.5, {**GRID, "method": "random"}).trials) == 3
