"""What is recorded of a trial costs the same, however many trials a sweep has had."""

import pytest
from bertnado_config import TrialResult
from bertnado_sweep import run_sweep
from bertnado_sweep.backends.local import entries
from bertnado_sweep.records import best

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}


def train(parameters, report):
    for step in range(1, 4):
        report(step, parameters["x"])
    checkpoint = report.directory / "checkpoint"
    checkpoint.mkdir()
    return TrialResult(parameters["x"], step=3, checkpoint=checkpoint)


@pytest.fixture
def count(monkeypatch):
    """Count the calls of a function."""
    calls = {}

    def watch(module, name):
        real = getattr(module, name)

        def counted(*arguments):
            calls[name] = calls.get(name, 0) + 1
            return real(*arguments)

        monkeypatch.setattr(module, name, counted)

    watch(entries, "read_record")
    watch(best, "remove_checkpoint")
    return calls


def test_each_record_is_parsed_once_and_each_checkpoint_compared_once(tmp_path, count):
    options = {"output_dir": tmp_path / "sweep", "backend": "local"}
    run_sweep(train, CONFIG, sweep_count=20, **options)
    assert count["read_record"] == 20 * 2  # as it began, and as it ended
    assert count["remove_checkpoint"] == 20 - 1
    count.clear()
    result = run_sweep(train, CONFIG, sweep_count=30, resume=True, **options)
    assert count["read_record"] == 20 + 10 * 2
    assert count["remove_checkpoint"] == 30 - 1
    kept = list((tmp_path / "sweep").glob("sweep_*/checkpoint"))
    assert kept == [result.best.checkpoint]
