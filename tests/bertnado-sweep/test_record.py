"""What is on disk: a directory for each trial that is its own, and a record that reads back as it was."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest
from bertnado_config import SweepConfigError
from bertnado_sweep import Trial
from bertnado_sweep.records.files import claim, make_trial_directory, output_problems, write_trial

AT = datetime(2026, 11, 23, 18, 30, 5, tzinfo=UTC)


def test_a_trial_directory_is_named_after_the_time_and_numbered_within_a_second(tmp_path):
    names = [make_trial_directory(tmp_path, AT).name for _ in range(3)]
    assert names == [f"sweep_2026-11-23_18-30-05{end}" for end in ("", "_2", "_3")]


def test_trials_that_start_at_once_never_share_a_directory(tmp_path):
    with ThreadPoolExecutor(16) as pool:
        made = list(pool.map(lambda _: make_trial_directory(tmp_path, AT), range(64)))
    assert len(set(made)) == 64


def test_a_trial_reads_back_as_it_was_written_also_after_its_sweep_was_moved(tmp_path):
    (tmp_path / "a").mkdir()
    directory = make_trial_directory(tmp_path / "a", AT)
    trial = Trial(
        number=2,
        id="s-2",
        state="completed",
        parameters={"lr": 1e-5, "optimizer": {"beta": 0.9}},
        directory=directory,
        started="2026-11-23T18:30:05+00:00",
        ended="2026-11-23T18:31:05+00:00",
        value=0.1 + 0.2,
        step=20,
        history=({"step": 10, "eval/roc_auc": 0.25},),
        seed=42,
        details={"arguments": {"bf16": False}},
        timings={"total": 60.0},
        checkpoint=directory / "checkpoint",
    )
    record = write_trial(trial)
    assert record == json.loads((directory / "trial.json").read_text())
    assert Trial.from_record(record, tmp_path / "a") == trial
    (tmp_path / "a").rename(tmp_path / "b")
    moved = Trial.from_record(record, tmp_path / "b")
    assert moved.directory == tmp_path / "b" / directory.name
    assert moved.checkpoint == moved.directory / "checkpoint"


def test_a_checkpoint_elsewhere_keeps_its_path(tmp_path):
    trial = Trial(0, "s-0", "completed", {}, tmp_path / "t", "", checkpoint=Path("/models/best"))
    assert Trial.from_record(trial.to_record(), tmp_path).checkpoint == Path("/models/best")


def test_an_output_directory_may_be_missing_empty_or_hold_other_files_and_stays_as_it_is(tmp_path):
    (tmp_path / "sweep_config.json").write_text("{}")
    assert output_problems(tmp_path) == output_problems(tmp_path / "new" / "deep") == []
    assert sorted(tmp_path.iterdir()) == [tmp_path / "sweep_config.json"]


@pytest.mark.parametrize("name", ["sweep.json", "journal.log"])
def test_an_output_directory_with_a_sweeps_record_is_refused_with_the_next_free_name(tmp_path, name):
    output = tmp_path / "sweep"
    output.mkdir()
    (output / name).touch()
    (tmp_path / "sweep_2").mkdir()
    [problem] = output_problems(output)
    assert problem.path == "output_dir"
    assert f"choose another output_dir (for example {tmp_path / 'sweep_3'})" in str(problem)


def test_a_file_in_the_way_is_refused(tmp_path):
    (tmp_path / "file").touch()
    assert "must be a directory, got the file" in str(output_problems(tmp_path / "file")[0])
    assert "is a file" in str(output_problems(tmp_path / "file" / "sweep")[0])


def test_a_place_that_cannot_be_written_is_refused():
    place = Path("/proc/sys")
    if not place.is_dir():
        pytest.skip("needs a directory that even root cannot write to")
    [problem] = output_problems(place / "sweep")
    assert "is not writable" in problem.message


RECORD = {
    "sweep_id": "a",
    "backend": "local",
    "objective": {"name": "score", "goal": "maximize"},
    "budget": 1,
    "seed": 1,
    "config": {},
}


def test_of_two_sweeps_that_begin_at_once_in_one_directory_one_is_refused(tmp_path):
    claim(tmp_path / "sweep", RECORD)
    with pytest.raises(SweepConfigError, match="already contains a sweep"):
        claim(tmp_path / "sweep", RECORD | {"sweep_id": "b"})
    claim(tmp_path / "sweep", RECORD)
    assert json.loads((tmp_path / "sweep" / "sweep.json").read_text()) == RECORD | {"format": 1}
    assert [path.name for path in (tmp_path / "sweep").iterdir()] == ["sweep.json"]


def test_importing_the_package_loads_none_of_the_heavy_libraries():
    program = "import sys, bertnado_sweep; print({'torch', 'transformers', 'wandb', 'optuna'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def test_a_whole_sweep_with_its_model_and_its_tracking_loads_no_training_framework(tmp_path):
    program = """
import sys
from bertnado_sweep import run_sweep
run_sweep(lambda parameters, report: parameters["x"], {"method": "bayes", "metric": {"name": "s", "goal": "maximize"},
          "parameters": {"x": {"min": 0.0, "max": 1.0}}}, output_dir=sys.argv[1], sweep_count=10)
assert not {"torch", "transformers"} & set(sys.modules)
"""
    environment = os.environ | {"WANDB_MODE": "offline"}
    subprocess.run([sys.executable, "-c", program, str(tmp_path / "sweep")], check=True, env=environment)
