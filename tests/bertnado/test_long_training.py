"""A sweep and a final training that are interrupted give, once they have gone on, what they give in one go."""

import json
import os
import signal

import pytest
from bertnado import api
from bertnado.cli import main
from bertnado_config import SweepConfigError
from bertnado_sweep import Interrupted
from bertnado_sweep.running.events import Note, TrialProgress
from click.testing import CliRunner

SWEEP = {
    "method": "random",
    "metric": {"name": "eval/roc_auc", "goal": "maximize"},
    "parameters": {"learning_rate": {"min": 1e-4, "max": 1e-2}, "max_steps": {"value": 24}, "eval_steps": {"value": 4}},
}
BEST = {"learning_rate": 1e-3, "max_steps": 24, "eval_steps": 4, "metric_for_best_model": "roc_auc"}


class Listener:
    """Hears what is told, and interrupts this process at a step."""

    def __init__(self, step=None):
        self.step, self.notes = step, []

    def __call__(self, event):
        if isinstance(event, Note):
            self.notes.append(event.text)
        if isinstance(event, TrialProgress) and event.step == self.step:
            self.step = None
            os.kill(os.getpid(), signal.SIGINT)


def left_behind(directory):
    return [path for path in directory.rglob("*training_state*") if path.is_file()]


@pytest.fixture
def sweep(material, tmp_path):
    """Run a sweep of one trial."""
    path = tmp_path / "long.json"
    path.write_text(json.dumps(SWEEP))

    def run(name, listener=None, **options):
        asked = {"model_name": str(material / "model"), "sweep_count": 1, "backend": "local", "observer": listener}
        api.run_sweep(path, tmp_path / name, material / "dataset", **(asked | options))
        records = [json.loads(file.read_text()) for file in (tmp_path / name).glob("sweep_*/trial.json")]
        return max(records, key=lambda record: record["attempt"])

    return run


@pytest.mark.slow
def test_a_trial_that_was_interrupted_has_the_history_and_the_value_of_one_that_was_not(sweep, tmp_path):
    whole = sweep("whole")
    for resume, step in ((False, 7), (True, 15)):
        with pytest.raises(Interrupted):
            sweep("parts", Listener(step), resume=resume)
        assert len(left_behind(tmp_path)) == 1
    listener = Listener()
    last = sweep("parts", listener, resume=True)
    assert (last["value"], last["step"], last["history"]) == (whole["value"], whole["step"], whole["history"])
    began = [row["from_step"] for row in last["attempts"]]
    assert began[0] == 0 < began[1] < began[2]
    assert f"trial 1 continues from step {began[2]}" in listener.notes
    assert left_behind(tmp_path) == []


@pytest.fixture
def train(material, tmp_path):
    """Train the final model."""
    path = tmp_path / "best.json"
    path.write_text(json.dumps(BEST))

    def run(name, listener=None, **options):
        asked = {"best_config_path": path, "model_name": str(material / "model"), "observer": listener}
        trained = api.train_model(tmp_path / name, material / "dataset", **(asked | options))
        return json.loads((tmp_path / name / "metrics.json").read_text()), trained

    return run


def test_a_final_training_goes_on_when_the_command_is_repeated(train, tmp_path):
    whole, _ = train("whole")
    for step in (9, 20):
        with pytest.raises(Interrupted):
            train("parts", Listener(step))
        assert left_behind(tmp_path) == [tmp_path / "parts" / "training_state"]
        assert not (tmp_path / "parts" / "model").exists()
    listener = Listener()
    parts, _ = train("parts", listener)
    assert {name: parts[name] for name in ("validation", "test", "best_step", "objective")} == {
        name: whole[name] for name in ("validation", "test", "best_step", "objective")
    }
    assert "training continues from step 20" in listener.notes
    assert left_behind(tmp_path) == []


def test_a_state_that_does_not_fit_is_said_and_the_final_training_begins_anew(train, tmp_path):
    with pytest.raises(Interrupted):
        train("parts", Listener(9))
    listener = Listener()
    train("parts", listener, seed=3)
    state = tmp_path / "parts" / "training_state"
    why = "belongs to another training run: parameters.seed was None, and is 3"
    assert f"training begins anew: its training state {state} {why}" in listener.notes


def test_without_training_states_an_interruption_ends_it_at_once(train, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        train("parts", Listener(9), save_state_every="never")
    assert left_behind(tmp_path) == []


def test_an_interval_that_is_none_is_a_mistake(train):
    with pytest.raises(SweepConfigError, match=r"save_state_every must be a duration .*, or never, got 'sometimes'"):
        train("parts", save_state_every="sometimes")


def test_a_time_limit_before_any_value_is_an_early_end_and_no_failure(material, tmp_path):
    path = tmp_path / "long.json"
    path.write_text(json.dumps({**SWEEP, "parameters": {**SWEEP["parameters"], "max_steps": {"value": 10**6}}}))
    inputs = ["--model-name", str(material / "model"), "--dataset", str(material / "dataset"), "--no-dry-run"]
    sweep = ["--config-path", str(path), "--output-dir", str(tmp_path / "out"), "--backend", "local"]
    ended = CliRunner().invoke(main, ["run-sweep", *inputs, *sweep, "--time-limit", "1s"])
    assert ended.exit_code == 3
    assert "no trial has a value when the time limit ended the sweep" in ended.stderr
