"""What the bookkeeping of a trial costs, however many trials a sweep has had.

    uv run python tests/benchmarks/bookkeeping.py [--sizes 100 500 1000 2000] [--methods random bayes] [--workers 1 4]

Each sweep has ten parameters, and trials that do nothing but report five values. It is resumed for as many trials as
each size says. Printed is the CPU time that a process spends from one of its trials to the next, of the last 40 of that
size (the median), and the seconds that reading the status takes in a process that has just been started.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ |= {"WANDB_MODE": "disabled"}

LAST, PAUSE, EVALUATIONS = 40, 0.02, 5


def sweep_file(method):
    """Ten parameters of several forms."""
    floats = {f"rate{n}": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1.0} for n in range(4)}
    integers = {f"size{n}": {"min": 1, "max": 1000} for n in range(3)}
    choices = {f"kind{n}": {"values": ["a", "b", "c", 1]} for n in range(3)}
    return {
        "method": method,
        "metric": {"name": "score", "goal": "maximize"},
        "parameters": {**floats, **integers, **choices},
    }


class IdleTrainer:
    """Reports some values, and says which process it has run in and what CPU time that has taken so far."""

    def check(self, config, objective):
        return []

    def open(self):
        return self

    def run(self, parameters, report):
        from bertnado_config import TrialResult

        spent = time.process_time()
        time.sleep(PAUSE)
        for step in range(1, EVALUATIONS + 1):
            report(step, parameters["rate0"] * step)
        return TrialResult(parameters["rate0"], step=1, details={"process": os.getpid(), "cpu": spent})


def run_up_to(output, method, count, workers):
    """Run a sweep up to so many trials; the CPU seconds between two trials of a process come back, of the last ones."""
    from bertnado_sweep import run_sweep

    result = run_sweep(
        IdleTrainer(),
        sweep_file(method),
        output_dir=output,
        backend="local",
        resume=output.exists(),
        sweep_count=count,
        workers=workers,
    )
    spent = {}
    for trial in result.trials[-LAST:]:
        spent.setdefault(trial.details["process"], []).append(trial.details["cpu"])
    return [after - before for times in spent.values() for before, after in itertools.pairwise(times)]


def read_status(output):
    """Read the status of a sweep in a new process, and time it there."""
    program = """
import sys, time
begin = time.perf_counter()
from bertnado_sweep import recorded_status
status = recorded_status(sys.argv[1])
status.best
print(time.perf_counter() - begin, len(status.trials))
"""
    done = subprocess.run([sys.executable, "-c", program, str(output)], capture_output=True, text=True, check=True)
    return done.stdout.split()


def measure(method, sizes, workers):
    with tempfile.TemporaryDirectory() as place:
        for count in sizes:
            spent = run_up_to(Path(place) / "sweep", method, count, workers)
            seconds, trials = read_status(Path(place) / "sweep")
            print(
                f"{method:7} {count:5} trials, {workers} process(es): {statistics.median(spent):.4f} s of CPU a trial "
                f"(from {min(spent):.4f} to {max(spent):.4f}); the status of {trials} in {float(seconds):.2f} s",
                flush=True,
            )


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sizes", nargs="*", type=int, default=[100, 500, 1000, 2000])
    parser.add_argument("--methods", nargs="*", default=["random", "bayes"])
    parser.add_argument("--workers", nargs="*", type=int, default=[1, 4])
    options = parser.parse_args()
    for method in options.methods:
        for workers in options.workers:
            measure(method, sorted(options.sizes), workers)


if __name__ == "__main__":
    main()
