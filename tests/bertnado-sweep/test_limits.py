"""What ends a sweep before its budget is met: failures, and time."""

import math
import time

import pytest
from bertnado_config import SweepConfigError
from bertnado_sweep import NoEligibleTrialError, TooManyFailuresError, plan_sweep, run_sweep
from support.trainers import CurveTrainer, FailingTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": list(range(12))}},
}


@pytest.fixture
def sweep(tmp_path):
    def run(train, config=GRID, **options):
        return run_sweep(train, config, output_dir=tmp_path / "sweep", backend="local", **options)

    return run


def failing_at(*numbers, reason="no such file"):
    def train(parameters, report):
        if parameters["x"] in numbers:
            raise ValueError(reason.format(**parameters))
        return parameters["x"]

    return train


class TestFailures:
    """The circuit breaker."""

    def test_three_failures_for_one_reason_at_the_beginning_end_the_sweep_with_that_reason(self, sweep, tmp_path):
        with pytest.raises(TooManyFailuresError) as caught:
            sweep(failing_at(*range(12)))
        assert str(caught.value).splitlines()[:2] == [
            "the first 3 trials failed for the same reason, so the sweep ends:",
            "  3 of 3: ValueError: no such file",
        ]
        assert len(list(tmp_path.glob("sweep/sweep_*"))) == 3

    @pytest.mark.parametrize("train", [failing_at(0, 1), failing_at(1, 2, 3), failing_at(0, 1, 2, reason="at {x}")])
    def test_other_failures_do_not(self, sweep, train):
        assert len(sweep(train).trials) == 12

    def test_as_many_failures_as_were_allowed_end_it_and_the_best_is_exported(self, sweep, tmp_path):
        with pytest.raises(TooManyFailuresError, match="4 trials failed, so the sweep ends"):
            sweep(failing_at(1, 3, 5, 7, reason="at {x}"), max_failures=4)
        assert len(list(tmp_path.glob("sweep/sweep_*"))) == 8
        assert (tmp_path / "sweep" / "best_sweep_config.json").exists()

    def test_workers_end_with_one_summary_too(self, sweep):
        with pytest.raises(TooManyFailuresError, match="the first 3 trials failed for the same reason"):
            sweep(FailingTrainer(), workers=2)

    def test_a_sweep_that_is_resumed_may_fail_anew(self, sweep):
        with pytest.raises(TooManyFailuresError):
            sweep(failing_at(0, 1, 2))
        assert sweep(failing_at(0, 1, 2), resume=True).best.value == 11

    def test_no_number_of_failures_is_refused(self, sweep):
        with pytest.raises(SweepConfigError, match="max_failures must be at least 1, got 0"):
            sweep(failing_at(), max_failures=0)


def test_a_value_that_is_no_number_fails_and_the_model_moves_away_from_it(sweep):
    config = {**GRID, "method": "bayes", "parameters": {"x": {"min": 0.0, "max": 1.0}}}
    result = sweep(lambda p, report: math.nan if p["x"] > 0.5 else p["x"], config, sweep_count=40)
    later = [trial for trial in result.trials if trial.number >= 20]
    assert result.best.parameters["x"] <= 0.5
    assert sum(trial.state == "failed" for trial in later) < len(later) / 2


class TestTimeLimit:
    """`time_limit`."""

    def test_no_trial_is_started_that_would_not_end_in_time(self, sweep):
        begin = time.monotonic()
        result = sweep(CurveTrainer(shares=(1.0,), pause=1.0), time_limit=3.5)
        assert {trial.state for trial in result.trials} == {"completed"}
        assert 1 <= len(result.trials) <= 3
        assert (result.ended_by, result.finished, result.budget) == ("the time limit", len(result.trials), 12)
        assert time.monotonic() - begin < 30

    def test_what_runs_at_its_end_is_interrupted_and_can_be_resumed(self, sweep):
        with pytest.raises(NoEligibleTrialError, match="1 of 1: interrupted"):
            sweep(CurveTrainer((1.0,) * 50, pause=0.4), time_limit="1s", sweep_count=1)
        assert sweep(CurveTrainer(), sweep_count=1, resume=True).trials[0].attempt == 2

    @pytest.mark.slow
    def test_it_holds_for_workers_together(self, sweep):
        with pytest.raises(NoEligibleTrialError):
            sweep(CurveTrainer((1.0,) * 50, pause=1.0), time_limit="8s", workers=2)

    @pytest.mark.parametrize(
        ("said", "seconds"),
        [
            (90, 90),
            (1.5, 1.5),
            ("45", 45),
            ("45s", 45),
            ("90m", 5400),
            ("3h30m", 12600),
            ("3h 30min", 12600),
            ("2d", 172800),
            ("12:00:00", 43200),
            ("12:00", 720),
            ("1-00:00:00", 86400),
            ("1-12", 129600),
            ("1-12:30", 131400),
            ("90:00", 5400),
        ],
    )
    def test_durations(self, tmp_path, said, seconds):
        plan = plan_sweep(CurveTrainer(), GRID, output_dir=tmp_path / "sweep", backend="local", time_limit=said)
        assert plan.options.time_limit == seconds

    @pytest.mark.parametrize("said", ["", "soon", "3 weeks", "0s", 0, -1, "-5m", "1-", "1:2:3:4", "00:00:00", "12:00h"])
    def test_what_is_none_is_refused_with_examples(self, sweep, said):
        with pytest.raises(
            SweepConfigError, match=f"must be a duration .*, got {said!r}; for example 3h30m, 90m, 2d or 12"
        ):
            sweep(CurveTrainer(), time_limit=said)
