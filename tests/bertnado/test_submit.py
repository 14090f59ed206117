"""`bertnado submit`, `sweep-status` and `cancel`, with real training in jobs of this machine and of a real SLURM."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bertnado import api
from bertnado_sweep import plan_sweep
from bertnado_sweep.cluster.records import JobDirectory, Submission
from bertnado_sweep.sweep import begin_plan
from support import slurm
from support.slurm import wait
from support.trainers import CurveTrainer

BERTNADO = Path(sys.executable).parent / "bertnado"


@pytest.fixture
def bertnado(tmp_path):
    """Run a command in a directory of its own; return its exit code, output and messages."""

    def run(*words, **variables):
        ended = subprocess.run(
            [str(word) for word in (BERTNADO, *words)],
            cwd=tmp_path,
            env={
                **os.environ,
                "WANDB_MODE": "disabled",
                "PATH": f"{BERTNADO.parent}:{os.environ['PATH']}",
                **variables,
            },
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return ended.returncode, ended.stdout, ended.stderr

    return run


@pytest.fixture
def inputs(material):
    return (
        "--config-path",
        material / "sweep.json",
        "--dataset",
        material / "dataset",
        "--model-name",
        material / "model",
    )


@pytest.mark.slow
def test_jobs_of_this_machine_train_the_sweep_and_are_followed_to_its_end(bertnado, inputs, tmp_path):
    flags = ("--output-dir", "sweep", "--sweep-count", 2, "--scheduler", "local", "--jobs", 2, "--gpus-per-job", 0)
    code, shown, said = bertnado("submit", *inputs, *flags, "--wait")
    assert code == 0, said
    decoder = json.JSONDecoder()
    submitted, end = decoder.raw_decode(shown)
    result, _ = decoder.raw_decode(shown[end:].lstrip())
    assert (submitted["scheduler"], len(submitted["jobs"])) == ("local", 2)
    assert (result["finished"], result["budget"], result["ended_by"]) == (2, 2, None)
    assert Path(result["best_config_path"]) == tmp_path / "sweep" / "best_sweep_config.json"
    code, shown, _ = bertnado("sweep-status", "--output-dir", "sweep")
    assert code == 0
    assert "jobs: 2 done" in shown
    status = json.loads(bertnado("sweep-status", "--output-dir", "sweep", "--format", "json")[1])
    assert [job["state"] for job in status["jobs"]] == ["done", "done"]
    assert {trial["job"] for trial in status["trials"]} <= set(submitted["jobs"])


@pytest.mark.slow
@pytest.mark.skipif(slurm.missing() is not None, reason=str(slurm.missing()))
def test_a_sweep_at_slurm_is_submitted_cancelled_and_submitted_again(bertnado, inputs, tmp_path):
    with slurm.started() as cluster:
        at = cluster.environment
        flags = ("--output-dir", "sweep", "--sweep-count", 3, "--jobs", 2, "--time", "10:00", "--gpus-per-job", 0)
        code, shown, said = bertnado("submit", *inputs, *flags, **at)
        assert code == 0, said
        assert "watch the jobs: bertnado sweep-status --output-dir sweep" in said
        jobs = json.loads(shown)["jobs"]
        wait(lambda: "running" in bertnado("sweep-status", "--output-dir", "sweep", **at)[1], "a running job")
        code, shown, said = bertnado("cancel", "--output-dir", "sweep", **at)
        assert code == 0, said
        assert (sorted(json.loads(shown)["cancelled"]), json.loads(shown)["not_ended"]) == (jobs, [])
        code, shown, said = bertnado(
            "submit", "--output-dir", "sweep", "--time", "10:00", "--gpus-per-job", 0, "--wait", **at
        )
        assert code == 0, said
    status = json.loads(bertnado("sweep-status", "--output-dir", "sweep", "--format", "json")[1])
    assert (status["finished"], status["budget"]) == (3, 3)
    assert [job["state"] for job in status["jobs"]].count("done") >= 1


def test_mistakes_are_told_before_anything_is_submitted(bertnado, inputs, tmp_path):
    code, _, said = bertnado("submit", *inputs, "--output-dir", "sweep", "--scheduler", "local", "--partition", "gpu")
    assert (code, "--partition requires SLURM, and these jobs run on this machine; remove it" in said) == (2, True)
    code, _, said = bertnado(
        "submit", *inputs[:2], "--output-dir", "sweep", "--dataset", "missing", "--scheduler", "local"
    )
    assert (code, "'missing' does not exist" in said) == (2, True)
    code, _, said = bertnado("cancel", "--output-dir", "sweep")
    assert (code, "does not contain a sweep" in said) == (2, True)
    assert not (tmp_path / "sweep").exists()


@pytest.mark.slow
def test_jobs_that_all_fail_end_waiting_with_one_summary(bertnado, inputs):
    flags = ("--output-dir", "sweep", "--sweep-count", 2, "--scheduler", "local", "--jobs", 2, "--gpus-per-job", 0)
    code, _, said = bertnado("submit", *inputs, *flags, "--setup", "module load cuda", "--wait")
    assert code == 1
    assert said.count("Error: all 2 jobs failed:\n  2 of 2: it ended before it began: Error: the setup of the job") == 1
    assert "Traceback" not in said


@pytest.mark.slow
def test_ctrl_c_ends_the_display_and_not_the_jobs(bertnado, inputs, tmp_path):
    flags = ("--output-dir", "sweep", "--sweep-count", 1, "--scheduler", "local", "--gpus-per-job", 0, "--wait")
    words = [str(word) for word in (BERTNADO, "submit", *inputs, *flags)]
    environment = os.environ | {"WANDB_MODE": "disabled"}
    waiting = subprocess.Popen(words, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True)
    said = ""
    while "watch the jobs" not in said:
        said += waiting.stderr.readline()
    time.sleep(0.5)
    waiting.send_signal(signal.SIGINT)
    said += waiting.communicate(timeout=30)[1]
    assert waiting.returncode == 130
    assert "the jobs go on; end them with: bertnado cancel --output-dir sweep" in said
    wait(lambda: "jobs: 1 done" in bertnado("sweep-status", "--output-dir", "sweep")[1], "the end of the job", 120)


def test_a_scheduler_that_does_not_answer_is_said_in_one_line(bertnado, tmp_path):
    config = {"method": "grid", "metric": {"name": "score", "goal": "maximize"}, "parameters": {"x": {"values": [1]}}}
    begin_plan(plan_sweep(CurveTrainer(), config, output_dir=tmp_path / "sweep", backend="local", dry_run=False))
    directory = JobDirectory.create(tmp_path / "sweep")
    directory.write_submission(Submission(scheduler="slurm", jobs=("7_0",), submitted="2026-11-26T12:00:00+00:00"))
    code, _, said = bertnado("cancel", "--output-dir", "sweep", PATH="/nowhere")
    assert (code, said) == (1, "Error: SLURM's squeue is not installed on this machine; ask on a login node\n")
    code, shown, _ = bertnado("sweep-status", "--output-dir", "sweep", PATH="/nowhere")
    assert code == 0
    assert "7_0 unknown     SLURM's squeue is not installed on this machine" in shown


def test_the_call_refuses_unknown_options(material, tmp_path):
    with pytest.raises(Exception, match="did you mean 'partition'"):
        api.submit_sweep(material / "sweep.json", tmp_path / "sweep", material / "dataset", partiton="gpu")
