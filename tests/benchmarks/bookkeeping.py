"""What the bookkeeping of a trial costs, however many trials a sweep has had.

    uv run python tests/benchmarks/bookkeeping.py [--sizes 100 500 1000 2000] [--methods random bayes] [--workers 1 4]

A sweep of ten parameters is made up with so many finished trials, and goes on with 40 more that do nothing but report
five values. Printed is the CPU time that a worker's process spends from one of its trials to the next (the median), and
the seconds that reading the status of the sweep takes in a process that has just been started.
"""

import argparse
import itertools
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ |= {"WANDB_MODE": "disabled"}

MORE, PAUSE, EVALUATIONS = 40, 0.05, 5


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


@dataclass
class IdleTrainer:
    """Reports some values, and says which process it has run in and what CPU time that has taken so far."""

    pause: float = PAUSE

    def check(self, config, objective):
        return []

    def open(self):
        return self

    def run(self, parameters, report):
        from bertnado_config import TrialResult

        spent = time.process_time()
        time.sleep(self.pause)
        for step in range(1, EVALUATIONS + 1):
            report(step, parameters["rate0"] * step)
        return TrialResult(parameters["rate0"], step=1, details={"process": os.getpid(), "cpu": spent})


def make_up(output, method, count):
    """Write the record of a sweep with so many finished trials, as if it had lost its journal."""
    from bertnado_config import parse_sweep_config, read_json, sample_parameters, write_json
    from bertnado_sweep import run_sweep
    from numpy.random import default_rng

    config = parse_sweep_config(sweep_file(method))
    first = run_sweep(IdleTrainer(0), sweep_file(method), output_dir=output, backend="local", sweep_count=1).best
    record, rng = read_json(first.directory / "trial.json"), default_rng(1)
    for number in range(1, count):
        directory = output / f"sweep_2025-01-01_00-00-00_{number + 1}"
        directory.mkdir()
        parameters = sample_parameters(config, rng)
        own = {"number": number, "id": record["id"].replace("-0", f"-{number}"), "directory": directory.name}
        write_json(directory / "trial.json", record | own | {"parameters": parameters, "value": parameters["rate0"]})
    (output / "journal.log").unlink()


def go_on(output, method, count, workers):
    """Go on for 40 trials; the CPU seconds of each worker between two of its trials come back."""
    from bertnado_sweep import run_sweep

    result = run_sweep(
        IdleTrainer(),
        sweep_file(method),
        output_dir=output,
        backend="local",
        resume=True,
        sweep_count=count + MORE,
        workers=workers,
    )
    spent = {}
    for trial in result.trials[count:]:
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


def measure(method, count, workers):
    with tempfile.TemporaryDirectory() as place:
        output = Path(place) / "sweep"
        make_up(output, method, count)
        spent = go_on(output, method, count, workers)
        seconds, trials = read_status(output)
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
        for count in options.sizes:
            for workers in options.workers:
                measure(method, count, workers)


if __name__ == "__main__":
    main()
