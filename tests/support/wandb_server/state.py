"""What the server knows: sweeps, their agents, and runs."""

import itertools
import json
import math
import random
from dataclasses import dataclass, field
from datetime import UTC, datetime


def now():
    return datetime.now(UTC).isoformat()


@dataclass
class Run:
    """A run. It is pending until a client has begun it, and finished or failed by the exit code that it sends."""

    name: str
    project: str
    entity: str
    sweep: str | None = None
    config: dict = field(default_factory=dict)
    """Key to value, without W&B's wrapping."""
    state: str = "pending"
    display_name: str | None = None
    group: str | None = None
    job_type: str | None = None
    summary: dict = field(default_factory=dict)
    history: list = field(default_factory=list)
    exitcode: int | None = None
    stopped: bool = False
    """Somebody wants it to stop."""
    files: dict = field(default_factory=dict)
    created: str = field(default_factory=now)
    number: int = 0
    """By creation."""

    @property
    def is_over(self):
        return self.state in ("finished", "failed", "crashed", "killed")

    def take_stream(self, body):
        """Take in one body of the file stream."""
        for name, part in body.get("files", {}).items():
            lines = [line for line in part["content"] if line]
            if name == "wandb-history.jsonl":
                self.history[part["offset"] :] = [json.loads(line) for line in lines]
            elif name == "wandb-summary.json" and lines:
                self.summary = json.loads(lines[-1])
        if body.get("complete"):
            self.exitcode = body.get("exitcode", 0)
            self.state = "finished" if self.exitcode == 0 else "failed"


@dataclass
class Sweep:
    """A sweep: it hands out configurations until its grid is spent or its run cap is met."""

    name: str
    project: str
    entity: str
    text: str
    """The config as the client sent it."""
    config: dict
    description: str | None = None
    state: str = "RUNNING"
    created: str = field(default_factory=now)
    agents: set = field(default_factory=set)
    handed_out: int = 0
    rng: random.Random = field(default_factory=lambda: random.Random(0))

    @property
    def size(self):
        """How many runs there may be; infinite where nobody says."""
        limits = [self.config.get("run_cap") or math.inf]
        if self.config["method"] == "grid":
            limits.append(math.prod(len(values) for values in _leaves(self.config["parameters"]).values()))
        return min(limits)

    def is_reached_by(self, runs):
        """Whether a run has come to the metric's target."""
        metric = self.config.get("metric") or {}
        values = [run.summary.get(metric.get("name")) for run in runs if run.state == "finished"]
        known = [value for value in values if isinstance(value, int | float)]
        if "target" not in metric or not known:
            return False
        return max(known) >= metric["target"] if metric.get("goal") == "maximize" else min(known) <= metric["target"]

    def choose(self):
        """The next configuration, nested; `None` where there is none."""
        if self.handed_out >= self.size:
            return None
        leaves = _leaves(self.config["parameters"])
        if self.config["method"] == "grid":
            chosen = next(itertools.islice(itertools.product(*leaves.values()), self.handed_out, None))
        else:
            chosen = [self._draw(values) for values in leaves.values()]
        self.handed_out += 1
        config = {}
        for path, value in zip(leaves, chosen, strict=True):
            place = config
            for key in path[:-1]:
                place = place.setdefault(key, {})
            place[path[-1]] = value
        return config

    def _draw(self, values):
        if not isinstance(values, tuple):
            return self.rng.choice(values)
        low, high, distribution = values
        if "log" in distribution and "values" in distribution:
            return math.exp(self.rng.uniform(math.log(low), math.log(high)))
        return self.rng.randint(low, high) if isinstance(low, int) else self.rng.uniform(low, high)


def _leaves(parameters, above=()):
    """Each parameter's values by its path: a list, or (min, max, distribution)."""
    leaves = {}
    for name, parameter in parameters.items():
        path = (*above, name)
        if "parameters" in parameter:
            leaves |= _leaves(parameter["parameters"], path)
        elif "value" in parameter:
            leaves[path] = [parameter["value"]]
        elif "values" in parameter:
            leaves[path] = list(parameter["values"])
        else:
            leaves[path] = (parameter["min"], parameter["max"], parameter.get("distribution", "uniform"))
    return leaves


def falls_behind(run, runs, sweep):
    """Whether hyperband would stop the run: the simplest reading of W&B's rules, by `min_iter` alone."""
    section = sweep.config.get("early_terminate")
    metric = sweep.config.get("metric")
    if not section or not metric:
        return False
    sign = -1 if metric.get("goal") == "maximize" else 1

    def losses(of):
        values = [row.get(metric["name"]) for row in of.history]
        return [sign * value for value in values if isinstance(value, int | float) and math.isfinite(value)]

    own, eta = losses(run), section.get("eta", 3)
    bands = [band for band in (section["min_iter"] * eta**k for k in range(20)) if band <= len(own)]
    if not bands:
        return False
    reached = sorted(losses(other)[bands[-1] - 1] for other in runs if len(losses(other)) >= bands[-1])
    return own[bands[-1] - 1] > reached[int(len(reached) / eta)]
