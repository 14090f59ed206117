"""What a person sees."""

import io
from pathlib import Path

import pytest
from bertnado.display import Display, describe_parameters, describe_seconds
from bertnado_config import Problem, parse_sweep_config
from bertnado_metrics import Objective
from bertnado_sweep import Trial
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


def show(events, terminal=False, seconds_per_look=0.0):
    out = io.StringIO()
    console = Console(file=out, force_terminal=terminal, width=120, highlight=False, color_system=None)
    ticks = iter(range(10_000))
    with Display(console, clock=lambda: next(ticks) * seconds_per_look) as display:
        for event in events:
            display(event)
    return out.getvalue()


SWEEP = [
    SweepStarted("abc", 2, AUC, HERE, CONFIG, (Problem("metric", "is odd", "warning"),)),
    TrialStarted(0, "abc-0", {"learning_rate": 3.21e-5, "epochs": 3} | SAME, HERE),
    TrialProgress(0, 20, 40),
    TrialEvaluated(0, 20, 0.91234, {}),
    TrialEnded(trial(0, 0.91234), trial(0, 0.91234)),
    TrialStarted(1, "abc-1", {"learning_rate": 1e-4, "epochs": 5} | SAME, HERE),
    TrialEnded(trial(1, None, "failed", "ValueError: no"), trial(0, 0.91234)),
]


def test_without_a_terminal_there_are_plain_lines():
    assert show(SWEEP).splitlines() == [
        "Warning: metric: is odd",
        "sweep abc: 2 trials, maximize eval/roc_auc",
        "trial 1 of 2: epochs=3 learning_rate=3.21e-05 training_args.seed=1",
        "  completed: eval/roc_auc 0.9123 at step 20 (0 s)",
        "trial 2 of 2: epochs=5 learning_rate=0.0001 training_args.seed=1",
        "  failed: ValueError: no (0 s)",
    ]


def test_a_trial_of_another_space_is_shown_with_what_it_has():
    started = TrialStarted(0, "abc-0", {"epochs": 3, "eval_steps": 50, "decay": 0.1}, HERE)
    assert show([SWEEP[0], started]).splitlines()[-1] == "trial 1 of 2: decay=0.1 epochs=3 eval_steps=50"


def test_without_a_terminal_a_long_silence_is_broken_by_an_evaluation():
    assert "  step 20 of 40: eval/roc_auc 0.9123" in show(SWEEP, seconds_per_look=11).splitlines()


def test_a_terminal_shows_trials_done_the_running_step_the_best_and_the_time_left():
    shown = show(SWEEP[:5], terminal=True, seconds_per_look=30)
    for part in ("1/2", "20/40", "eval/roc_auc 0.9123", "best 0.9123 (trial 1)", "left"):
        assert part in shown


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
    assert "  trial 1 step 20 of 40: eval/roc_auc 0.9000" in shown.splitlines()
    assert "  trial 1 completed: eval/roc_auc 0.9123 at step 20 (55 s)" in shown.splitlines()


def test_notes_are_said():
    assert show([Note("something")]).splitlines() == ["something"]


def test_a_training_run_says_what_it_trains_with_and_where_that_comes_from():
    started = RunStarted("abc", AUC, {"epochs": 3}, HERE, notes=("taken from somewhere: seed=7",))
    assert show([started]).splitlines() == ["taken from somewhere: seed=7", "training: epochs=3"]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.4, "0 s"), (59, "59 s"), (190, "3 min 10 s"), (3600, "1 h 00 min"), (7530, "2 h 05 min")]
)
def test_durations_are_written_as_a_person_says_them(seconds, text):
    assert describe_seconds(seconds) == text


def test_parameters_are_one_line():
    shown = describe_parameters({"b": 1.23456e-5, "a": True, "c": {"d": 2.0}})
    assert shown == "a=True b=1.235e-05 c.d=2"
