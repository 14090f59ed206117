"""What the server stores, and what a test can do to it."""

from __future__ import annotations

import json
import math
import threading
from typing import TYPE_CHECKING, Any

from .runs import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from .graphql_request import Arguments
    from .sweeps import Sweep


class Store:
    """The sweeps and the runs, and the agents' orders."""

    def __init__(self) -> None:
        self.sweeps: dict[str, Sweep] = {}
        """By name."""
        self.runs: dict[tuple[str, str, str], Run] = {}
        """By entity, project and name, in the order of their creation."""
        self.unsupported: set[str] = set()
        """Everything that the client asked for and the server does not support."""
        self.choose: Callable[[Sweep, dict[str, Any]], dict[str, Any]] | None = None
        """Replaces the choice of a sweep: a function of the sweep and of the parameters that it chose."""
        self.lock = threading.RLock()
        self.orders: dict[str, list[dict[str, Any]]] = {}
        """Commands that an agent gets before any other, by the agent's id."""

    def stop_run(self, name: str) -> None:
        """Ask a run to stop, as the button on W&B's pages does."""
        self.run(name).stopped = True

    def cancel(self, sweep: str) -> None:
        """Cancel a sweep: its agents are told to exit."""
        self.sweeps[sweep].state = "CANCELED"

    def delete(self, sweep: str) -> None:
        """Delete a sweep: its agents get HTTP 404."""
        del self.sweeps[sweep]

    def exit_agents(self, sweep: str) -> None:
        """Tell every agent of a sweep, once, to exit."""
        for agent in self.sweeps[sweep].agents:
            self.orders.setdefault(agent, []).append({"type": "exit"})

    def run(self, name: str) -> Run:
        """Return the run of that name."""
        (found,) = [run for run in self.runs.values() if run.name == name]
        return found

    def runs_of(self, sweep: str) -> list[Run]:
        """Return the runs of a sweep in the order of their creation."""
        return [run for run in self.runs.values() if run.sweep == sweep]

    def add_run(self, sweep: str, name: str, **fields: Any) -> Run:
        """Add a run to a sweep, as if another machine had run it."""
        owner = self.sweeps[sweep]
        return self.create_run(owner.entity, owner.project, name, sweep=sweep, **fields)

    def create_run(self, entity: str, project: str, name: str, **fields: Any) -> Run:
        """Add a run to a project."""
        run = Run(name, project, entity, number=len(self.runs), **fields)
        self.runs[entity, project, name] = run
        return run

    def find_sweep(self, entity: str, project: str, name: str) -> Sweep | None:
        """Return the sweep of that name in a project; None if there is none."""
        sweep = self.sweeps.get(name)
        return sweep if sweep and (sweep.entity, sweep.project) == (entity, project) else None

    def matching_runs(self, entity: str, project: str, arguments: Arguments) -> Sequence[Run]:
        """Return the runs of a project that `filters` select, in the `order` asked for."""
        filters: Mapping[str, Any] = json.loads(arguments.get("filters", "{}"))
        runs = [run for (owner, place, _), run in self.runs.items() if (owner, place) == (entity, project)]
        for condition in filters.get("$and", []):
            for key, value in condition.items():
                if key == "sweep":
                    runs = [run for run in runs if run.sweep == value]
                else:
                    self.unsupported.add(f"filters.{key}")
        return _ordered(runs, arguments.get("order"))


def _ordered(runs: list[Run], order: str | None) -> list[Run]:
    """Return the runs by creation, or by a number of the summary; runs without it come last."""
    if not order or "created_at" in order or "createdAt" in order:
        return runs[::-1] if (order or "").startswith("-") else runs
    key = order[1:].removeprefix("summary_metrics.")
    sign = -1 if order.startswith("-") else 1

    def rank(run: Run) -> tuple[int, float, int]:
        value = run.summary.get(key)
        if not isinstance(value, int | float):
            return 2, 0, run.number
        if math.isnan(value):
            return 0, 0, run.number  # as W&B's database sorts it: above every number
        return 1, sign * value, run.number

    return sorted(runs, key=rank)
