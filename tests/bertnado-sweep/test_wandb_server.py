"""The server that the other tests rely on: the unmodified client works with it, and it fails when told to."""

import pytest

SWEEP = {
    "name": "promoters",
    "description": "what for",
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2, 3]}, "optimizer": {"parameters": {"beta": {"value": 0.9}}}},
}


@pytest.fixture
def wandb(server):
    import wandb

    return wandb


def run_agent(wandb, sweep, curve, **arguments):
    """Log a curve in each trial, its best in the summary."""

    def train():
        with wandb.init(group="task", job_type="sweep") as run:
            for step, share in enumerate(curve, start=1):
                run.log({"score": run.config["x"] * share}, step=step)

    wandb.agent(sweep, function=train, project="dna", **arguments)


def test_a_sweep_its_agent_and_its_runs_are_what_the_client_says(server, wandb):
    sweep = wandb.sweep(SWEEP, project="dna")
    run_agent(wandb, sweep, [1.0, 0.5], count=3)
    found = wandb.Api().sweep(f"laboratory/dna/{sweep}")
    assert (found.state, found.config, found.name) == ("RUNNING", SWEEP, "promoters")
    runs = list(found.runs)
    assert [run.state for run in runs] == ["finished"] * 3
    assert [run.config for run in runs] == [{"x": x, "optimizer": {"beta": 0.9}} for x in (1, 2, 3)]
    assert [run.summary["score"] for run in runs] == [0.5, 1.0, 1.5]
    assert [row["score"] for row in runs[2].scan_history()] == [3.0, 1.5]
    assert (runs[0].group, runs[0].job_type) == ("task", "sweep")
    assert found.best_run().id == runs[2].id


def test_it_stops_a_run_by_hyperband_and_goes_on(server, wandb):
    import time

    sweep = wandb.sweep(SWEEP | {"early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 100}}, project="dna")

    def train():
        with wandb.init(settings=wandb.Settings(x_file_stream_transmit_interval=1)) as run:
            for step in range(100):
                run.log({"score": -run.config["x"]}, step=step)
                time.sleep(0.05)
                if step == 2 and run.config["x"] < 3:
                    return

    wandb.agent(sweep, function=train, project="dna", count=3)
    runs = server.runs_of(sweep)
    assert [run.stopped for run in runs] == [False, False, True]
    assert [len(run.history) < 100 for run in runs] == [True, True, True]


def test_a_wrong_key_is_refused(server, wandb, monkeypatch):
    monkeypatch.setenv("WANDB_API_KEY", "f" * 40)
    wandb.teardown()
    with pytest.raises(wandb.errors.AuthenticationError):
        wandb.Api().viewer  # noqa: B018
