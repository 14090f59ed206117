"""How many trials a minute workers share when a trial returns at once: what the record of a sweep can take.

    uv run python tests/benchmarks/workers.py [--workers 1 8 32] [--seconds 60] [--storage journal postgresql]

Each sweep is a random search over three parameters whose trials report one value. It runs until every worker has ended
a trial, and then for so many seconds, which are counted. Printed is a table for docs/cluster.md: trials a minute of all
workers together, the CPU time that a worker spends from one of its trials to the next (the median), and the number of
trials that the sweep had in the end. The journal is on the disk of TMPDIR; PostgreSQL is a server of this machine,
without `fsync`.
"""

import argparse
import itertools
import math
import os
import signal
import statistics
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

sys.path.insert(0, str(Path(__file__).parents[1]))  # for `support`
os.environ |= {"WANDB_MODE": "disabled", "OMP_NUM_THREADS": "1"}

from bertnado_config import TrialResult
from bertnado_sweep import run_sweep

SWEEP = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {
        "rate": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1.0},
        "size": {"min": 1, "max": 1000000},
        "kind": {"values": ["a", "b", "c"]},
    },
}


class InstantTrainer:
    """Returns at once, and says which process it ran in, when, and what CPU time that had taken."""

    def check(self, config, objective):
        return []

    def open(self):
        return self

    def run(self, parameters, report):
        report(1, parameters["rate"])
        details = {"process": os.getpid(), "time": time.time(), "cpu": time.process_time()}
        return TrialResult(parameters["rate"], step=1, details=details)


class Clock:
    """An observer that says when to stop: some seconds after each worker has ended a trial."""

    def __init__(self, workers, seconds):
        self.workers, self.seconds = workers, seconds
        self.begin = None
        self.processes = set()

    def __call__(self, event):
        from bertnado_sweep.running.events import TrialEnded

        if not isinstance(event, TrialEnded):
            return
        self.processes.add((event.trial.details or {}).get("process"))
        if self.begin is None and len(self.processes) >= self.workers:
            self.begin = time.time()
        if self.begin is not None and time.time() - self.begin > self.seconds:
            os.kill(os.getpid(), signal.SIGUSR1)  # no new trials


def measure(workers, seconds, **where):
    """Run one sweep; return trials a minute, the median CPU time of a trial, and the number of trials."""
    clock = Clock(workers, seconds)
    with tempfile.TemporaryDirectory() as place:
        result = run_sweep(
            InstantTrainer(),
            SWEEP,
            output_dir=Path(place) / "sweep",
            backend="local",
            sweep_count=10**6,
            workers=workers,
            observer=clock,
            **where,
        )
    ended = sorted((trial.details for trial in result.trials if trial.details), key=lambda details: details["time"])
    counted = [details for details in ended if 0 <= details["time"] - clock.begin <= seconds]
    spent = {}
    for details in counted:
        spent.setdefault(details["process"], []).append(details["cpu"])
    gaps = [after - before for times in spent.values() for before, after in itertools.pairwise(times)]
    return 60 * len(counted) / seconds, statistics.median(gaps or [math.nan]), len(ended)


@contextmanager
def journal():
    """A sweep in a directory."""
    yield dict


@contextmanager
def postgresql():
    """A server, and a new database of it for each sweep."""
    import psycopg
    from support import postgresql as server

    def database():
        name = f"sweeps_{uuid4().hex}"
        with psycopg.connect(f"{running.url}/postgres", autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return {"storage": f"{running.url}/{name}", "study": "workers"}

    with server.started() as running:
        yield database


STORAGES = {"journal": journal, "postgresql": postgresql}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 8, 32])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--storage", nargs="*", choices=STORAGES, default=[*STORAGES])
    options = parser.parse_args()
    print("| record | workers | trials a minute | CPU time of a trial | trials in the end |\n|---|---|---|---|---|")
    for storage in options.storage:
        with STORAGES[storage]() as make:
            for workers in options.workers:
                rate, cpu, trials = measure(workers, options.seconds, **make())
                print(f"| {storage} | {workers} | {rate:.0f} | {1000 * cpu:.0f} ms | {trials} |", flush=True)


if __name__ == "__main__":
    main()
