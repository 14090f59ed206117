"""Search methods and early termination, as far as the backend takes part in them."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from .sweeps import GRID, BackendFixtures, CurveTrainer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bertnado_config import Report

    from .sweeps import RunSweep

_SURFACE: Mapping[str, Any] = {
    "method": "bayes",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1.0},
        "size": {"values": [1, 2, 4, 8]},
        "schedule": {"values": ["linear", "cosine"]},
        "epochs": {"value": 3},
    },
}


def _train_on_surface(parameters: Mapping[str, Any], report: Report) -> float:
    """Return a value whose best, 0, is at the learning rate 1e-3 and the size 4."""
    distance = math.log10(parameters["learning_rate"]) + 3
    return -(distance**2) - 0.1 * (parameters["size"] - 4) ** 2


class SearchingTests(BackendFixtures):
    """What a backend does with the trials so far."""

    def test_the_same_seed_gives_the_same_trials(self, sweep: RunSweep, tmp_path: Path) -> None:
        self.require("uses_search_methods")
        first, second = (
            sweep(_train_on_surface, _SURFACE, output_dir=tmp_path / name, sweep_count=12, seed=3) for name in "ab"
        )
        points = [json.dumps(trial.parameters) for trial in first.trials]
        assert [json.dumps(trial.parameters) for trial in second.trials] == points
        assert len(set(points)) == 12

    def test_a_model_learns_within_a_sweep(self, sweep: RunSweep) -> None:
        self.require("uses_search_methods")
        best = sweep(_train_on_surface, _SURFACE, sweep_count=30).best
        assert best.value is not None
        assert best.value > -0.3

    def test_early_termination_stops_a_trial_that_falls_behind_and_keeps_its_value(self, sweep: RunSweep) -> None:
        self.require("stops_early")
        config = {**GRID, "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 2}}
        result = sweep(CurveTrainer({1: [0.8, 0.9, 0.9], 2: [0.9, 0.95, 0.6], 3: [0.8, 0.7, 0.99]}), config)
        assert [(trial.state, trial.value) for trial in result.trials] == [
            ("completed", 0.9),
            ("completed", 0.95),
            ("stopped", 0.8),
        ]

    def test_a_function_that_was_told_to_stop_counts_as_stopped(self, sweep: RunSweep) -> None:
        self.require("stops_early")

        def train(parameters: Mapping[str, Any], report: Report) -> float:
            for step in range(3):
                if report(step, -parameters["x"]):
                    break
            return -parameters["x"]

        result = sweep(train, {**GRID, "early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 2}})
        assert [trial.state for trial in result.trials] == ["completed", "completed", "stopped"]
        assert result.best.number == 0
