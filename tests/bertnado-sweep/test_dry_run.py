"""A trainer that can measures before the first trial what trials cost, and the plan says how long the sweep takes."""

import json
from dataclasses import dataclass, field

import pytest
from bertnado_config import Forecast, InvalidInputError, Problem, TrialForecast
from bertnado_sweep import plan_sweep, run_sweep
from bertnado_sweep.running.events import SweepStarted
from support.trainers import CurveTrainer

RANDOM = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}


@dataclass
class MeasuringTrainer(CurveTrainer):
    """Forecasts `seconds` for each trial, and keeps what it was asked for."""

    seconds: float = 60.0
    problems: tuple = ()
    error: Exception | None = None
    asked: list = field(default_factory=list)

    def forecast(self, config, objective, trials, *, places, directory):
        self.asked.append((trials, places, directory))
        if self.error is not None:
            raise self.error
        each = TrialForecast(self.seconds, evaluations=9, evaluation_seconds=self.seconds / 4)
        return Forecast([each] * len(trials), each, each, "three steps", problems=self.problems)


@pytest.fixture
def trainer():
    return MeasuringTrainer()


@pytest.fixture
def plan(trainer, tmp_path):
    """Plan a sweep of random search."""

    def make(config=RANDOM, **options):
        options = {"output_dir": tmp_path / "sweep", "backend": "local", "sweep_count": 10} | options
        return plan_sweep(trainer, config, **options)

    return make


def test_the_plan_says_how_long_the_sweep_takes_with_its_workers(plan):
    alone, beside = plan().forecast, plan(workers=3).forecast
    assert (alone.seconds, alone.whole_seconds, alone.median_trial, alone.in_time) == (600, 600, 60, None)
    assert beside.seconds == 240
    assert alone.evaluation_share == 0.25


def test_workers_tell_the_trainer_where_they_will_train(plan, trainer, tmp_path):
    plan()
    plan(workers=2, output_dir=tmp_path / "new" / "newer")
    (_, alone, _), (_, both, directory) = trainer.asked
    assert alone == [{}]
    assert [place.keys() for place in both] == [{"OMP_NUM_THREADS"}] * 2
    assert directory == tmp_path


@pytest.mark.parametrize("method", ["random", "grid", "bayes"])
def test_it_is_the_forecast_of_the_trials_that_run(trainer, tmp_path, method):
    config = RANDOM | {"method": method, "parameters": {"x": {"min": 0, "max": 9}, "y": {"values": [1, 2]}}}
    result = run_sweep(trainer, config, output_dir=tmp_path / "sweep", backend="local", sweep_count=6)
    assert trainer.asked[0][0] == [trial.parameters for trial in result.trials]


def test_more_trials_than_are_proposed_in_advance_are_like_those(plan, trainer):
    forecast = plan(sweep_count=100).forecast
    assert len(trainer.asked[0][0]) == 64
    assert forecast.seconds == 6000


def test_early_termination_makes_it_shorter(plan):
    forecast = plan(RANDOM | {"early_terminate": {"type": "hyperband", "min_iter": 1}}).forecast
    assert forecast.whole_seconds == 600
    assert 200 < forecast.seconds < 500
    assert forecast.trials[0] == 60


def test_the_trials_that_end_within_the_time_limit_are_counted(plan):
    assert plan(time_limit="5m").forecast.in_time == 5
    assert plan(time_limit="5m", workers=2).forecast.in_time == 10
    assert plan(time_limit="30s").forecast.in_time == 0


def test_a_sweep_that_is_resumed_has_the_forecast_of_what_is_left(trainer, tmp_path):
    output = tmp_path / "sweep"
    first = run_sweep(trainer, RANDOM, output_dir=output, backend="local", sweep_count=2)
    plan = plan_sweep(trainer, None, output_dir=output, resume=True, sweep_count=5)
    assert len(plan.forecast.trials) == 3
    known = [trial.parameters for trial in first.trials]
    assert all(parameters not in known for parameters in trainer.asked[-1][0])
    done = plan_sweep(trainer, None, output_dir=output, resume=True)
    assert done.forecast is None


def test_it_is_recorded_and_told_to_observers(trainer, tmp_path):
    events = []
    options = {"output_dir": tmp_path / "sweep", "backend": "local", "sweep_count": 2, "observer": events.append}
    run_sweep(trainer, RANDOM, **options)
    recorded = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["forecast"]
    assert (recorded["trials"], recorded["sweep"], recorded["median_trial"]) == (2, 120, 60)
    assert recorded["measured"] == "three steps"
    (started,) = [event for event in events if isinstance(event, SweepStarted)]
    assert started.forecast.to_record() == recorded
    run_sweep(trainer, None, output_dir=tmp_path / "sweep", resume=True, sweep_count=3, dry_run=False)
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text())["forecast"] == recorded


def test_it_is_left_out_if_that_is_wanted_and_if_the_trainer_cannot(plan, trainer, tmp_path):
    assert plan(dry_run=False).forecast is None
    assert trainer.asked == []
    assert plan_sweep(CurveTrainer(), RANDOM, output_dir=tmp_path / "other", backend="local").forecast is None


def test_what_was_found_out_is_a_warning_or_an_error(plan, trainer):
    trainer.problems = (Problem("parameters.eval_steps", "is small", "warning"),)
    assert [str(warning) for warning in plan().warnings] == ["parameters.eval_steps: is small"]
    trainer.error = InvalidInputError([Problem("parameters.x", "out of memory")])
    with pytest.raises(InvalidInputError, match=r"parameters\.x: out of memory"):
        plan()


def test_a_measurement_that_fails_is_a_warning(plan, trainer):
    trainer.error = TimeoutError("no answer within 900 s")
    planned = plan()
    assert planned.forecast is None
    assert [str(warning) for warning in planned.warnings] == [
        "what trials cost could not be measured, so there is no forecast: TimeoutError: no answer within 900 s"
    ]
