"""What another version has written is read, or named with its path and what to do."""

import json
import shutil
import threading
from pathlib import Path

import optuna
import pytest
from bertnado_config import SweepConfigError, TrialResult, read_best_config, read_json, write_json
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.backends.local import leases
from bertnado_sweep.backends.local.storage import open_storage
from bertnado_sweep.records.record_format import FORMAT, NewerRecordError

RECORDS = Path(__file__).with_name("records_0_1_0")
"""A sweep of five that version 0.1.0 has begun: two trials completed, and the third was interrupted."""

NEWER = (
    f"was written by a newer version of bertnado-sweep (format {FORMAT + 1}, this version reads up to {FORMAT}); "
    "upgrade bertnado-sweep"
)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


@pytest.fixture
def old(output):
    """The sweep of version 0.1.0."""
    shutil.copytree(RECORDS, output)
    return recorded_status(output).trials


def train(parameters, report):
    report(1, parameters["x"])
    return TrialResult(parameters["x"], step=1)


def go_on(output, **options):
    return run_sweep(train, None, **{"output_dir": output, "backend": "local", "resume": True} | options)


def read_studies(output, storage=None):
    opened = open_storage(output, storage)
    names = optuna.get_all_study_names(opened)
    return [optuna.load_study(study_name=name, storage=opened) for name in names]


class TestVersion010:
    """A sweep that version 0.1.0 has begun."""

    def test_its_status_is_read(self, old):
        assert [(trial.number, trial.state) for trial in old] == [
            (0, "completed"),
            (1, "completed"),
            (2, "interrupted"),
        ]
        assert old[0].history[0].keys() == {"step", "score", "eval/loss"}
        assert recorded_status(RECORDS).best.number == max(old[:2], key=lambda trial: trial.value).number

    def test_its_best_trial_is_exported(self, old, tmp_path):
        path = recorded_status(RECORDS).export(tmp_path / "elsewhere")
        assert read_best_config(path).parameters == max(old[:2], key=lambda trial: trial.value).parameters

    def test_it_goes_on_and_every_trial_has_its_parameters_in_a_study(self, old, output):
        result = go_on(output)
        assert [(trial.number, trial.attempt, trial.state) for trial in result.trials] == [
            (0, 1, "completed"),
            (1, 1, "completed"),
            (2, 2, "completed"),
            (3, 1, "completed"),
            (4, 1, "completed"),
        ]
        assert [trial.value for trial in result.trials[:2]] == [trial.value for trial in old[:2]]
        assert result.trials[2].parameters == old[2].parameters
        first, second = read_studies(output)
        assert [entry.params for entry in first.trials] == [{}] * 4
        kept = [(entry.state.name, entry.value, entry.params["x"]) for entry in second.trials]
        done = [("COMPLETE", trial.value, trial.parameters["x"]) for trial in result.trials]
        assert kept == [*done[:2], ("FAIL", None, old[2].parameters["x"]), *done[2:]]
        assert second.trials[0].intermediate_values == {
            number: row["score"] for number, row in enumerate(old[0].history, start=1)
        }
        assert second.best_value == result.best.value
        assert set(second.best_params) == {"x", "kind", "optimizer.beta"}
        record = read_json(output / "sweep.json")
        assert record["format"] == FORMAT
        assert [study["name"] for study in record["studies"]] == [first.study_name, second.study_name]
        assert recorded_status(output).trials == result.trials
        assert go_on(output).trials == result.trials
        assert len(read_studies(output)) == 2

    @pytest.mark.parametrize("how", ["gone", "cut in half", "damaged"])
    def test_its_journal_is_repaired(self, old, output, how, monkeypatch):
        monkeypatch.setattr(leases, "LEASE", 1.0)
        journal = output / "journal.log"
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.unlink()
        if how != "gone":
            journal.write_bytes(b"".join(lines[: len(lines) // 2] if how == "cut in half" else [*lines, b"nonsense\n"]))
        result = go_on(output)
        assert [trial.value for trial in result.trials[:2]] == [trial.value for trial in old[:2]]
        assert [trial.number for trial in result.trials] == list(range(5))
        study = read_studies(output)[-1]
        assert study.best_value == result.best.value
        assert len([entry for entry in study.trials if entry.state.name == "COMPLETE"]) == 5

    def test_one_in_a_database_goes_on_and_is_joined(self, old, output, database, tmp_path):
        """What the journal of version 0.1.0 holds, in a database."""
        [study] = read_studies(output)
        copy = optuna.create_study(study_name="promoters", storage=open_storage(output, database), direction="maximize")
        copy.set_user_attr("sweep", study.user_attrs["sweep"] | {"storage": database, "study": "promoters"})
        for entry in study.trials:
            record = entry.user_attrs["trial"]
            entry.set_user_attr("trial", record | {"directory": str(output / record["directory"])})
            copy.add_trial(entry)
        result = run_sweep(
            train, None, output_dir=tmp_path / "a", storage=database, study="promoters", resume=True, sweep_count=4
        )
        assert [(trial.number, trial.attempt) for trial in result.trials] == [(0, 1), (1, 1), (2, 2), (3, 1)]
        assert result.trials[0].directory == old[0].directory
        joined = run_sweep(train, None, output_dir=tmp_path / "b", storage=database, study="promoters", join=True)
        assert [trial.value for trial in joined.trials] == [trial.value for trial in result.trials]
        assert recorded_status(tmp_path / "a", storage=database).trials == result.trials
        states = [entry.state.name for entry in read_studies(tmp_path / "a", database)[-1].trials]
        assert states == ["COMPLETE", "COMPLETE", "FAIL", "COMPLETE", "COMPLETE"]

    def test_it_does_not_go_on_while_an_old_process_trains(self, old, output, monkeypatch):
        monkeypatch.setattr(leases, "LEASE", 1.0)
        journal = output / "journal.log"
        lines = journal.read_text().splitlines(keepends=True)
        begun = next(line for line in lines if json.loads(line).get("trial_id") == 2)
        last = max(number for number, line in enumerate(lines) if json.loads(line)["op_code"] == 4)
        journal.write_text("".join([*lines[: last + 1], begun]))
        (old[2].directory / "trial.json").unlink()
        is_over = threading.Event()

        def give_signs_of_life():
            storage, sign = open_storage(output, None), 0
            while not is_over.wait(0.1):
                storage.set_trial_user_attr(2, "sign", sign := sign + 1)

        other = threading.Thread(target=give_signs_of_life)
        other.start()
        try:
            with pytest.raises(SweepConfigError, match=r"process 1234 on machine must end first: version 0\.1\.0"):
                go_on(output)
        finally:
            is_over.set()
            other.join()
        assert len(read_studies(output)) == 1
        assert len(go_on(output).trials) == 5


class TestNewerVersions:
    """What a version writes that does not exist yet."""

    @pytest.fixture
    def done(self, output):
        config = {
            "method": "random",
            "metric": {"name": "score", "goal": "maximize"},
            "parameters": {"x": {"min": 0.0, "max": 1.0}},
        }
        return run_sweep(train, config, output_dir=output, backend="local", sweep_count=2)

    def test_both_records_carry_the_number_of_the_format(self, done, output):
        files = [output / "sweep.json", *output.glob("sweep_*/trial.json")]
        assert [read_json(path)["format"] for path in files] == [FORMAT] * 3
        assert [next(iter(read_json(path))) for path in files] == ["format"] * 3

    @pytest.mark.parametrize("name", ["sweep.json", "trial.json"])
    def test_it_is_named_with_its_path_and_what_to_do_and_is_left_alone(self, done, output, name):
        path = output / name if name == "sweep.json" else done.trials[1].directory / name
        write_json(path, read_json(path) | {"format": FORMAT + 1, "more": [1]})
        before = {file: file.read_bytes() for file in output.rglob("*.*") if file.is_file()}
        for use in (recorded_status, go_on):
            with pytest.raises(NewerRecordError) as caught:
                use(output)
            assert f"{path} {NEWER}" in str(caught.value)
        assert {file: file.read_bytes() for file in output.rglob("*.*") if file.is_file()} == before

    def test_a_journal_too(self, done, output):
        journal = output / "journal.log"
        journal.write_text(
            journal.read_text().replace(f'"trial":{{"format":{FORMAT}', f'"trial":{{"format":{FORMAT + 1}')
        )
        for use in (recorded_status, go_on):
            with pytest.raises(NewerRecordError) as caught:
                use(output)
            assert f"of {journal} {NEWER}" in str(caught.value)

    def test_a_database_too(self, done, output, database, tmp_path):
        where = {"storage": database, "study": "promoters"}
        config = done_config(output)
        run_sweep(train, config, output_dir=tmp_path / "a", sweep_count=1, **where)
        study = optuna.load_study(study_name="promoters", storage=open_storage(output, database))
        study.set_user_attr("sweep", study.user_attrs["sweep"] | {"format": FORMAT + 1})
        with pytest.raises(SweepConfigError, match="written by a newer version of bertnado-sweep"):
            run_sweep(train, config, output_dir=tmp_path / "b", sweep_count=2, **where)

    @pytest.mark.parametrize("text", ['{"name": "my sweep"}', "[1, 2]"])
    def test_somebody_elses_file_is_named(self, output, text):
        output.mkdir()
        (output / "sweep.json").write_text(text)
        for use in (recorded_status, go_on):
            with pytest.raises(SweepConfigError) as caught:
                use(output)
            assert str(output / "sweep.json") in str(caught.value)
        assert (output / "sweep.json").read_text() == text


def done_config(output):
    return read_json(output / "sweep.json")["config"]
