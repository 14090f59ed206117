"""The journal and the `trial.json` of each trial are two records of one sweep: each repairs the other."""

import json
import math
import shutil
from contextlib import suppress

import pytest
from bertnado_config import SweepConfigError, TrialResult, read_best_config, read_json, write_json
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.backends.local.journal import open_journal
from bertnado_sweep.running.events import Note, SweepStarted
from bertnado_sweep.running.limits import StorageError

CONFIG = {
    "method": "bayes",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}
DONE, BUDGET = 4, 6


def train(parameters, report):
    report(1, parameters["x"] / 2)
    return TrialResult(parameters["x"], step=1)


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """A finished sweep, and one that was interrupted in its fourth trial."""
    place = tmp_path_factory.mktemp("originals")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        run_sweep(train, CONFIG, output_dir=place / "done", backend="local", sweep_count=DONE)
        trained = []

        def interrupted(parameters, report):
            trained.append(parameters)
            if len(trained) == DONE:
                report(1, parameters["x"] / 2)
                raise KeyboardInterrupt
            return train(parameters, report)

        with suppress(KeyboardInterrupt):
            run_sweep(interrupted, CONFIG, output_dir=place / "interrupted", backend="local", sweep_count=DONE)
        # as if it had been killed: the end of the last trial was not written
        records = [(path, read_json(path)) for path in (place / "interrupted").glob("sweep_*/trial.json")]
        [(path, record)] = [(path, record) for path, record in records if record["state"] == "interrupted"]
        write_json(path, record | {"state": "running", "ended": None, "history": []})
        journal = place / "interrupted" / "journal.log"
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(lines[:-2]))
    return place


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


@pytest.fixture
def done(originals, output):
    shutil.copytree(originals / "done", output)
    return recorded_status(originals / "done").trials


@pytest.fixture
def interrupted(originals, output):
    shutil.copytree(originals / "interrupted", output)
    return recorded_status(originals / "interrupted").trials


def go_on(output, **options):
    """Resume a sweep; how many trials were trained, its result, and its notes."""
    trained, heard = [], []

    def counted(parameters, report):
        trained.append(parameters)
        return train(parameters, report)

    given = {"output_dir": output, "backend": "local", "sweep_count": BUDGET, "resume": True} | options
    result = run_sweep(counted, CONFIG, observer=heard.append, **given)
    [started] = [event for event in heard if isinstance(event, SweepStarted)]
    return len(trained), result, (*started.notes, *(event.text for event in heard if isinstance(event, Note)))


def values(trials):
    return [(trial.number, trial.value) for trial in trials]


def is_read_by_optuna(output):
    storage = open_journal(output)
    [study] = storage.get_all_studies()
    entries = storage.get_all_trials(study._study_id)
    return all(entry.state.is_finished() for entry in entries)


def check_that_nothing_was_lost(output, before, *, trained=BUDGET - DONE):
    """Resume, and see that what was finished is there, that as much was trained as was left, and no more."""
    count, result, _ = go_on(output)
    assert count == trained
    assert values(result.trials)[: len(before)] == values(before)
    assert [trial.number for trial in result.trials] == list(range(BUDGET))
    assert len({trial.parameters["x"] for trial in result.trials}) == BUDGET
    best = max(result.trials, key=lambda trial: trial.value)
    assert read_best_config(output / "best_sweep_config.json").parameters == best.parameters
    assert recorded_status(output).trials == result.trials
    assert recorded_status(output).warnings == ()
    assert is_read_by_optuna(output)


# the journal

DAMAGES = {
    "blank": lambda lines, n: [*lines[:n], b"\n", *lines[n:]],
    "lost": lambda lines, n: [*lines[:n], *lines[n + 1 :]],
    "twice": lambda lines, n: [*lines[:n], lines[n], *lines[n:]],
    "merged with the next": lambda lines, n: [*lines[:n], lines[n].rstrip(b"\n"), *lines[n + 1 :]],
    "cut in the middle": lambda lines, n: [*lines[:n], lines[n][: len(lines[n]) // 2], *lines[n + 1 :]],
    "cut, with a line break": lambda lines, n: [*lines[:n], lines[n][: len(lines[n]) // 2] + b"\n", *lines[n + 1 :]],
    "NUL bytes": lambda lines, n: [*lines[:n], b"\0" * 200 + b"\n", *lines[n:]],
    "NUL bytes within": lambda lines, n: [*lines[:n], b"\0" * 20 + lines[n][20:], *lines[n + 1 :]],
    "something else": lambda lines, n: [
        *lines[:n],
        b"[1, 2]\n",
        b'"text"\n',
        b"{}\n",
        b'{"op_code": 99}\n',
        *lines[n:],
    ],
    "the rest is gone": lambda lines, n: lines[:n],
}


def damage(output, how, number):
    journal = output / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(DAMAGES[how](lines, number)))


def line_count(originals, name):
    return len((originals / name / "journal.log").read_bytes().splitlines())


@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("number", [0, 1, 6, 12])
def test_a_damaged_journal_loses_nothing(done, output, how, number):
    damage(output, how, number)
    assert values(recorded_status(output).trials) == values(done)
    check_that_nothing_was_lost(output, done)


@pytest.mark.slow
@pytest.mark.parametrize("how", DAMAGES)
@pytest.mark.parametrize("name", ["done", "interrupted"])
def test_any_line_of_a_journal_may_be_damaged(originals, tmp_path, name, how):
    before = recorded_status(originals / name).trials
    finished = [trial for trial in before if trial.is_counted]
    for number in range(line_count(originals, name)):
        output = tmp_path / str(number)
        shutil.copytree(originals / name, output)
        damage(output, how, number)
        assert values(recorded_status(output).trials)[: len(finished)] == values(finished)
        check_that_nothing_was_lost(output, finished, trained=BUDGET - len(finished))


def test_the_damaged_line_is_named_and_the_journal_set_aside(done, output):
    damage(output, "cut, with a line break", 3)
    damaged = (output / "journal.log").read_bytes()
    [warning] = recorded_status(output).warnings
    journal, what = output / "journal.log", "line 4 is not exactly one JSON object"
    assert warning == f"{journal} is damaged: {what}; --resume repairs it"
    _, _, notes = go_on(output)
    [note] = [note for note in notes if "damaged" in note]
    assert note == (
        f"{journal} was damaged ({what}) and was rewritten with {DONE} finished trials; "
        f"the damaged file is journal.log.damaged-1"
    )
    assert (output / "journal.log.damaged-1").read_bytes() == damaged
    damage(output, "blank", 3)
    go_on(output)
    assert (output / "journal.log.damaged-2").exists()


def test_a_lost_end_of_a_trial_makes_nobody_wait(done, output):
    journal = output / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    ends = [n for n, line in enumerate(lines) if b'"state":"completed"' in line.replace(b" ", b"")]
    journal.write_bytes(b"".join(line for n, line in enumerate(lines) if n != ends[-1]))
    check_that_nothing_was_lost(output, done)


def test_a_journal_that_is_damaged_while_somebody_works_with_it_ends_the_work_with_the_cure(output):
    def spoil(parameters, report):
        with (output / "journal.log").open("ab") as file:
            file.write(b"nonsense\n")
        return parameters["x"]

    with pytest.raises(StorageError, match=r"journal\.log is damaged \(.*\); end all processes of this sweep"):
        run_sweep(spoil, CONFIG, output_dir=output, backend="local", sweep_count=2)
    result = run_sweep(train, CONFIG, output_dir=output, backend="local", resume=True)
    assert len(result.trials) == 2


def test_a_damaged_journal_is_not_repaired_while_others_work(done, output):
    from bertnado_sweep.records.presence import Presence

    damage(output, "blank", 3)
    damaged = (output / "journal.log").read_bytes()
    other = Presence(output)
    other.come()
    with pytest.raises(SweepConfigError, match=r"journal\.log line 4 is empty, and other processes work on this sweep"):
        go_on(output)
    assert (output / "journal.log").read_bytes() == damaged
    other.leave()
    check_that_nothing_was_lost(output, done)


@pytest.mark.parametrize("how", ["gone", "emptied", "cut in half"])
def test_a_journal_that_lacks_finished_trials_is_not_gone_on_with_beside_others(done, output, how):
    """Alone it would be repaired; beside others nobody may, and their trials must not be trained again."""
    from bertnado_sweep.records.presence import Presence

    journal = output / "journal.log"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.unlink()
    if how != "gone":
        journal.write_bytes(b"".join(lines[: len(lines) // 2]) if how == "cut in half" else b"")
    other = Presence(output)
    other.come()
    for options in ({"join": True}, {"resume": True}):
        with pytest.raises(SweepConfigError, match=r"journal\.log .*, and other processes work on this sweep"):
            run_sweep(train, None, output_dir=output, **options)
    assert journal.exists() == (how != "gone")
    other.leave()
    check_that_nothing_was_lost(output, done)


def test_a_trial_of_another_sweep_in_the_journal_is_not_one_of_this(done, output):
    journal = output / "journal.log"
    text = journal.read_text()
    stolen = json.loads(next(line for line in text.splitlines() if '"completed"' in line))
    stolen["user_attr"]["trial"] |= {"id": "other-9", "number": 9, "sweep_id": "other", "value": 5.0}
    begin = next(json.loads(line) for line in text.splitlines() if json.loads(line)["op_code"] == 4)
    count = sum(json.loads(line)["op_code"] == 4 for line in text.splitlines())
    journal.write_text(text + json.dumps(begin) + "\n" + json.dumps(stolen | {"trial_id": count}) + "\n")
    assert values(recorded_status(output).trials) == values(done)


def test_a_directory_that_another_sweep_takes_ends_the_first_which_writes_nothing_there(output, tmp_path):
    def taken(parameters, report):
        output.rename(tmp_path / "moved")
        run_sweep(train, CONFIG, output_dir=output, backend="local", sweep_count=2, seed=2)
        return 5.0

    with pytest.raises(StorageError, match=r"so (this one|it) ends here"):
        run_sweep(taken, CONFIG, output_dir=output, backend="local", sweep_count=3)
    sweep_id = read_json(output / "sweep.json")["sweep_id"]
    assert {read_json(path)["sweep_id"] for path in output.glob("sweep_*/trial.json")} == {sweep_id}
    assert len(recorded_status(output).trials) == 2
    assert read_json(output / "best_sweep_details.json")["sweep_id"] == sweep_id


@pytest.mark.parametrize("place", ["journal.log", ".workers.lock", ".beginners.lock"])
def test_a_pipe_in_the_place_of_a_file_of_ours_is_said(done, output, place):
    import os

    (output / place).unlink()
    os.mkfifo(output / place)
    with pytest.raises(SweepConfigError, match=rf"{place} must be a regular file"):
        go_on(output)


@pytest.mark.parametrize(
    "changes",
    [
        {"value": "0.5"},
        {"number": "1"},
        {"history": [{"score": "n/a", "step": 1}, {"score": [1], "step": 2}, {"score": 10**400, "step": 3}]},
        {"checkpoint": "a\0b"},
        {"directory": "d" * 5000},
    ],
    ids=lambda changes: next(iter(changes)),
)
@pytest.mark.parametrize("keep", ["both", "trial.json"])
def test_odd_values_in_a_record_end_in_no_traceback(done, output, changes, keep):
    path = output / done[1].directory.name / "trial.json"
    write_json(path, read_json(path) | changes)
    if keep == "trial.json":
        (output / "journal.log").unlink()
    recorded_status(output)
    _, result, _ = go_on(output)
    assert len(result.trials) == BUDGET
    assert all(trial.value is None or isinstance(trial.value, float) for trial in recorded_status(output).trials)


# trial.json

FILES = {
    "empty": "",
    "half": '{"number": 1, "id": ',
    "an empty object": "{}",
    "a list": "[1]",
    "null": "null",
    "text": '"completed"',
    "not UTF-8": b"\xff\xfe\x00",
    "NUL bytes": b"\0" * 100,
    "a number of no trial": '{"number": -1}',
    "nested without end": "[" * 10_000,
    "a directory": None,
    "gone": "",
}


def spoil(path, how):
    path.unlink()
    if how == "a directory":
        path.mkdir()
        (path / "x").touch()
    elif how != "gone":
        content = FILES[how]
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


@pytest.mark.parametrize("how", FILES)
def test_a_damaged_record_of_a_finished_trial_is_made_anew_from_the_journal(done, output, how):
    path = output / done[1].directory.name / "trial.json"
    record = read_json(path)
    spoil(path, how)
    status = recorded_status(output)
    assert values(status.trials) == values(done)
    assert [str(path) in warning for warning in status.warnings] == ([] if how == "gone" else [True])
    _, _, notes = go_on(output, sweep_count=DONE)
    assert read_json(path) == record
    aside = path.with_name("trial.json.damaged-1")
    assert aside.exists() == (how != "gone")
    assert how == "gone" or any(f"{path} was damaged (" in note and aside.name in note for note in notes)
    check_that_nothing_was_lost(output, done)


@pytest.mark.parametrize("how", FILES)
def test_a_damaged_record_of_a_running_trial_has_it_tried_again(interrupted, output, how):
    running = interrupted[-1]
    spoil(output / running.directory.name / "trial.json", how)
    count, result, _ = go_on(output)
    assert count == BUDGET - len(interrupted) + 1
    assert [trial.attempt for trial in result.trials] == [1] * (DONE - 1) + [2] + [1] * (BUDGET - DONE)
    assert result.trials[DONE - 1].parameters == running.parameters
    assert recorded_status(output).trials == result.trials


@pytest.mark.parametrize("change", [lambda record: {"id": f"{record['id']}9"}, lambda record: {"id": "other"}])
def test_one_whose_id_was_changed_in_one_record_is_still_one_trial(done, output, change):
    path = output / done[1].directory.name / "trial.json"
    write_json(path, read_json(path) | change(read_json(path)))
    assert values(recorded_status(output).trials) == values(done)
    check_that_nothing_was_lost(output, done)


def test_a_trials_directory_that_is_gone_is_known_from_the_journal(done, output):
    shutil.rmtree(output / done[1].directory.name)
    assert values(recorded_status(output).trials) == values(done)
    check_that_nothing_was_lost(output, done)


def test_both_records_may_be_damaged_in_different_places(done, output):
    damage(output, "lost", 4)
    damage(output, "cut, with a line break", 9)
    spoil(output / done[3].directory.name / "trial.json", "half")
    check_that_nothing_was_lost(output, done)


def test_where_both_are_gone_the_others_stay_and_the_trial_is_trained_anew(done, output):
    journal = output / "journal.log"
    lost = done[2]
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join(line for line in lines if lost.id.encode() not in line))
    shutil.rmtree(output / lost.directory.name)
    count, result, _ = go_on(output)
    kept = [trial for trial in done if trial.id != lost.id]
    assert count == BUDGET - len(kept)
    assert set(values(kept)) <= set(values(result.trials))


# what is derived

DERIVED = ["best_sweep_config.json", "best_sweep_details.json"]


class TestDerivedFiles:
    """Whatever is wrong with the exported files means that nothing is exported: they are written again."""

    @pytest.mark.parametrize("name", DERIVED)
    @pytest.mark.parametrize("how", FILES)
    def test_broken_ones_are_written_again_when_the_sweep_goes_on(self, done, output, name, how):
        before = {derived: read_json(output / derived) for derived in DERIVED}
        spoil(output / name, how)
        go_on(output, sweep_count=DONE)
        assert read_json(output / DERIVED[0]) == before[DERIVED[0]]
        assert read_json(output / DERIVED[1])["trial"] == before[DERIVED[1]]["trial"]

    @pytest.mark.parametrize("name", DERIVED)
    @pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
    def test_broken_ones_in_mid_run_stop_nobody(self, output, name, workers):
        from support.trainers import SpoilingTrainer

        result = run_sweep(
            SpoilingTrainer(file=str(output / name)),
            CONFIG,
            output_dir=output,
            backend="local",
            sweep_count=4,
            workers=workers,
        )
        assert len(result.trials) == 4
        assert read_best_config(output / DERIVED[0]).parameters == result.best.parameters
        assert result.to_dict()["metric_value"] == result.best.value

    @pytest.mark.parametrize("changes", [{"value": math.nan}, {"objective": None}, {"parameters": []}, {"trial": None}])
    def test_odd_ones_too(self, done, output, changes):
        details = output / DERIVED[1]
        write_json(details, read_json(details) | changes)
        go_on(output, sweep_count=DONE)
        assert read_json(details)["trial"] == recorded_status(output).best.id

    def test_a_better_export_is_not_replaced_by_a_worse_one(self, done, output):
        best = max(done, key=lambda trial: trial.value)
        exported = read_json(output / DERIVED[0])
        shutil.rmtree(output / best.directory.name)
        recorded_status(output).export(output)
        assert read_json(output / DERIVED[0]) == exported
        journal = output / "journal.log"
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(line for line in lines if best.id.encode() not in line))
        status = recorded_status(output)
        assert status.best.id != best.id
        assert status.has_better_export(output)
        assert read_best_config(status.export(output)).parameters == best.parameters

    def test_an_export_that_says_more_than_the_record_of_its_trial_is_replaced(self, done, output):
        worst = min(done, key=lambda trial: trial.value)
        details = read_json(output / DERIVED[1]) | {"trial": worst.id, "parameters": worst.parameters, "value": 5.0}
        write_json(output / DERIVED[1], details)
        write_json(output / DERIVED[0], read_json(output / DERIVED[0]) | worst.parameters)
        go_on(output, sweep_count=DONE)
        assert read_json(output / DERIVED[1])["trial"] == max(done, key=lambda trial: trial.value).id

    def test_a_worse_export_is_replaced(self, done, output):
        assert not recorded_status(output).has_better_export(output)
        worst = min(done, key=lambda trial: trial.value)
        details = read_json(output / DERIVED[1]) | {"trial": worst.id, "value": worst.value}
        write_json(output / DERIVED[1], details | {"parameters": worst.parameters})
        write_json(output / DERIVED[0], read_json(output / DERIVED[0]) | worst.parameters)
        recorded_status(output).export(output)
        assert read_json(output / DERIVED[1])["trial"] == max(done, key=lambda trial: trial.value).id


def test_journal_lines_are_json_of_one_object_each(done, output):
    """What the reading of a journal relies on."""
    for line in (output / "journal.log").read_text().splitlines():
        assert isinstance(json.loads(line)["op_code"], int)
        assert line.startswith('{"op_code"')
