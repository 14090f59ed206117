"""The runs that the server stores."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


def now() -> str:
    """Return the time, ISO 8601, UTC."""
    return datetime.now(UTC).isoformat()


@dataclass
class Run:
    """A run: pending until a client starts it, then finished or failed by the exit code that the client sends."""

    name: str
    project: str
    entity: str
    sweep: str | None = None
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    """Values by key, without W&B's wrapping."""
    state: str = "pending"
    display_name: str | None = None
    group: str | None = None
    job_type: str | None = None
    summary: dict[str, Any] = field(default_factory=dict[str, Any])
    history: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    exitcode: int | None = None
    stopped: bool = False
    """True once the run was asked to stop."""
    files: dict[str, bytes] = field(default_factory=dict[str, bytes])
    created: str = field(default_factory=now)
    number: int = 0
    """Runs are numbered in the order of their creation."""

    @property
    def is_over(self) -> bool:
        """True if no client works on the run any more."""
        return self.state in ("finished", "failed", "crashed", "killed", "preempted")

    def take_stream(self, body: Mapping[str, Any]) -> None:
        """Store one body of the file stream."""
        for name, part in body.get("files", {}).items():
            lines = [line for line in part["content"] if line]
            if name == "wandb-history.jsonl":
                self.history[part["offset"] :] = [json.loads(line) for line in lines]
            elif name == "wandb-summary.json" and lines:
                self.summary = json.loads(lines[-1])
        if body.get("preempting"):
            self.state = "preempting"
        if body.get("complete"):
            self.exitcode = body.get("exitcode", 0)
            unsuccessful = "preempted" if self.state == "preempting" else "failed"
            self.state = "finished" if self.exitcode == 0 else unsuccessful
