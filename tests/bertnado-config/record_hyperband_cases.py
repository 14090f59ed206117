"""Record what W&B's own engine decides, for `test_hyperband.py` to compare with.

Runs in an environment of its own, because the engine needs an older numpy:

    uv run --no-project --python 3.11 --with "sweeps==0.3.0" --with "numpy<2" \
        python tests/bertnado-config/record_hyperband_cases.py

Non-finite numbers are written as the strings "nan", "inf" and "-inf", so that the file is plain JSON.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path
from typing import Any

from sweeps import RunState, SweepRun, stop_runs

CASES = 400
SEED = 20261123
OUTPUT = Path(__file__).parent / "data" / "hyperband_cases.json"
METRIC = "eval/roc_auc"


def random_section(rng: random.Random) -> dict[str, Any]:
    """An `early_terminate` section, each of its optional keys absent at times."""
    section: dict[str, Any] = {"type": "hyperband"}
    form = rng.choice(["min_iter", "max_iter", "both"])
    if form != "max_iter":
        section["min_iter"] = rng.randint(1, 6)
    if form != "min_iter":
        section["max_iter"] = rng.randint(3, 40)
        section["s"] = rng.randint(1, 4)
    if rng.random() < 0.8:
        section["eta"] = rng.choice([1.1, 1.5, 2, 2.0, 2.5, 3, 4, 7])
    if rng.random() < 0.6:
        section["strict"] = rng.choice([True, False])
    return section


def random_history(rng: random.Random) -> list[float]:
    """A trial's evaluations: a noisy curve or few distinct values (ties), with values that are no numbers."""
    length = rng.choice([0, 1, 2, 3, rng.randint(0, 30), rng.randint(0, 30)])
    level = rng.random()
    tied = rng.random() < 0.3
    values = [
        rng.choice([0.25, 0.5, 0.75]) if tied else level + 0.02 * step + rng.gauss(0, 0.2) for step in range(length)
    ]
    bad = rng.choice([0.0, 0.0, 0.1, 0.5])
    return [rng.choice([math.nan, math.inf, -math.inf]) if rng.random() < bad else value for value in values]


def random_case(rng: random.Random) -> dict[str, Any]:
    """A section, a goal and the histories of up to twelve trials, running ones and others."""
    trials = [{"running": rng.random() < 0.7, "history": random_history(rng)} for _ in range(rng.randint(1, 12))]
    goal = rng.choice(["maximize", "minimize"])
    return {"early_terminate": random_section(rng), "goal": goal, "trials": trials}


def decide(case: dict[str, Any]) -> dict[str, Any]:
    """The case with the engine's answer: which running trials it stops, or that it refuses the section."""
    runs = [
        SweepRun(
            name=str(number),
            state=RunState.running if trial["running"] else RunState.finished,
            history=[{METRIC: value} for value in trial["history"]],
        )
        for number, trial in enumerate(case["trials"])
    ]
    config = {
        "method": "random",
        "metric": {"name": METRIC, "goal": case["goal"]},
        "early_terminate": case["early_terminate"],
        "parameters": {"x": {"value": 1}},
    }
    try:
        stopped = stop_runs(config, runs)
    except ValueError:
        return {**case, "stopped": None}
    return {**case, "stopped": sorted(int(run.name) for run in stopped)}


def plain(value: Any) -> Any:
    """`value` with numbers that JSON does not have as strings."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else str(value)
    return value


def number(value: Any) -> Any:
    """The inverse of `plain`, so that the engine judges exactly the numbers that are written."""
    if isinstance(value, dict):
        return {key: number(item) for key, item in value.items()}
    if isinstance(value, list):
        return [number(item) for item in value]
    return float(value) if value in ("nan", "inf", "-inf") else value


if __name__ == "__main__":
    rng = random.Random(SEED)
    cases = [plain(decide(number(plain(random_case(rng))))) for _ in range(CASES)]
    lines = ",\n".join(json.dumps(case) for case in cases)
    OUTPUT.write_text(f"[\n{lines}\n]\n")
    print(f"{len(cases)} cases, {sum(bool(case['stopped']) for case in cases)} of them with a stop: {OUTPUT}")
