"""The scripts of docs/cluster.md, run as SLURM runs them, but without SLURM."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from bertnado_sweep import recorded_status

PAGE = Path(__file__).parents[2] / "docs" / "cluster.md"
pytestmark = pytest.mark.slow

NODE, ARRAY = [
    script for script in re.findall(r"```bash\n(.*?)```", PAGE.read_text(), re.DOTALL) if script.startswith("#!")
]


@pytest.fixture
def submit(material, tmp_path):
    """Start a script in a directory of its own, with the small model."""
    programs = [Path(sys.executable).parent, os.environ["PATH"]]
    processes = []

    def start(script, **variables):
        (tmp_path / "job.sh").write_text(script)
        places = {"SWEEP": material / "sweep.json", "DATASET": material / "dataset", "MODEL": material / "model"}
        known = {name: str(value) for name, value in (places | variables).items()}
        path = {"PATH": os.pathsep.join(map(str, programs)), "WANDB_MODE": "disabled"}
        process = subprocess.Popen(
            ["bash", "job.sh"],
            cwd=tmp_path,
            env=os.environ | path | known,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def end(process):
    said, _ = process.communicate(timeout=200)
    assert process.returncode == 0, said
    return said


def test_one_node_begins_the_sweep_and_a_second_submission_goes_on_with_it(submit, tmp_path):
    end(submit(NODE, TRIALS=2))
    assert "best_sweep_config.json" in end(submit(NODE, TRIALS=2))
    trials = recorded_status(tmp_path / "output" / "sweep").trials
    assert [(trial.number, trial.state) for trial in trials] == [(0, "completed"), (1, "completed")]


def test_an_array_shares_one_sweep(submit, tmp_path):
    tasks = [submit(ARRAY, TRIALS=3, SLURM_ARRAY_TASK_ID=task) for task in (3, 1)]
    for task in tasks:
        end(task)
    trials = recorded_status(tmp_path / "output" / "sweep").trials
    assert [(trial.number, trial.state) for trial in trials] == [(number, "completed") for number in range(3)]


def test_a_mistake_ends_every_task_of_an_array(submit, tmp_path):
    tasks = [submit(ARRAY, DATASET="missing") for _ in range(2)]
    for task in tasks:
        said, _ = task.communicate(timeout=200)
        assert task.returncode == 2
        assert "'missing' does not exist" in said
    assert not (tmp_path / "output" / "sweep" / "sweep.json").exists()
