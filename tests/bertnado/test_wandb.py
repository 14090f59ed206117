"""Real training in a true sweep at W&B: the unmodified client and its agents, against a server on loopback."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
import wandb
from bertnado import api
from bertnado.cli import main
from bertnado_config import read_best_config
from bertnado_sweep.testing.fixtures import wandb_server as server
from bertnado_sweep.testing.wandb_server import ENTITY
from click.testing import CliRunner

__all__ = ["server"]

SCRIPTS = Path(sys.executable).parent
SWEEP = {
    "name": "promoters",
    "method": "grid",
    "metric": {"name": "eval/roc_auc", "goal": "maximize"},
    "parameters": {
        "learning_rate": {"values": [1e-3, 2e-3]},
        "lr_scheduler_type": {"value": "constant"},
        "per_device_train_batch_size": {"value": 32},
        "max_steps": {"value": 6},
        "eval_steps": {"value": 2},
        "logging_steps": {"value": 1},
        "training_args": {"parameters": {"max_grad_norm": {"values": [0.5, 2.0]}}},
    },
}


@pytest.fixture
def place(material, tmp_path, server, monkeypatch):
    """A working directory with `model`, `dataset` and `sweep.json`, and a server; it comes back."""
    here = tmp_path / "here"
    here.mkdir()
    (here / "model").symlink_to(material / "model")
    (here / "dataset").symlink_to(material / "dataset")
    (here / "sweep.json").write_text(json.dumps(SWEEP))
    monkeypatch.chdir(here)
    monkeypatch.delenv("WANDB_DIR")
    return here


def run_sweep(**options):
    arguments = {
        "config_path": "sweep.json",
        "output_dir": "output",
        "dataset": "dataset",
        "model_name": "model",
        "project_name": "dna",
        "sweep_count": 1,
        "dry_run": False,
    }
    return api.run_sweep(**(arguments | options))


def effective_arguments(path):
    return json.loads(Path(path).read_text())["details"]["arguments"]


@pytest.mark.usefixtures("place")
def test_a_value_that_the_server_changed_is_the_optimisers(server):
    server.choose = lambda sweep, chosen: chosen | {"learning_rate": 0.00123, "training_args": {"max_grad_norm": 0.25}}
    found = run_sweep()
    assert found["best_config"]["learning_rate"] == 0.00123
    (run,) = server.runs.values()
    assert {row["train/learning_rate"] for row in run.history if "train/learning_rate" in row} == {0.00123}
    (trial,) = Path("output").glob("sweep_*/trial.json")
    arguments = effective_arguments(trial)
    assert (arguments["learning_rate"], arguments["max_grad_norm"]) == (0.00123, 0.25)


@pytest.mark.usefixtures("place")
def test_the_run_shows_evaluations_arguments_and_the_datasets_fingerprint(server):
    found = run_sweep()
    (run,) = server.runs.values()
    assert (run.group, run.job_type) == ("binary_classification", "sweep")
    assert run.display_name == f"promoters-{run.name}"
    assert [row["_step"] for row in run.history if "eval/roc_auc" in row] == [2, 4, 6]
    assert run.summary["eval/roc_auc"] == found["metric_value"]
    assert run.config["bertnado"]["arguments"]["max_steps"] == 6
    assert len(run.config["bertnado"]["dataset"]["fingerprint"]) == 32
    assert set(run.config) == {*SWEEP["parameters"], "bertnado"}


@pytest.mark.usefixtures("place")
def test_what_wandb_found_best_is_what_the_final_model_trains_with(server):
    found = run_sweep(sweep_count=3)
    exported = read_best_config("output/best_sweep_config.json").parameters
    assert set(exported) == set(SWEEP["parameters"])
    trained = api.train_model("train", "dataset", found["best_config_path"], "model", project_name="dna")
    arguments = effective_arguments(trained["metrics_path"])
    for name in ("learning_rate", "lr_scheduler_type", "per_device_train_batch_size", "max_steps", "eval_steps"):
        assert arguments[name] == exported[name]
    assert arguments["max_grad_norm"] == exported["training_args"]["max_grad_norm"]
    assert trained["metric_value"] == found["metric_value"]
    (final,) = [run for run in server.runs.values() if run.job_type == "full_train"]
    assert (final.state, final.group, final.project) == ("finished", "binary_classification", "dna")
    assert final.summary["eval/roc_auc"] == trained["metric_value"]


def wandb_agent(sweep_id, count):
    """Start W&B's own command-line agent, as anybody would in the current directory."""
    command = [SCRIPTS / "wandb", "agent", f"{ENTITY}/dna/{sweep_id}", "--count", str(count)]
    environment = os.environ | {"PATH": f"{SCRIPTS}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_plain_wandb_agent_joins_the_sweep(place, server):
    found = run_sweep()
    with wandb_agent(found["sweep_id"], count=1) as agent:
        said, _ = agent.communicate(timeout=120)
    assert agent.returncode == 0, said
    first, second = server.runs_of(found["sweep_id"])
    assert (second.state, second.exitcode) == ("finished", 0), said
    assert first.config["training_args"] != second.config["training_args"]
    records = [json.loads(path.read_text()) for path in sorted(place.glob("output/sweep_*/trial.json"))]
    assert [record["id"] for record in records] == [first.name, second.name]
    assert second.summary["eval/roc_auc"] == records[1]["value"]
    best = json.loads((place / "output" / "best_sweep_details.json").read_text())
    assert best["value"] == max(record["value"] for record in records)


@pytest.mark.slow
def test_a_plain_wandb_agent_works_in_any_directory(place, server, tmp_path, monkeypatch):
    found = run_sweep()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    monkeypatch.chdir(elsewhere)
    with wandb_agent(found["sweep_id"], count=1) as agent:
        said, _ = agent.communicate(timeout=120)
    assert agent.returncode == 0, said
    assert [run.state for run in server.runs_of(found["sweep_id"])] == ["finished", "finished"], said
    assert len(list(place.glob("output/sweep_*/trial.json"))) == 2


@pytest.mark.slow
def test_the_sigterm_of_wandbs_agent_ends_a_trial_with_its_best_value(place, server, monkeypatch):
    monkeypatch.setenv("WANDB__FILE_STREAM_TRANSMIT_INTERVAL", "1")
    (place / "sweep.json").write_text(
        json.dumps(SWEEP | {"parameters": SWEEP["parameters"] | {"max_steps": {"value": 100_000}}})
    )
    server.choose = lambda sweep, chosen: chosen | ({"max_steps": 2} if sweep.handed_out == 1 else {})
    found = run_sweep()
    with wandb_agent(found["sweep_id"], count=1) as agent:
        try:
            deadline = time.monotonic() + 100
            while len(server.runs) < 2 or not list(server.runs.values())[1].history:
                assert time.monotonic() < deadline
                time.sleep(0.1)
            server.stop_run(list(server.runs.values())[1].name)
            said, _ = agent.communicate(timeout=60)
        finally:
            agent.kill()
    run = list(server.runs.values())[1]
    assert (run.state, run.exitcode) == ("finished", 0), said
    record = json.loads(sorted(place.glob("output/sweep_*/trial.json"))[1].read_text())
    assert record["state"] == "stopped"
    assert run.summary["eval/roc_auc"] == record["value"] == max(row["eval/roc_auc"] for row in record["history"])


def test_sweep_status_lists_trials_and_exports_the_best(place, server):
    found = run_sweep(sweep_count=2)
    (place / "output" / "best_sweep_config.json").unlink()
    path = f"{ENTITY}/dna/{found['sweep_id']}"
    shown = CliRunner().invoke(main, ["sweep-status", "--sweep-id", path, "--output-dir", "output", "--export"])
    assert shown.exit_code == 0, shown.output
    lines = shown.output.splitlines()
    assert lines[0].startswith(f"sweep {found['sweep_id']} (")
    assert sum(line.startswith("*") for line in lines) == 1
    assert read_best_config("output/best_sweep_config.json").parameters == {
        name: value for name, value in found["best_config"].items() if name in SWEEP["parameters"]
    }
    shown = CliRunner().invoke(main, ["sweep-status", "--output-dir", "output"])
    assert shown.exit_code == 0, shown.output
    parameters = [line for line in lines if "=" in line]
    assert [line for line in shown.output.splitlines() if "=" in line] == parameters != []


def test_offline_runs_are_uploaded_and_each_is_reported(place, server):
    run_sweep(backend="local", sweep_count=2)
    wandb.teardown()
    first, second = sorted(place.glob("output/wandb/offline-run-*/run-*.wandb"))
    first.write_bytes(first.read_bytes()[:7])
    done = CliRunner().invoke(main, ["sync", "--output-dir", "output"])
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines() == [
        f"{first.stem[4:]} (trial 1) has nothing to upload: its process was killed before the run began",
        f"{second.stem[4:]} (trial 2) uploaded",
    ]
    server.fail("UpsertBucket", errors="the project is full")
    second.with_name(f"{second.name}.synced").unlink()
    done = CliRunner().invoke(main, ["sync", "--output-dir", "output"])
    assert done.exit_code == 1
    assert "(trial 2) could not be uploaded: " in done.stdout
    assert done.stderr == "Error: some runs could not be uploaded; run the command again to try them again\n"


@pytest.mark.usefixtures("place")
def test_check_and_run_sweep_join_by_id_without_a_sweep_file(server):
    found = run_sweep()
    flags = ["--sweep-id", f"{ENTITY}/dna/{found['sweep_id']}", "--output-dir", "joined", "--dataset", "dataset"]
    shown = CliRunner().invoke(main, ["check", *flags, "--model-name", "model", "--sweep-count", "1"])
    assert shown.exit_code == 0, shown.output
    assert f"joins         {ENTITY}/dna/{found['sweep_id']}" in shown.output
    assert len(server.runs) == 1
    done = CliRunner().invoke(main, ["run-sweep", *flags, "--model-name", "model", "--sweep-count", "1"])
    assert done.exit_code == 0, done.output
    assert len(server.runs) == 2
    assert f"at W&B: {server.url}/{ENTITY}/dna/sweeps/{found['sweep_id']}" in done.stderr


def test_a_sweep_that_wandb_refuses_is_one_message_and_exit_code_1(place, server):
    server.fail("UpsertSweep", errors="the project is full")
    flags = ["--config-path", "sweep.json", "--output-dir", "out", "--dataset", "dataset", "--model-name", "model"]
    failed = CliRunner().invoke(main, ["run-sweep", *flags])
    assert failed.exit_code == 1
    assert failed.stderr.splitlines()[-1].startswith("Error: W&B did not create the sweep: ")
    assert "the project is full" in failed.stderr
    assert "Traceback" not in failed.output


def test_neither_a_file_nor_an_id_is_said(place):
    refused = CliRunner().invoke(
        main, ["run-sweep", "--output-dir", "x", "--dataset", "dataset", "--model-name", "model"]
    )
    assert refused.exit_code == 2
    assert "a sweep file is required, --config-path; or the id of a sweep at W&B, --sweep-id" in refused.output
