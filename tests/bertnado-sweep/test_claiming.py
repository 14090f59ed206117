"""An output directory is one sweep's: of several that begin there at once, one does, and the others touch nothing."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from bertnado_config import SweepConfigError, read_best_config, read_json, write_json
from bertnado_sweep import plan_sweep, recorded_status, run_sweep
from bertnado_sweep.backends.wandb.agent import run_agent_trial
from bertnado_sweep.sweep import run_plan
from support.trainers import CurveTrainer

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}

PROGRAM = """
import sys, time
from pathlib import Path
from bertnado_config import SweepConfigError
from bertnado_sweep import recorded_status, run_sweep
from support.trainers import CurveTrainer

class SlowlyChecked(CurveTrainer):
    def check(self, config, objective):
        Path(sys.argv[1]).touch()
        while not Path("go").exists():
            time.sleep(0.005)
        return []

try:
    result = run_sweep(SlowlyChecked(pause=0.05), {config!r}, output_dir="sweep", backend=sys.argv[3], sweep_count=5,
                       seed=int(sys.argv[2]), project_name="dna")
except SweepConfigError as error:
    sys.exit(str(error))
print(result.sweep_id)
"""


@pytest.fixture
def begin(tmp_path):
    """Start a sweep in a process of its own, which begins when the file `go` is there."""
    (tmp_path / "program.py").write_text(PROGRAM.format(config=CONFIG))
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    started = []

    def run(number, backend="local"):
        words = [sys.executable, "program.py", f"ready{number}", str(number), backend]
        process = subprocess.Popen(
            words,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def all_begin(tmp_path, processes):
    while not all((tmp_path / f"ready{number}").exists() for number in range(len(processes))):
        assert all(process.poll() is None for process in processes), processes[0].communicate()
        time.sleep(0.02)
    (tmp_path / "go").touch()
    return [(*process.communicate(timeout=120), process.returncode) for process in processes]


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["local", "wandb"])
def test_of_sweeps_that_begin_at_once_one_does_and_the_others_are_refused(begin, tmp_path, backend, request):
    server = request.getfixturevalue("server") if backend == "wandb" else None
    ends = all_begin(tmp_path, [begin(number, backend) for number in range(3)])
    won = [said.strip() for said, _, code in ends if code == 0]
    lost = [error for _, error, code in ends if code != 0]
    assert len(won) == 1
    for error in lost:
        assert f"{tmp_path / 'sweep'} already contains a sweep; continue it with resume or choose another" in error
        assert "Traceback" not in error
    output = tmp_path / "sweep"
    record = read_json(output / "sweep.json")
    assert record["sweep_id"] == won[0]
    trials = [read_json(path) for path in output.glob("sweep_*/trial.json")]
    assert len(trials) == 5
    assert {trial["sweep_id"] for trial in trials} == {won[0]}
    best = max(trials, key=lambda trial: trial["value"])
    assert read_best_config(output / "best_sweep_config.json").parameters == best["parameters"]
    assert list(output.glob(".*.tmp")) == []
    if server is not None:
        assert list(server.sweeps) == won


def test_a_sweep_that_was_planned_before_another_began_there_is_refused(tmp_path):
    output = tmp_path / "sweep"
    plan = plan_sweep(CurveTrainer(), CONFIG, output_dir=output, backend="local", sweep_count=1)
    run_sweep(CurveTrainer(), CONFIG, output_dir=output, backend="local", sweep_count=2)
    before = {path: path.read_bytes() for path in output.rglob("*") if path.is_file()}
    with pytest.raises(SweepConfigError, match="already contains a sweep"):
        run_plan(plan)
    assert {path: path.read_bytes() for path in output.rglob("*") if path.is_file()} == before


def test_an_agent_of_another_sweep_is_refused(tmp_path, monkeypatch):
    output = tmp_path / "sweep"
    run_sweep(CurveTrainer(), CONFIG, output_dir=output, backend="local", sweep_count=1)
    plan = plan_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "other", backend="local", sweep_count=1)
    monkeypatch.setenv("WANDB_SWEEP_ID", "another")
    with pytest.raises(SweepConfigError, match="already contains a sweep"):
        run_agent_trial(CurveTrainer(), plan.config, output_dir=output, objective=plan.objective)
    assert len(list(output.glob("sweep_*/"))) == 1


def test_other_files_do_not_matter(tmp_path):
    (tmp_path / "sweep_config.json").write_text(json.dumps(CONFIG))
    result = run_sweep(
        CurveTrainer(), tmp_path / "sweep_config.json", output_dir=tmp_path, backend="local", sweep_count=1
    )
    assert result.best_config_path.parent == tmp_path


@pytest.mark.parametrize("name", ["", " "])
def test_a_directory_without_a_name_is_refused(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SweepConfigError, match=f"output_dir: must name a directory, got '{name}'"):
        run_sweep(CurveTrainer(), CONFIG, output_dir=name, backend="local", sweep_count=1)
    assert list(tmp_path.iterdir()) == []


def test_without_hard_links_the_claim_is_exclusive_as_well(tmp_path, monkeypatch):
    def refuse(self, target):
        raise OSError(95, "Operation not supported")

    from bertnado_sweep.records.files import claim

    run_sweep(CurveTrainer(), CONFIG, output_dir=tmp_path / "model", backend="local", sweep_count=1)
    record = read_json(tmp_path / "model" / "sweep.json")
    monkeypatch.setattr(Path, "hardlink_to", refuse)
    claim(tmp_path / "sweep", record)
    with pytest.raises(SweepConfigError, match="already contains a sweep"):
        claim(tmp_path / "sweep", record | {"sweep_id": "other"})
    assert read_json(tmp_path / "sweep" / "sweep.json") == record


@pytest.fixture
def damaged(tmp_path):
    """A sweep whose `sweep.json` is spoilt in some ways, one after the other."""
    output = tmp_path / "sweep"
    run_sweep(CurveTrainer(), CONFIG, output_dir=output, backend="local", sweep_count=1)
    record = read_json(output / "sweep.json")
    texts = ("", "{", '{"sweep_id": "a"}', json.dumps(record | {"budget": "many"}), "\0" * 100)

    def spoil():
        for text in texts:
            (output / "sweep.json").write_text(text)
            yield output

    return spoil, record


def test_a_record_that_is_damaged_is_made_anew_from_the_journal(damaged):
    spoil, record = damaged
    for number, output in enumerate(spoil(), start=1):
        [warning] = recorded_status(output).warnings
        assert warning == f"{output / 'sweep.json'} is damaged; --resume rewrites it from journal.log"
        heard = []
        run_sweep(CurveTrainer(), None, output_dir=output, backend="local", resume=True, observer=heard.append)
        again = read_json(output / "sweep.json")
        assert {name: again[name] for name in record if name != "resumed"} == {
            name: record[name] for name in record if name != "resumed"
        }
        assert any(f"the damaged file is sweep.json.damaged-{number}" in note for note in heard[0].notes)
        assert len(recorded_status(output).trials) == 1


def test_where_the_journal_does_not_have_it_the_damaged_record_is_named_with_the_cure_and_kept(damaged):
    spoil, record = damaged
    for output in spoil():
        (output / "journal.log").unlink(missing_ok=True)
        text = (output / "sweep.json").read_text()
        with pytest.raises(SweepConfigError, match=r"sweep\.json is damaged \(.*\); restore an undamaged copy, or"):
            run_sweep(CurveTrainer(), CONFIG, output_dir=output, backend="local", resume=True)
        assert (output / "sweep.json").read_text() == text
    write_json(output / "sweep.json", record)
    assert len(run_sweep(CurveTrainer(), None, output_dir=output, backend="local", resume=True).trials) == 1
