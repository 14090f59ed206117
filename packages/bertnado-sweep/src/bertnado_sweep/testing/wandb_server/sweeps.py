"""The sweeps that the server stores, and how they choose parameters and stop runs."""

from __future__ import annotations

import itertools
import math
import random
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from .runs import now

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from .runs import Run

    Path: TypeAlias = tuple[str, ...]

_MOST_BANDS = 20


@dataclass(frozen=True)
class _Range:
    lowest: float
    highest: float
    distribution: str

    def draw(self, rng: random.Random) -> float:
        if "log" in self.distribution and "values" in self.distribution:
            return math.exp(rng.uniform(math.log(self.lowest), math.log(self.highest)))
        if isinstance(self.lowest, int) and isinstance(self.highest, int):
            return rng.randint(self.lowest, self.highest)
        return rng.uniform(self.lowest, self.highest)


@dataclass
class Sweep:
    """A sweep: it hands out configurations until its grid is spent or its run cap is reached."""

    name: str
    project: str
    entity: str
    text: str
    """The sweep file as the client sent it."""
    config: dict[str, Any]
    description: str | None = None
    state: str = "RUNNING"
    created: str = field(default_factory=now)
    agents: set[str] = field(default_factory=set[str])
    handed_out: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(0))  # noqa: S311 (no secret)

    @property
    def size(self) -> float:
        """The largest number of runs; infinite if nothing limits it."""
        limits: list[float] = [self.config.get("run_cap") or math.inf]
        if self.config["method"] == "grid":
            limits.append(math.prod(len(values) for values in self._choices().values()))
        return min(limits)

    def is_target_reached(self, runs: Iterable[Run]) -> bool:
        """Return True if a finished run has reached the target of the metric."""
        metric: Mapping[str, Any] = self.config.get("metric") or {}
        values = [run.summary.get(metric.get("name", "")) for run in runs if run.state == "finished"]
        known = [value for value in values if isinstance(value, int | float)]
        if "target" not in metric or not known:
            return False
        return max(known) >= metric["target"] if metric.get("goal") == "maximize" else min(known) <= metric["target"]

    def choose(self) -> dict[str, Any] | None:
        """Return the next configuration, nested; None if there are no more."""
        if self.handed_out >= self.size:
            return None
        if self.config["method"] == "grid":
            choices = self._choices()
            combination = next(itertools.islice(itertools.product(*choices.values()), self.handed_out, None))
            chosen = dict(zip(choices, combination, strict=True))
        else:
            chosen = {path: self._draw(values) for path, values in _leaves(self.config["parameters"]).items()}
        self.handed_out += 1
        return _nested(chosen)

    def _choices(self) -> dict[Path, Sequence[Any]]:
        leaves = _leaves(self.config["parameters"])
        return {path: values for path, values in leaves.items() if not isinstance(values, _Range)}

    def _draw(self, values: Sequence[Any] | _Range) -> Any:
        return values.draw(self.rng) if isinstance(values, _Range) else self.rng.choice(values)


def _leaves(parameters: Mapping[str, Any], above: Path = ()) -> dict[Path, Sequence[Any] | _Range]:
    """Return the values of each parameter by its path."""
    leaves: dict[Path, Sequence[Any] | _Range] = {}
    for name, parameter in parameters.items():
        path = (*above, name)
        if "parameters" in parameter:
            leaves |= _leaves(parameter["parameters"], path)
        elif "value" in parameter:
            leaves[path] = [parameter["value"]]
        elif "values" in parameter:
            leaves[path] = list(parameter["values"])
        else:
            leaves[path] = _Range(parameter["min"], parameter["max"], parameter.get("distribution", "uniform"))
    return leaves


def _nested(values: Mapping[Path, Any]) -> dict[str, Any]:
    config: dict[str, Any] = {}
    for path, value in values.items():
        place = config
        for name in path[:-1]:
            place = place.setdefault(name, {})
        place[path[-1]] = value
    return config


def falls_behind(run: Run, runs: Iterable[Run], sweep: Sweep) -> bool:
    """Return True if Hyperband stops the run, by the simplest reading of W&B's rules: `min_iter` and `eta` alone."""
    section, metric = sweep.config.get("early_terminate"), sweep.config.get("metric")
    if not section or not metric:
        return False
    sign = -1 if metric.get("goal") == "maximize" else 1

    def losses(of: Run) -> list[float]:
        values = [row.get(metric["name"]) for row in of.history]
        return [sign * value for value in values if isinstance(value, int | float) and math.isfinite(value)]

    own, eta = losses(run), float(section.get("eta", 3))
    bands = [int(section["min_iter"] * eta**k) for k in range(_MOST_BANDS)]
    bands = [band for band in bands if band <= len(own)]
    if not bands:
        return False
    last = bands[-1] - 1
    reached = sorted(values[last] for values in map(losses, runs) if len(values) > last)
    return own[last] > reached[int(len(reached) / eta)]
