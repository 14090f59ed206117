"""`Sweeper` samples by itself outside an agent of W&B, and trains with W&B's choice inside one."""

import json
import os
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml
from bertnado_config import SweepConfigError, TrainingInputs, TrialResult
from bertnado_sweep import Sweeper, SweepResult
from bertnado_sweep.running import installed_trainers as trainers

FILE = {
    "method": "random",
    "metric": {"name": "eval/roc_auc"},
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-3},
        "optimizer": {"parameters": {"beta": {"values": [0.9, 0.99]}}},
    },
}


class Trainer:
    def check(self, config, objective):
        return []

    def open(self):
        return self

    def run(self, parameters, report):
        report(1, parameters["learning_rate"])
        return TrialResult(parameters["learning_rate"], step=1)


@pytest.fixture
def config_path(tmp_path):
    path = tmp_path / "sweep.json"
    path.write_text(json.dumps(FILE))
    return path


def sweeper(config_path, tmp_path, **arguments):
    arguments = {"trainer": Trainer()} | arguments
    return Sweeper(config_path, tmp_path / "out", "model", "data", "binary_classification", "dna", **arguments)


def test_outside_an_agent_it_runs_a_sweep(config_path, tmp_path):
    result = sweeper(config_path, tmp_path).run(3)
    assert isinstance(result, SweepResult)
    assert len(result.trials) == 3
    assert (result.objective.name, result.objective.goal) == ("eval/roc_auc", "maximize")
    record = json.loads((tmp_path / "out" / "sweep.json").read_text())
    assert record["application"] == {
        "model_name": "model",
        "dataset": "data",
        "task_type": "binary_classification",
        "trust_remote_code": False,
        "precision": "auto",
    }
    assert (record["project"], record["group"]) == ("dna", "binary_classification")


def test_the_arguments_are_stronger_than_the_file_and_the_file_than_the_task(config_path, tmp_path):
    result = sweeper(config_path, tmp_path, metric_name="loss").run(2)
    assert (result.objective.name, result.objective.goal) == ("eval/loss", "minimize")


def test_a_metric_that_the_task_does_not_compute_is_refused_before_anything_starts(config_path, tmp_path):
    with pytest.raises(SweepConfigError, match="pearson"):
        sweeper(config_path, tmp_path, metric_name="eval/pearson").run(2)
    assert not (tmp_path / "out").exists()


def test_the_trainer_of_another_package_is_found_by_its_entry_point(monkeypatch):
    entry = EntryPoint("huggingface", "builtins:dict", trainers.ENTRY_POINTS)
    monkeypatch.setattr(trainers, "entry_points", lambda **wanted: [entry] if wanted["name"] == entry.name else [])
    arguments = {"model_name": "m", "dataset": "d", "task_type": "t", "seed": 1, "precision": "auto"}
    arguments |= {"trust_remote_code": False, "uppercase": True, "rna_to_dna": False}
    arguments |= {"max_length": 9, "too_long": "truncate"}
    inputs = TrainingInputs(**arguments)
    assert trainers.find_trainer(inputs) == dict(inputs)


def test_without_a_trainer_the_error_says_what_to_install(config_path, tmp_path, monkeypatch):
    monkeypatch.setattr(trainers, "entry_points", lambda **wanted: [])
    with pytest.raises(ImportError, match="pip install bertnado-train"):
        sweeper(config_path, tmp_path, trainer=None)


AGENT_PROGRAM = """
import json, sys
from pathlib import Path
from bertnado_config import TrialResult
from bertnado_sweep import Sweeper

class Trainer:
    def check(self, config, objective): return []
    def open(self): return self
    def run(self, parameters, report):
        Path("trained.json").write_text(json.dumps(parameters))
        if "fail" in sys.argv:
            raise RuntimeError("boom")
        report.started(2, {"arguments": {"bf16": True}})
        report(1, 0.9, {"eval/roc_auc": 0.9, "eval/loss": 0.1})
        report(2, 0.5, {"eval/roc_auc": 0.5, "eval/loss": 0.2})
        return TrialResult(0.9, step=1)

trial = Sweeper("sweep.json", "out", "m", "d", "binary_classification", "dna", trainer=Trainer()).run(5)
print(trial.state)
"""


def run_as_the_command_line_agent_does(directory, args, *words):
    """Hand the parameters over as wandb's `wandb_agent.py` does: a file, and where it is in the environment."""
    handed = directory / "wandb" / "sweep-s1" / "config-r1.yaml"
    handed.parent.mkdir(parents=True)
    handed.write_text(yaml.safe_dump({"wandb_version": 1} | {key: {"value": value} for key, value in args.items()}))
    environment = os.environ | {
        "WANDB_MODE": "offline",
        "WANDB_SWEEP_ID": "s1",
        "WANDB_RUN_ID": "r1",
        "WANDB_SWEEP_PARAM_PATH": str(handed),
    }
    return subprocess.run(
        [sys.executable, "-c", AGENT_PROGRAM, *words],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


CHANGED = {"learning_rate": 0.125, "optimizer": {"beta": 0.5, "more": 1}, "not_declared": 3}
"""Values that no one would sample from the file: the server changed them."""


def test_inside_an_agent_it_trains_once_with_exactly_what_wandb_chose(config_path, tmp_path, read_runs):
    done = run_as_the_command_line_agent_does(tmp_path, CHANGED)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "completed"
    trained = json.loads((tmp_path / "trained.json").read_text())
    assert trained == {"learning_rate": 0.125, "optimizer": {"beta": 0.5}}
    [run] = read_runs(tmp_path / "out").values()
    assert (run.run.run_id, run.run.sweep_id) == ("r1", "s1")
    assert (run.run.run_group, run.run.job_type) == ("binary_classification", "sweep")
    assert run.config["learning_rate"] == 0.125
    assert run.config["bertnado"]["arguments"] == {"bf16": True}
    assert [row["eval/roc_auc"] for row in run.history] == [0.9, 0.5]
    assert (run.summary["eval/roc_auc"], run.exit_code) == (0.9, 0)
    [record] = [json.loads(path.read_text()) for path in (tmp_path / "out").glob("sweep_*/trial.json")]
    assert (record["id"], record["state"], record["value"], record["parameters"]) == ("r1", "completed", 0.9, trained)


def test_a_trial_that_fails_inside_an_agent_ends_its_run_as_failed_and_does_not_raise(config_path, tmp_path, read_runs):
    done = run_as_the_command_line_agent_does(tmp_path, CHANGED, "fail")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "failed")
    [run] = read_runs(tmp_path / "out").values()
    assert (run.exit_code, "eval/roc_auc" in run.summary) == (1, False)
    [path] = (tmp_path / "out").glob("sweep_*/error.txt")
    assert "RuntimeError: boom" in Path(path).read_text()


def test_a_choice_of_wandb_that_lacks_a_parameter_is_an_error_of_the_run(config_path, tmp_path, read_runs):
    done = run_as_the_command_line_agent_does(tmp_path, {"learning_rate": 0.125})
    assert done.returncode != 0
    assert "a value is missing for optimizer.beta" in done.stderr
    [run] = read_runs(tmp_path / "out").values()
    assert run.exit_code == 1
