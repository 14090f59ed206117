"""The result of a sweep, its records, its events and its exported best."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from bertnado_config import read_best_config
from bertnado_metrics import Objective

from bertnado_sweep.backends import get_backend_type
from bertnado_sweep.resume import require_recorded
from bertnado_sweep.running.events import (
    SweepStarted,
    TrialEnded,
    TrialEvaluated,
    TrialProgress,
    TrialStarted,
)

from .sweeps import CURVES, GRID, BackendFixtures, CurveTrainer, trial_records

if TYPE_CHECKING:
    from pathlib import Path

    from bertnado_sweep.backends import BackendType
    from bertnado_sweep.running.events import Event

    from .sweeps import RunSweep


class ResultTests(BackendFixtures):
    """What a sweep returns and records."""

    def test_it_is_registered_under_its_name(self, backend_type: BackendType) -> None:
        assert get_backend_type(backend_type.name) is backend_type

    def test_it_says_by_which_address_it_works(self, backend_type: BackendType) -> None:
        assert isinstance(backend_type.require(), str)

    def test_the_best_trial_has_the_best_value_of_a_checkpoint(self, sweep: RunSweep) -> None:
        trainer = CurveTrainer()
        result = sweep(trainer)
        assert trainer.opened == 1
        assert [(trial.number, trial.state, trial.value, trial.step) for trial in result.trials] == [
            (0, "completed", 0.2, 2),
            (1, "completed", 0.9, 1),
            (2, "completed", 0.6, 2),
        ]
        best = result.best
        assert best == result.trials[1]
        assert best.parameters == {"x": 2, "optimizer": {"beta": 0.9}}
        assert (best.seed, best.timings["wait"], best.details) == (7, 1.0, {"arguments": {"beta": 0.9}})
        assert best.checkpoint == best.directory / "checkpoint"

    def test_the_exported_file_has_the_parameters_of_the_best_trial_and_the_objective(
        self, sweep: RunSweep, tmp_path: Path
    ) -> None:
        result = sweep(CurveTrainer())
        exported = {
            "x": 2,
            "optimizer": {"beta": 0.9},
            "metric_for_best_model": "score",
            "greater_is_better": True,
            "optimization_metric": {"name": "score", "goal": "maximize"},
        }
        path = tmp_path / "sweep" / "best_sweep_config.json"
        assert json.loads(path.read_text()) == exported
        assert result.to_dict() == {
            "sweep_id": result.sweep_id,
            "best_run_id": result.best.id,
            "metric_name": "score",
            "metric_goal": "maximize",
            "metric_for_best_model": "score",
            "metric_value": 0.9,
            "best_config": exported,
            "best_config_path": str(path),
            "finished": 3,
            "budget": 3,
            "ended_by": None,
        }

    def test_every_trial_has_a_directory_with_its_record(self, sweep: RunSweep, tmp_path: Path) -> None:
        result = sweep(CurveTrainer())
        records = trial_records(tmp_path / "sweep")
        assert [record["number"] for record in records] == [0, 1, 2]
        for trial, record in zip(result.trials, records, strict=True):
            assert trial.directory.parent == tmp_path / "sweep"
            assert (record["id"], record["state"], record["value"]) == (trial.id, "completed", trial.value)
            assert record["parameters"] == trial.parameters
            curve = CURVES[trial.parameters["x"]]
            rows = [{"step": step, "eval/loss": -value, "score": value} for step, value in enumerate(curve, 1)]
            assert record["history"] == rows
            assert record["error"] is None
            assert record["started"] <= record["ended"]
            assert record["timings"]["total"] > 0

    def test_recorded_trials_can_be_read_again(
        self, sweep: RunSweep, backend_type: BackendType, tmp_path: Path
    ) -> None:
        result = sweep(CurveTrainer())
        trials, damages = backend_type.read_trials(require_recorded(tmp_path / "sweep"))
        assert damages == []
        assert [(trial.id, trial.state, trial.value, trial.parameters) for trial in trials] == [
            (trial.id, trial.state, trial.value, trial.parameters) for trial in result.trials
        ]

    def test_the_sweep_is_recorded_with_everything_that_it_was_started_with(
        self, sweep: RunSweep, backend_type: BackendType, tmp_path: Path
    ) -> None:
        result = sweep(CurveTrainer(), seed=5, project_name="dna", group="task", record={"model_name": "tiny"})
        record = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
        assert (record["sweep_id"], record["backend"]) == (result.sweep_id, backend_type.name)
        assert record["objective"] == {"name": "score", "goal": "maximize"}
        assert (record["budget"], record["seed"], record["project"], record["group"]) == (3, 5, "dna", "task")
        assert record["config"]["parameters"]["x"]["values"] == [1, 2, 3]
        assert record["application"] == {"model_name": "tiny"}
        assert "bertnado-sweep" in record["versions"]
        assert record["created"].endswith("+00:00")

    def test_the_goal_decides_what_is_best(self, sweep: RunSweep) -> None:
        result = sweep(lambda parameters, report: parameters["x"], {**GRID, "metric": {"name": "eval/loss"}})
        assert (result.objective, result.best.value) == (Objective("eval/loss", "minimize"), 1.0)

    def test_an_observer_gets_every_event_in_order(self, sweep: RunSweep, tmp_path: Path) -> None:
        events: list[Event] = []
        result = sweep(CurveTrainer(), {**GRID, "run_cap": 1}, observer=events.append)
        started = events[0]
        assert isinstance(started, SweepStarted)
        assert (started.sweep_id, started.budget, started.finished, started.warnings) == (result.sweep_id, 1, 0, ())
        assert (started.objective, started.output_dir) == (Objective("score", "maximize"), tmp_path / "sweep")
        trial, ended = result.trials[0], events[-1]
        assert isinstance(ended, TrialEnded)
        assert ended.finished in (1, None)
        assert events[1:] == [
            TrialStarted(0, trial.id, trial.parameters, trial.directory),
            TrialProgress(0, 0, 2),
            TrialProgress(0, 1, 2),
            TrialEvaluated(0, 1, 0.1, {"eval/loss": -0.1, "score": 0.1}),
            TrialProgress(0, 2, 2),
            TrialEvaluated(0, 2, 0.2, {"eval/loss": -0.2, "score": 0.2}),
            TrialEnded(trial, trial, ended.finished),
        ]

    def test_the_best_so_far_is_exported_after_each_trial_that_improves_it(
        self, sweep: RunSweep, tmp_path: Path
    ) -> None:
        exported: list[int] = []

        def observe(event: Event) -> None:
            if isinstance(event, TrialEnded):
                exported.append(read_best_config(tmp_path / "sweep" / "best_sweep_config.json").parameters["x"])
                assert event.best is not None
                assert event.best.parameters["x"] == exported[-1]

        sweep(CurveTrainer({1: [0.5], 2: [0.4], 3: [0.6]}), observer=observe)
        assert exported == [1, 1, 3]
