"""What training logs is kept in `trial.json`, in a bounded number of rows, over all attempts of a trial."""

import math
from itertools import pairwise

import pytest
from bertnado_config import TrialResult, read_json, write_json
from bertnado_sweep import Interrupted, recorded_status, run_sweep
from bertnado_sweep.records.files import TRIAL_FILE, read_training_log, read_trial
from bertnado_sweep.running.training_log import MOST_ROWS, TrainingLog
from support.trainers import SavingTrainer

CONFIG = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2]}},
}


def logged(steps, log=None):
    log = log or TrainingLog()
    for step in steps:
        log.add(step, {"train/loss": 1 / step})
    return log


def test_every_row_is_kept_while_there_are_few():
    rows = logged(range(10, 1000, 10)).rows
    assert [row["step"] for row in rows] == list(range(10, 1000, 10))
    assert rows[4] == {"step": 50, "train/loss": 0.02}


@pytest.mark.parametrize("count", [MOST_ROWS + 1, 5_000, 40_001])
def test_many_rows_are_thinned_evenly_and_the_latest_one_stays(count):
    steps = [row["step"] for row in logged(range(1, count + 1)).rows]
    assert MOST_ROWS / 2 <= len(steps) <= MOST_ROWS
    assert (steps[0], steps[-1]) == (1, count)
    assert len({after - before for before, after in pairwise(steps[:-1])}) == 1


def test_a_log_that_is_continued_stays_even():
    whole, first = logged(range(1, 3_001)), logged(range(1, 1_501))
    resumed = TrainingLog()
    resumed.continue_from(first.rows)
    steps = [row["step"] for row in logged(range(1_501, 3_001), resumed).rows]
    assert {after - before for before, after in pairwise(steps[:-1])} == {8}
    assert abs(len(steps) - len(whole.rows) + 1) <= 1


def test_what_is_no_number_is_left_out_and_infinity_is_a_gap():
    log = TrainingLog()
    log.add(1, {"train/loss": math.inf, "train/learning_rate": "fast", "train/epoch": 0.5})
    log.add(2, {"train/epoch": 1.0})
    assert log.rows == ({"step": 1, "train/loss": None},)


def test_it_is_in_trial_json_and_read_back_but_not_in_the_journal(tmp_path):
    def train(parameters, report):
        report.started(3, {})
        for step in (1, 2, 3):
            report.progress(step)
            report.progress(step, {"train/loss": parameters["x"] / step, "train/learning_rate": 0.1})
        return TrialResult(1.0, step=3)

    result = run_sweep(train, CONFIG, output_dir=tmp_path / "sweep", backend="local")
    expected = [{"step": step, "train/loss": 2 / step, "train/learning_rate": 0.1} for step in (1, 2, 3)]
    path = result.trials[1].directory / TRIAL_FILE
    assert read_json(path)["training_log"] == expected
    assert list(read_trial(path, tmp_path / "sweep").training_log) == expected
    assert "training_log" not in (tmp_path / "sweep" / "journal.log").read_text()
    assert recorded_status(tmp_path / "sweep").trials == result.trials
    assert [trial.total_steps for trial in recorded_status(tmp_path / "sweep").trials] == [3, 3]


def test_a_record_without_it_is_read(tmp_path):
    result = run_sweep(lambda p, report: p["x"], CONFIG, output_dir=tmp_path / "sweep", backend="local")
    path = result.best.directory / TRIAL_FILE
    record = read_json(path)
    write_json(path, {key: value for key, value in record.items() if key not in ("training_log", "total_steps")})
    assert read_trial(path, tmp_path / "sweep") == result.best
    assert not read_training_log(result.best.directory)


def test_the_next_attempt_continues_it_from_the_step_of_the_training_state(tmp_path):
    one = CONFIG | {"parameters": {"x": {"values": [1]}}}
    where = {"output_dir": tmp_path / "sweep", "backend": "local", "save_state_every": 0.001}
    with pytest.raises(Interrupted):
        run_sweep(SavingTrainer(interrupted_at=12), one, **where)
    [trial] = run_sweep(SavingTrainer(), one, **where, resume=True).trials
    assert trial.attempt == 2
    steps = [row["step"] for row in read_training_log(trial.directory)]
    assert steps == list(range(1, 41))


def test_a_trial_that_starts_again_begins_its_log_anew(tmp_path):
    def train(parameters, report):
        for count in (3, 2):
            report.started(count, {})
            for step in range(1, count + 1):
                report.progress(step, {"train/loss": count})
        return TrialResult(1.0, step=2)

    [trial, _] = run_sweep(train, CONFIG, output_dir=tmp_path / "sweep", backend="local").trials
    assert [row["train/loss"] for row in read_training_log(trial.directory)] == [2, 2]
