"""Many processes that join or resume an interrupted sweep at the same instant: everything comes out exactly."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = '''
"""Break a sweep off, then have several processes go on with copies of it at the same instant, round after round."""

import json, multiprocessing, os, shutil, signal, sys, time, traceback
from pathlib import Path
from bertnado_config import read_json
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.backends.local.journal import open_journal

CONFIG = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}
BUDGET, DONE = 13, 5
place, rounds, joiners = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
fork = multiprocessing.get_context("fork")

def train(parameters, report):
    (report.directory / "weights.bin").write_text(str(parameters["x"]))
    report(1, parameters["x"])
    time.sleep(0.01)
    return parameters["x"]

def die(parameters, report):
    if len(list(report.directory.parent.glob("sweep_*/"))) > DONE:
        os.kill(os.getpid(), signal.SIGKILL)
    return train(parameters, report)

def be_slow():
    """Let everything that looks through a directory take its time."""
    scan = os.scandir
    def slowly(*arguments):
        time.sleep(0.01)
        return scan(*arguments)
    os.scandir = slowly

def go_on(output, how, barrier, ends):
    be_slow()
    barrier.wait()
    try:
        result = run_sweep(train, None, output_dir=output, **how)
        ends.put(len(result.trials))
    except BaseException:
        ends.put(traceback.format_exc())

def check(output, before):
    trials = recorded_status(output).trials
    assert [trial.number for trial in trials] == list(range(BUDGET)), [trial.number for trial in trials]
    assert {trial.state for trial in trials} == {"completed"}
    assert [trial.attempt for trial in trials] == [1] * DONE + [2] + [1] * (BUDGET - DONE - 1)
    assert len({trial.parameters["x"] for trial in trials}) == BUDGET
    files = [read_json(path) for path in output.glob("sweep_*/trial.json")]
    assert sorted((file["number"], file["attempt"]) for file in files) == sorted(
        [(trial.number, trial.attempt) for trial in trials] + [(DONE, 1)])
    now = {str(path.relative_to(output)): path.read_bytes() for path in output.glob("sweep_*/*")}
    lost = [name for name in before if name not in now or (now[name] != before[name] and not name.endswith("json"))]
    assert lost == [], lost
    assert len(list((output / "wandb").iterdir())) == 4000
    storage = open_journal(output)
    [study] = storage.get_all_studies()
    entries = storage.get_all_trials(study._study_id)
    assert all(entry.state.is_finished() for entry in entries)

def main():
    template = place / "template"
    first = fork.Process(target=run_sweep, args=(die, CONFIG), kwargs={
        "output_dir": template, "backend": "local", "sweep_count": BUDGET})
    first.start()
    first.join()
    assert first.exitcode == -signal.SIGKILL
    (template / "wandb").mkdir()
    for number in range(4000):
        (template / "wandb" / f"{number}.tmp").touch()
    (template / "sweep_2025-01-01_00-00-00").mkdir()
    before = {str(path.relative_to(template)): path.read_bytes() for path in template.glob("sweep_*/*")}
    bad = []
    for number in range(rounds):
        output = place / f"round{number}"
        shutil.copytree(template, output)
        barrier, ends = fork.Barrier(joiners), fork.Queue()
        how = [{"join": True}, {"resume": True}]
        processes = [fork.Process(target=go_on, args=(output, how[(number + n) % 2], barrier, ends))
                     for n in range(joiners)]
        for process in processes:
            process.start()
        said = [ends.get(timeout=120) for _ in processes]
        for process in processes:
            process.join()
        try:
            assert said == [BUDGET] * joiners, said
            check(output, before)
        except AssertionError:
            bad.append([number, traceback.format_exc()[-3000:]])
        shutil.rmtree(output)
    print(json.dumps(bad))

main()
'''


def go_through_rounds(place, rounds, joiners):
    (place / "program.py").write_text(PROGRAM)
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, str(place / "program.py"), str(place), str(rounds), str(joiners)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-5000:]
    assert json.loads(done.stdout) == [], done.stderr[-5000:]


@pytest.mark.slow
def test_eight_that_go_on_at_the_same_instant_do_exactly_what_is_left(tmp_path):
    go_through_rounds(tmp_path, 2, 8)


@pytest.mark.slow
def test_fifty_rounds_of_eight_that_go_on_at_the_same_instant_are_all_exact(tmp_path):
    go_through_rounds(tmp_path, 50, 8)
