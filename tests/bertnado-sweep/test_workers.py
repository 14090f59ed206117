"""How workers share a sweep's trials and a machine's GPUs."""

import pytest
from bertnado_sweep import run_sweep
from bertnado_sweep.workers import shares, visible_gpus
from support.trainers import DeviceTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2, 3, 4]}},
}


@pytest.mark.parametrize(
    ("budget", "workers", "expected"), [(5, 2, [3, 2]), (6, 3, [2, 2, 2]), (2, 4, [1, 1]), (1, 1, [1])]
)
def test_trials_are_shared_evenly_and_none_is_added(budget, workers, expected):
    assert shares(budget, workers) == expected


def test_the_visible_gpus_are_those_that_the_environment_names(monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3, 5")
    assert visible_gpus() == ["3", "5"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert visible_gpus() == []


def test_each_worker_is_a_process_with_a_gpu_of_its_own(server, tmp_path, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,5")
    arguments = {"output_dir": tmp_path / "sweep", "backend": "wandb", "project_name": "dna"}
    result = run_sweep(DeviceTrainer(), GRID, workers=2, sweep_count=2, **arguments)
    assert {trial.details["gpus"] for trial in result.trials} == {"3", "5"}
    assert len({trial.details["process"] for trial in result.trials}) == 2


def test_a_trial_at_a_time_is_what_the_local_backend_does_so_far(tmp_path):
    with pytest.raises(ValueError, match="--workers 2 needs the wandb backend so far"):
        run_sweep(DeviceTrainer(), GRID, output_dir=tmp_path / "sweep", backend="local", workers=2)
