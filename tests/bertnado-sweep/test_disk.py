"""A disk that is too small, or becomes full: said before the start, survived later."""

import os
import subprocess
from dataclasses import dataclass

import pytest
from bertnado_config import SweepConfigError, read_json
from bertnado_sweep import NoEligibleTrialError, TooManyFailuresError, recorded_status, run_sweep
from support.trainers import CurveTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2, 3, 4]}},
}


@dataclass
class LargeTrainer(CurveTrainer):
    """Says what its checkpoints take."""

    checkpoint_bytes: int = 10**18


@pytest.mark.parametrize(
    ("options", "count"),
    [({}, 2), ({"keep_checkpoints": "all"}, 4), ({"keep_checkpoints": "none"}, 1), ({"workers": 3}, 4)],
)
def test_checkpoints_that_have_no_room_are_said_before_the_start(tmp_path, options, count):
    with pytest.raises(SweepConfigError, match=rf"must have room for .* \({count} of 1000000000\.0 GB\), got .* GB;"):
        run_sweep(LargeTrainer(), GRID, output_dir=tmp_path / "sweep", backend="local", **options)
    assert not (tmp_path / "sweep").exists()


def test_checkpoints_that_have_room_are_no_problem(tmp_path):
    assert run_sweep(LargeTrainer(checkpoint_bytes=10), GRID, output_dir=tmp_path / "sweep", backend="local").trials


def fill(path):
    """Write until there is no room."""
    with path.open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_a_trial_that_fills_the_disk_fails_with_the_reason_and_the_others_are_whole(small_disk):
    def train(parameters, report):
        if parameters["x"] != 2:
            return parameters["x"]
        scratch = report.directory / "weights"
        try:
            return fill(scratch)
        finally:
            scratch.unlink()

    result = run_sweep(train, GRID, output_dir=small_disk / "sweep", backend="local")
    assert [trial.state for trial in result.trials] == ["completed", "failed", "completed", "completed"]
    assert result.trials[1].error == "OSError: [Errno 28] No space left on device"
    assert read_json(result.best_config_path)["x"] == 4


def test_a_disk_that_stays_full_ends_the_sweep_and_it_goes_on_when_there_is_room(small_disk):
    output, filler = small_disk / "sweep", small_disk / "filler"

    def train(parameters, report):
        if parameters["x"] == 3:
            fill(filler)
        return parameters["x"]

    with pytest.raises((OSError, NoEligibleTrialError, TooManyFailuresError), match="No space left on device"):
        run_sweep(train, GRID, output_dir=output, backend="local")
    assert [trial.value for trial in recorded_status(output).trials[:2]] == [1, 2]
    assert read_json(output / "best_sweep_config.json")["x"] == 2
    filler.unlink()
    result = run_sweep(lambda parameters, report: parameters["x"], GRID, output_dir=output, resume=True)
    assert [trial.value for trial in result.trials if trial.state == "completed"][-1] == 4
    assert [trial.number for trial in result.trials] == [0, 1, 2, 3]


def test_a_disk_that_becomes_read_only_ends_the_sweep_and_it_goes_on_later(small_disk):
    output = small_disk / "sweep"

    def train(parameters, report):
        if parameters["x"] == 3:
            subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        return parameters["x"]

    with pytest.raises(OSError, match=rf"Read-only file system: '{output}"):
        run_sweep(train, GRID, output_dir=output, backend="local")
    assert [trial.value for trial in recorded_status(output).trials[:2]] == [1, 2]
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    result = run_sweep(lambda parameters, report: parameters["x"], GRID, output_dir=output, resume=True)
    assert [trial.value for trial in result.trials] == [1, 2, 3, 4]


def test_a_journal_that_was_full_in_mid_line_is_read_again(small_disk):
    output, filler = small_disk / "sweep", small_disk / "filler"
    run_sweep(lambda parameters, report: parameters["x"], GRID, output_dir=output, backend="local", sweep_count=2)
    journal, block = output / "journal.log", os.statvfs(small_disk).f_bsize
    last = journal.read_bytes().splitlines(keepends=True)[-1]
    while -journal.stat().st_size % block < 100:  # the end of a trial once more changes nothing
        journal.write_bytes(journal.read_bytes() + last)
    with pytest.raises(OSError, match="No space left"):
        fill(filler)
    room = -journal.stat().st_size % block  # of its last block
    with journal.open("ab") as file:
        file.write(b'{"op_code": 5, "x": "' + b"y" * max(room - 40, 1))
    filler.unlink()
    result = run_sweep(lambda parameters, report: parameters["x"], GRID, output_dir=output, resume=True, sweep_count=4)
    assert [trial.value for trial in result.trials] == [1, 2, 3, 4]
