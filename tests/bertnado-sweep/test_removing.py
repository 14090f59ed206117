"""What a command removes: only what its own sweep can be shown to have made, and nothing finished."""

import json
import os
import shutil
from uuid import uuid4

import pytest
from bertnado_config import SweepConfigError, TrialResult, read_json, write_json
from bertnado_sweep import recorded_status, run_sweep
from support.persons_files import fill, tree

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}
WEIGHTS = "weights.bin"


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


@pytest.fixture
def trained():
    """The parameters of every trial that was trained."""
    return []


@pytest.fixture
def sweep(output, trained):
    """Run a sweep whose trials keep weights in `checkpoint`."""

    def train(parameters, report):
        trained.append(parameters["x"])
        checkpoint = report.directory / "checkpoint"
        checkpoint.mkdir()
        (checkpoint / WEIGHTS).write_text(str(parameters["x"]))
        return TrialResult(parameters["x"], step=1, checkpoint=checkpoint)

    def run(train=train, **options):
        given = {"output_dir": output, "backend": "local"} | options
        return run_sweep(train, CONFIG, **given)

    return run


@pytest.fixture
def broken_off(sweep):
    """A sweep of six that was interrupted in its third trial."""
    count = []

    def train(parameters, report):
        count.append(1)
        if len(count) == 3:
            raise KeyboardInterrupt
        return parameters["x"]

    with pytest.raises(KeyboardInterrupt):
        sweep(train, sweep_count=6)


class TestAPersonsFiles:
    """Whatever lies in an output directory besides stays as it is, whichever command works there."""

    @pytest.fixture
    def persons(self, output):
        return fill(output)

    def check(self, persons, output):
        now = tree(output)
        assert {name: now.get(name) for name in persons} == persons

    def test_a_new_sweep_leaves_it(self, persons, sweep, output):
        sweep(sweep_count=2)
        self.check(persons, output)

    @pytest.mark.parametrize("options", [{"resume": True}, {"join": True}], ids=["resume", "join"])
    def test_going_on_leaves_it(self, broken_off, persons, sweep, output, options):
        assert len(sweep(**options).trials) == 6
        self.check(persons, output)

    def test_resuming_what_is_done_leaves_it(self, sweep, output):
        sweep(sweep_count=2)
        persons = fill(output)
        sweep(resume=True)
        self.check(persons, output)

    def test_status_and_export_leave_everything(self, sweep, output):
        sweep(sweep_count=2)
        fill(output)
        before = tree(output)
        recorded_status(output).export(output)
        after = tree(output)
        written = {"best_sweep_config.json", "best_sweep_details.json"}
        assert {name: after[name] for name in after if name not in written} == {
            name: before[name] for name in before if name not in written
        }


class TestWhatIsFinished:
    """A finished trial, its weights included, survives whatever becomes of the other records."""

    @pytest.fixture
    def done(self, sweep, output, trained):
        """A sweep of four with all its checkpoints, and the files of its trials."""
        result = sweep(sweep_count=4, keep_checkpoints="all")
        trained.clear()
        return result, {name: content for name, content in tree(output).items() if name.startswith("sweep_20")}

    def goes_on(self, done, sweep, output, trained, **options):
        result, files = done
        again = sweep(sweep_count=6, resume=True, **options)
        assert len(trained) == 2
        assert [trial.value for trial in again.trials[:4]] == [trial.value for trial in result.trials]
        now = tree(output)
        assert {name: now.get(name) for name in files if WEIGHTS in name} == {
            name: content for name, content in files.items() if WEIGHTS in name
        }
        return again

    @pytest.mark.parametrize("how", ["removed", "emptied", "cut in half"])
    def test_a_journal_that_is_gone(self, done, sweep, output, trained, how):
        journal = output / "journal.log"
        text = journal.read_text()
        journal.unlink()
        if how != "removed":
            journal.write_text("" if how == "emptied" else text[: len(text) // 2])
        self.goes_on(done, sweep, output, trained)

    def test_a_sweep_id_that_somebody_has_changed(self, done, sweep, output, trained):
        record = read_json(output / "sweep.json")
        write_json(output / "sweep.json", record | {"sweep_id": "changed"})
        with pytest.raises(
            SweepConfigError, match=r"sweep\.json belongs to sweep changed, but journal\.log beside it to"
        ):
            sweep(sweep_count=6, resume=True)
        write_json(output / "sweep.json", record)
        self.goes_on(done, sweep, output, trained)

    def test_checkpoints_that_were_to_be_kept_are_kept_without_saying_it_again(self, done, sweep, output, trained):
        self.goes_on(done, sweep, output, trained)
        assert len(list(output.glob(f"sweep_*/checkpoint/{WEIGHTS}"))) == 6

    def test_saying_otherwise_removes_them(self, done, sweep, output):
        sweep(sweep_count=6, resume=True, keep_checkpoints="best")
        assert len(list(output.glob(f"sweep_*/checkpoint/{WEIGHTS}"))) == 1

    def test_a_copy_of_a_trials_directory_is_no_trial_and_stays(self, done, sweep, output, trained):
        original = done[0].best.directory
        shutil.copytree(original, output / "sweep_2025-01-01_00-00-00")
        assert len(self.goes_on(done, sweep, output, trained).trials) == 6
        assert (output / "sweep_2025-01-01_00-00-00" / "checkpoint" / WEIGHTS).exists()

    def test_records_of_version_0_1_0_are_known_by_their_ids(self, done, sweep, output, trained):
        for path in output.glob("sweep_*/trial.json"):
            write_json(path, {name: value for name, value in read_json(path).items() if name != "sweep_id"})
        (output / "journal.log").unlink()
        self.goes_on(done, sweep, output, trained)


class TestRecordsThatLead:
    """A record that names what lies outside of the trial's own directory has nothing removed there."""

    @pytest.mark.parametrize("where", ["checkpoint", "directory", "link"])
    def test_nothing_outside_is_removed(self, sweep, output, tmp_path, where):
        result = sweep(sweep_count=3, keep_checkpoints="all")
        precious = tmp_path / "precious"
        precious.mkdir()
        (precious / WEIGHTS).write_text("mine")
        worst = min(result.trials, key=lambda trial: trial.value)
        name = worst.directory.name
        changes = {
            "checkpoint": {"checkpoint": f"{name}/../../precious"},
            "directory": {"directory": "../precious", "checkpoint": "../precious/"},
            "link": {"checkpoint": f"{name}/link"},
        }[where]
        (worst.directory / "link").symlink_to(precious)
        record = read_json(worst.directory / "trial.json") | changes
        write_json(worst.directory / "trial.json", record)
        lines = (output / "journal.log").read_text().splitlines()
        changed = [json.loads(line) for line in lines]
        for line in changed:
            if line.get("user_attr", {}).get("trial", {}).get("id") == worst.id:
                line["user_attr"]["trial"] |= changes
        (output / "journal.log").write_text("".join(json.dumps(line) + "\n" for line in changed))
        sweep(sweep_count=4, resume=True, keep_checkpoints="best")
        assert (precious / WEIGHTS).read_text() == "mine"


class TestLeftovers:
    """What a kill between two writes leaves goes, if nobody can have made it since."""

    def test_an_empty_directory_of_a_trial_that_never_began_goes(self, broken_off, sweep, output):
        (output / "sweep_2025-01-01_00-00-00").mkdir()
        (output / "sweep_2025-01-01").mkdir()
        sweep(resume=True)
        assert not (output / "sweep_2025-01-01_00-00-00").exists()
        assert (output / "sweep_2025-01-01").exists()

    def test_what_is_younger_than_the_look_stays(self, broken_off, sweep, output):
        young = output / "sweep_2025-01-01_00-00-00"
        young.mkdir()
        later = 2**33
        os.utime(young, (later, later))
        scratch = output / f".sweep.json.{uuid4().hex}.tmp"
        scratch.touch()
        os.utime(scratch, (later, later))
        sweep(resume=True)
        assert young.exists()
        assert scratch.exists()

    def test_an_attempt_that_was_begun_in_two_directories_is_one_trial(self, broken_off, sweep, output):
        [interrupted] = [trial for trial in recorded_status(output).trials if trial.state == "interrupted"]
        other = output / "sweep_2025-01-01_00-00-00"
        other.mkdir()
        record = read_json(interrupted.directory / "trial.json")
        write_json(other / "trial.json", record | {"state": "running", "directory": other.name})
        result = sweep(resume=True)
        assert [trial.attempt for trial in result.trials] == [1, 1, 2, 1, 1, 1]
        assert not other.exists()


def test_the_logs_of_earlier_workers_stay_and_no_link_is_followed(output, tmp_path):
    from support.trainers import CurveTrainer

    (output / "logs").mkdir(parents=True)
    (output / "logs" / "worker-1.log").write_text("mine\n")
    (tmp_path / "elsewhere").write_text("mine\n")
    (output / "logs" / "worker-2.log").symlink_to(tmp_path / "elsewhere")
    run_sweep(CurveTrainer(), CONFIG, output_dir=output, backend="local", sweep_count=2, workers=2)
    assert (output / "logs" / "worker-1.log").read_text().startswith("mine\n== worker process ")
    assert (tmp_path / "elsewhere").read_text() == "mine\n"
    assert (output / "logs" / "worker-2_2.log").exists()
