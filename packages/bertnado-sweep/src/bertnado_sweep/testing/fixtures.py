"""The pytest fixture `wandb_server`.

Import it into a `conftest.py`, or name this module in `pytest_plugins`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .wandb_server import KEY, WandbServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["wandb_server"]

_HEARTBEAT_SECONDS = 0.2
"""An agent's pause between two questions to the server; W&B's own is 5 s."""


@pytest.fixture
def wandb_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WandbServer]:
    """Start a server, and let the client of this process know no other and write to the test's directory only.

    The test fails if the client asked for something that the server does not support.
    """
    import wandb
    from wandb.agents.pyagent import Agent

    wandb.teardown()
    files, runs = tmp_path / "wandb-files", tmp_path / "wandb-runs"
    for directory in (files, runs):
        directory.mkdir(exist_ok=True)
    for name in ("MODE", "ENTITY", "PROJECT", "SWEEP_ID", "RUN_ID", "SILENT"):
        monkeypatch.delenv(f"WANDB_{name}", raising=False)
    for name in ("CONFIG", "CACHE", "DATA", "ARTIFACT"):
        monkeypatch.setenv(f"WANDB_{name}_DIR", str(files))
    monkeypatch.setattr(Agent, "HEARTBEAT_SLEEP_SECONDS", _HEARTBEAT_SECONDS)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")  # nothing about a test is reported to W&B
    with WandbServer() as server:
        for name, value in {"BASE_URL": server.url, "API_KEY": KEY, "DIR": str(runs)}.items():
            monkeypatch.setenv(f"WANDB_{name}", value)
        yield server
        wandb.teardown()
    assert server.unsupported == set()
    assert server.errors == []
