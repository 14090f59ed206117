"""What BertNado adds to a trial of W&B's own agent: `uv run python tests/benchmarks/wandb_overhead.py [OUT.json]`.

Sweeps of five trials that return at once, in turn by `wandb.sweep` and `wandb.agent` alone and by `run_sweep`, against
a server on loopback, the agent's heartbeat pause at 0.2 s in both. The whole of a sweep is timed, the reading of its
runs and the choice of the best included.
"""

import json
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bertnado_sweep.testing.wandb_server import KEY, WandbServer

RUNS, TRIALS = 5, 5
SWEEP = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"min": 0.0, "max": 1.0}},
}


def agent_alone(directory):
    """Five trials by the client alone; seconds."""
    import wandb

    def train():
        with wandb.init(dir=directory, settings=wandb.Settings(console="off")) as run:
            run.log({"score": run.config["x"]}, step=1)

    begin = time.perf_counter()
    sweep = wandb.sweep(SWEEP, project="benchmark")
    wandb.agent(sweep, function=train, project="benchmark", count=TRIALS)
    return time.perf_counter() - begin


def with_bertnado(directory):
    """Five trials by `run_sweep`; seconds."""
    from bertnado_sweep import run_sweep

    def train(parameters, report):
        report(1, parameters["x"])
        return parameters["x"]

    begin = time.perf_counter()
    arguments = {"sweep_count": TRIALS, "backend": "wandb", "project_name": "benchmark"}
    run_sweep(train, SWEEP, output_dir=directory, **arguments)
    return time.perf_counter() - begin


def main():
    """Run both in turn, print a table, write JSON."""
    seconds = {"agent alone": [], "bertnado": []}
    with tempfile.TemporaryDirectory() as scratch, WandbServer() as server:
        os.environ |= {"WANDB_BASE_URL": server.url, "WANDB_API_KEY": KEY, "WANDB_ERROR_REPORTING": "false"}
        os.environ |= {"WANDB_SILENT": "true", "WANDB_DIR": scratch}
        os.environ |= {f"WANDB_{name}_DIR": scratch for name in ("CACHE", "CONFIG", "DATA")}
        import wandb
        from wandb.agents.pyagent import Agent

        Agent.HEARTBEAT_SLEEP_SECONDS = 0.2
        agent_alone(scratch)  # a warm-up: the client's process, its imports
        for run in range(RUNS):
            seconds["agent alone"].append(agent_alone(scratch))
            seconds["bertnado"].append(with_bertnado(Path(scratch) / f"sweep{run}"))
        wandb.teardown()
    added = [ours - alone for alone, ours in zip(*seconds.values(), strict=True)]
    table = {
        **{name: statistics.median(values) / TRIALS for name, values in seconds.items()},
        "added": statistics.median(added) / TRIALS,
    }
    print(f"seconds a trial, median of {RUNS} sweeps of {TRIALS} trials")
    for name, value in table.items():
        print(f"  {name:12} {value:.3f}")
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else None
    if target is not None:
        target.write_text(json.dumps({"seconds_a_trial": table, "sweeps": seconds}, indent=2))


if __name__ == "__main__":
    main()
