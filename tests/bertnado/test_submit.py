"""`bertnado submit`, `sweep-status` and `cancel`, with real training in jobs of this machine and of a real SLURM."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from bertnado import api
from support import slurm
from support.slurm import wait

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


def test_the_call_refuses_unknown_options(material, tmp_path):
    with pytest.raises(Exception, match="did you mean 'partition'"):
        api.submit_sweep(material / "sweep.json", tmp_path / "sweep", material / "dataset", partiton="gpu")
