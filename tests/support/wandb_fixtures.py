"""A server of W&B's kind for a test, and a client that knows no other."""

import pytest

from .wandb_server import KEY, WandbServer


@pytest.fixture
def server(tmp_path, monkeypatch):
    """A server with a logged-in client; the test fails if the client asked for what the server does not model."""
    import wandb
    from wandb.agents.pyagent import Agent

    wandb.teardown()
    with WandbServer() as running:
        for name, value in {
            "WANDB_BASE_URL": running.url,
            "WANDB_API_KEY": KEY,
            "WANDB_DIR": str(tmp_path / "wandb-runs"),
        }.items():
            monkeypatch.setenv(name, value)
        (tmp_path / "wandb-runs").mkdir()
        for name in ("WANDB_MODE", "WANDB_ENTITY", "WANDB_PROJECT", "WANDB_SWEEP_ID", "WANDB_RUN_ID", "WANDB_SILENT"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setattr(Agent, "HEARTBEAT_SLEEP_SECONDS", 0.2)
        yield running
        wandb.teardown()
    assert running.unmodelled == set()
    assert running.mistakes == []
