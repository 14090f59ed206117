"""What a person sees."""

import io
import logging
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bertnado.display import Display, describe_parameters
from bertnado.pace import Pace, describe_estimate, describe_seconds
from bertnado_config import Forecast, Problem, TrialForecast, parse_sweep_config
from bertnado_metrics import Objective
from bertnado_sweep import SweepForecast, Trial
from bertnado_sweep.running.events import (
    Note,
    RunStarted,
    SweepStarted,
    TrialEnded,
    TrialEvaluated,
    TrialProgress,
    TrialStarted,
)
from rich.console import Console

AUC = Objective("eval/roc_auc", "maximize")
HERE = Path("somewhere")
CONFIG = parse_sweep_config(
    {
        "method": "random",
        "parameters": {
            "learning_rate": {"min": 1e-5, "max": 1e-3},
            "epochs": {"values": [3, 5]},
            "eval_steps": {"value": 100},
            "training_args": {"parameters": {"seed": {"values": [1, 2]}}},
        },
    }
)
SAME = {"eval_steps": 100, "training_args": {"seed": 1}}


def trial(number, value, state="completed", error=None):
    return Trial(
        number=number,
        id=f"abc-{number}",
        state=state,
        parameters={},
        directory=HERE,
        started="",
        value=value,
        step=20,
        error=error,
    )


STAMP = "2026-11-26 05:04:00 "


def show(events, terminal=False, seconds_per_look=0.0, width=120):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=width, highlight=False, color_system=None)
    ticks = iter(range(10_000))
    with Display(
        console, clock=lambda: next(ticks) * seconds_per_look, now=lambda: datetime(2026, 11, 26, 5, 4, tzinfo=UTC)
    ) as display:
        for event in events:
            display(event)
    return out.getvalue()


def lines(shown):
    """The lines without their time stamps, which all of them have."""
    said = shown.splitlines()
    assert all(line.startswith(STAMP) for line in said)
    return [line.removeprefix(STAMP) for line in said]


SWEEP = [
    SweepStarted("abc", 2, AUC, HERE, CONFIG, (Problem("metric", "is odd", "warning"),)),
    TrialStarted(0, "abc-0", {"learning_rate": 3.21e-5, "epochs": 3} | SAME, HERE),
    TrialProgress(0, 20, 40),
    TrialEvaluated(0, 20, 0.91234, {}),
    TrialEnded(trial(0, 0.91234), trial(0, 0.91234)),
    TrialStarted(1, "abc-1", {"learning_rate": 1e-4, "epochs": 5} | SAME, HERE),
    TrialEnded(trial(1, None, "failed", "ValueError: no"), trial(0, 0.91234)),
]


def test_without_a_terminal_there_are_lines_with_the_time():
    assert lines(show(SWEEP)) == [
        "Warning: metric: is odd",
        "sweep abc: 2 trials, maximize eval/roc_auc",
        "trial 1 of 2: epochs=3 learning_rate=3.21e-05 training_args.seed=1",
        "  completed: eval/roc_auc 0.9123 at step 20 (0 s)",
        "1 of 2 trials, best 0.9123",
        "trial 2 of 2: epochs=5 learning_rate=0.0001 training_args.seed=1",
        "  failed: ValueError: no (0 s)",
        "2 of 2 trials, 1 failed, best 0.9123",
    ]


def test_a_trial_of_another_space_is_shown_with_what_it_has():
    started = TrialStarted(0, "abc-0", {"epochs": 3, "eval_steps": 50, "decay": 0.1}, HERE)
    assert lines(show([SWEEP[0], started]))[-1] == "trial 1 of 2: decay=0.1 epochs=3 eval_steps=50"


def test_a_trial_that_is_to_be_tried_again_after_all_does_not_count():
    again = TrialEnded(trial(1, None, "interrupted", "failure of the machine: ValueError: no"), trial(0, 0.91234))
    said = lines(show([*SWEEP, again]))
    assert said[-2] == "  interrupted: failure of the machine: ValueError: no"
    assert said[-1].startswith("1 of 2 trials, best 0.9123")


def test_a_sweep_begins_with_its_forecast_and_the_time_left():
    each = TrialForecast(90.0)
    measured = Forecast([each] * 2, TrialForecast(60.0), TrialForecast(120.0))
    forecast = SweepForecast(measured, (90.0, 90.0), (90.0, 45.0), 1, 100.0)
    said = lines(show([replace(SWEEP[0], forecast=forecast), *SWEEP[1:5]]))
    assert said[1] == (
        "forecast: a trial 60 s to 2 min, median 90 s; the sweep 2 min for 2 trials with early termination, 3 min at "
        "most; 1 of 2 trials end within 2 min"
    )
    shown = show([replace(SWEEP[0], forecast=forecast), SWEEP[1]], terminal=True)
    assert "2 min left" in shown


def test_without_a_terminal_a_long_silence_is_broken_by_an_evaluation():
    assert "  step 20 of 40: eval/roc_auc 0.9123" in lines(show(SWEEP, seconds_per_look=11))


def test_a_terminal_shows_trials_done_the_running_step_the_best_and_the_time_left():
    shown = show(SWEEP[:5], terminal=True, seconds_per_look=30)
    for part in ("1/2", "20/40", "eval/roc_auc 0.9123", "best 0.9123", "left"):
        assert part in shown


def test_a_narrow_terminal_shows_everything_in_one_line():
    shown = show(
        [replace(SWEEP[0], budget=40, finished=10), *SWEEP[1:5], *SWEEP[5:], SWEEP[1]],
        terminal=True,
        seconds_per_look=200,
        width=56,
    )
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown)
    found = {line.strip() for line in text.splitlines() if "12/40" in line}
    assert all(
        re.fullmatch(r"trials  ━╸     12/40 1 failed, best 0\.9123, [\d.]+ (h|min) left", line) for line in found
    )
    assert found
    assert max(map(len, found)) <= 56


def test_trials_that_run_at_once_are_told_apart():
    shown = show(
        [
            SWEEP[0],
            SWEEP[1],
            SWEEP[5],
            TrialProgress(0, 20, 40),
            TrialEvaluated(0, 20, 0.9, {}),
            SWEEP[4],
            SWEEP[6],
        ],
        seconds_per_look=11,
    )
    assert "  trial 1 step 20 of 40: eval/roc_auc 0.9000" in lines(shown)
    assert "  trial 1 completed: eval/roc_auc 0.9123 at step 20 (1 min 06 s)" in lines(shown)


def test_trials_of_other_processes_count():
    said = lines(show([*SWEEP[:4], replace(SWEEP[4], finished=2)]))
    assert said[-1] == "2 of 2 trials, best 0.9123"


def test_without_a_terminal_a_minute_of_silence_is_broken_by_a_step():
    assert "  step 20 of 40" in lines(show([*SWEEP[:3], SWEEP[2]], seconds_per_look=70))


def test_notes_are_said():
    assert lines(show([Note("something")])) == ["something"]


def test_what_is_done_before_the_first_trial_is_said_and_nothing_afterwards():
    out = io.StringIO()
    log = logging.getLogger("bertnado_train.training_setup")
    with Display(Console(file=out, width=120), now=lambda: datetime(2026, 11, 26, 5, 4, tzinfo=UTC)):
        log.info("loading the model %s", "m")
        log.warning("something else")
    log.info("no longer")
    assert lines(out.getvalue()) == ["loading the model m ..."]


def test_a_training_run_says_what_it_trains_with_and_where_that_comes_from():
    started = RunStarted("abc", AUC, {"epochs": 3}, HERE, notes=("taken from somewhere: seed=7",))
    assert lines(show([started])) == ["taken from somewhere: seed=7", "training: epochs=3"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (190, "3 min 10 s"), (3600, "1 h 00 min"), (7530, "2 h 05 min")]
)
def test_durations_are_written_as_a_person_says_them(seconds, text):
    assert describe_seconds(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (99, "99 s"), (190, "3 min"), (5400, "90 min"), (7200, "2.0 h"), (4e5, "4.6 days")],
)
def test_estimates_are_short(seconds, text):
    assert describe_estimate(seconds) == text


class TestPace:
    """The estimate of the time that is left."""

    @pytest.fixture
    def clock(self):
        return [1000.0]

    @pytest.fixture
    def pace(self, clock):
        return Pace(lambda: clock[0])

    def test_before_the_first_trial_has_ended_there_is_none(self, pace, clock):
        pace.start(0)
        clock[0] += 10
        assert pace.seconds_left(5) is None

    def test_the_time_before_the_first_trial_does_not_count(self, pace, clock):
        clock[0] += 500
        pace.start(0)
        clock[0] += 10
        assert pace.end(0, is_counted=True) == 10
        assert pace.seconds_left(4) == 40

    def test_it_counts_down_while_a_trial_runs_and_never_below_the_trials_after_it(self, pace, clock):
        pace.start(0)
        clock[0] += 10
        pace.end(0, is_counted=True)
        pace.start(1)
        clock[0] += 4
        assert pace.seconds_left(4) == 36
        clock[0] += 60
        assert pace.seconds_left(4) == 30

    def test_trials_that_run_at_once_share_the_rest(self, pace, clock):
        pace.start(0)
        pace.start(1)
        clock[0] += 10
        pace.end(0, is_counted=True)
        pace.end(1, is_counted=True)
        assert pace.seconds_left(4) == 20
        assert pace.seconds_left(1) == 10

    def test_an_interrupted_trial_tells_nothing(self, pace, clock):
        pace.start(0)
        clock[0] += 10
        pace.end(0, is_counted=False)
        assert pace.seconds_left(4) is None

    def test_with_a_forecast_the_rest_is_known_before_a_trial_has_ended(self, pace, clock):
        pace.expect([10, 20, 30, 40], workers=2)
        assert pace.seconds_left(4) == 50
        pace.start(0)
        clock[0] += 4
        assert pace.seconds_left(4) == 48

    def test_trials_that_take_longer_than_their_forecast_correct_it(self, pace, clock):
        pace.expect([10] * 10, workers=1)
        expected = [100.0]
        for number in range(6):
            pace.start(number)
            clock[0] += 20
            pace.end(number, is_counted=True)
            expected.append(pace.seconds_left(9 - number))
        assert expected[1] == 135  # the forecast counts like one more trial of 10 s
        assert expected[6] == pytest.approx(4 * 20, rel=0.1)

    def test_more_trials_than_the_forecast_has_are_like_its_mean(self, pace):
        pace.expect([10, 20], workers=1)
        assert pace.seconds_left(4) == 60

    def test_at_the_end_nothing_is_left_to_estimate(self, pace, clock):
        pace.start(0)
        pace.end(0, is_counted=True)
        assert pace.seconds_left(0) is None


def test_parameters_are_one_line():
    shown = describe_parameters({"b": 1.23456e-5, "a": True, "c": {"d": 2.0}})
    assert shown == "a=True b=1.235e-05 c.d=2"
