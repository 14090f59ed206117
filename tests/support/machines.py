"""Processes that work on one sweep, as on several machines."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, sys
from bertnado_sweep import plan_sweep, run_plan
from bertnado_sweep.backends.local import leases
from bertnado_sweep.backends.local import waiting
from support.trainers import PoisonedTrainer

leases.LEASE = {lease}
waiting.SAY_AFTER = 0.5

if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    trainer = PoisonedTrainer(
        shares=(1.0,), pause=options.pop("pause", 0.0), poison=options.pop("poison", None))
    run_plan(plan_sweep(trainer, options.pop("config", None), **options), observer=lambda event: print(
        type(event).__name__, getattr(event, "text", ""), flush=True))
"""


@pytest.fixture
def machine(tmp_path):
    """Start a process that works on a sweep, on another machine where `name` is given; all end with the test."""
    path = os.pathsep.join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    processes = []

    def start(name=None, lease=60.0, wrapper=(), **options):
        program = tmp_path / f"program{len(processes)}.py"
        program.write_text(PROGRAM.format(lease=lease))
        words = [sys.executable, str(program), json.dumps(options | {"output_dir": str(options["output_dir"])})]
        if name is not None:
            words = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', name, *words]
        process = subprocess.Popen(
            [*wrapper, *words],
            env={**os.environ, "PYTHONPATH": path},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def names_can_be_given():
    tool = shutil.which("unshare")
    return tool is not None and subprocess.run([tool, "--uts", "true"], check=False).returncode == 0


needs_names = pytest.mark.skipif(not names_can_be_given(), reason="needs the right to give a process a host name")


def hear(process, event, count=1):
    """Wait until a process has told of an event so many times."""
    while count:
        line = process.stdout.readline()
        assert line, process.communicate()[1]
        count -= line.split()[0] == event


def end(process):
    """Wait for a process to come to its end; what it told comes back."""
    told, said = process.communicate(timeout=120)
    assert process.returncode == 0, said
    return told
