"""The end of a sweep says what the best trial is worth."""

from pathlib import Path

import pytest
from bertnado_config import TrialResult
from bertnado_metrics import Judgement, Objective
from bertnado_sweep import Trial, run_sweep
from bertnado_sweep.records.winner import winner_notes
from bertnado_sweep.running.events import Note

AUC = Objective("eval/roc_auc", "maximize")
CONFIG = {
    "method": "grid",
    "metric": {"name": "eval/roc_auc", "goal": "maximize"},
    "parameters": {"rate": {"values": [0.6, 0.7, 0.75, 0.78]}},
}
JUDGEMENT = Judgement(("calls every validation row positive (mcc 0)",), (0.72, 0.83), 300)
INTERVAL = "eval/roc_auc 0.78 has an approximate 95% interval of 0.72 to 0.83 on 300 validation rows"
LINES = [
    "Warning: the best trial, number 4, calls every validation row positive (mcc 0)",
    f"{INTERVAL}; trials within it: 2 of 4",
]


def train(parameters, report):
    value = parameters["rate"]
    report(1, value)
    return TrialResult(value, 1, details={"judgement": JUDGEMENT.to_record()})


def trial(number, value, state="completed", judgement=None):
    details = {} if judgement is None else {"judgement": judgement}
    return Trial(number, f"t{number}", state, {}, Path("t"), "2026-01-01T00:00:00Z", value=value, details=details)


def test_a_sweep_ends_with_what_its_best_trial_is_worth(tmp_path):
    events = []
    run_sweep(train, CONFIG, output_dir=tmp_path, backend="local", workers=1, observer=events.append)
    notes = [event.text for event in events if isinstance(event, Note)]
    assert notes[-2:] == LINES


def test_trials_without_a_value_do_not_count():
    best = trial(2, 0.8, judgement=Judgement((), (0.7, 0.9), 50).to_record())
    others = [trial(0, 0.75), trial(1, None, "failed"), trial(3, 0.85, "interrupted"), trial(4, 0.5)]
    (line,) = winner_notes([*others, best], best, AUC)
    assert line.endswith("; trials within it: 2 of 3")


@pytest.mark.parametrize("judgement", [None, "good", {"findings": 3}, Judgement((), None, 9).to_record()])
def test_without_a_judgement_nothing_is_said(judgement):
    best = trial(0, 0.8, judgement=judgement)
    assert winner_notes([best], best, AUC) == []
