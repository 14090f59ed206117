"""A sweep with every kind of trial, and with names that try to break out of whatever shows them."""

import math

from bertnado_config import TrialResult, write_json
from bertnado_sweep import run_sweep

SCRIPT = "</script><script>document.title='owned'</script>"
RIGHT_TO_LEFT = "\u05e9\u05dc\u05d5\u05dd \u202eabc"
QUOTES = "\"'&amp; <img src=x onerror=document.title='owned'>"
FORMULA = '=HYPERLINK("http://example.com")'
LONG = "x" * 300
KINDS = [SCRIPT, RIGHT_TO_LEFT, QUOTES, FORMULA, LONG, "\U0001f9ec emoji", "two\nlines"]

CONFIG = {
    "method": "random",
    "name": SCRIPT,
    "metric": {"name": "eval/roc_auc", "goal": "maximize"},
    "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 2},
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-2},
        "seed": {"min": 1, "max": 1000},
        "kind": {"values": KINDS},
        "target": {"values": [[1, 2], {"a": SCRIPT}, True]},
        "optimizer": {"parameters": {"beta": {"min": 0.8, "max": 0.999}, "eps": {"value": 1e-8}}},
    },
}

TRIALS = 20

DETAILS = {
    "arguments": {"learning_rate": 0.1, SCRIPT: SCRIPT},
    "dataset": {
        "path": f"/data/{SCRIPT}",
        "fingerprint": "abc123",
        "rows": {"train": 2400, "validation": 600},
        "classes": {"train": [1200, 1200], "validation": [300, 300]},
    },
    "device": "cpu",
}


def train(parameters, report):
    """Train to a value that depends on the learning rate; fail with some seeds."""
    report.started(40, DETAILS)
    if parameters["seed"] % 5 == 0:
        raise ValueError(f"{SCRIPT} {RIGHT_TO_LEFT} \x00 \ud800 {LONG}")
    top = 0.9 - 0.03 * abs(math.log10(parameters["learning_rate"]) + 4)
    history = []
    for step in range(1, 41):
        report.progress(step, {"train/loss": 0.7 * math.exp(-step / 20)})
        if step % 5 == 0:
            value = top - 0.4 * math.exp(-step / (8 + parameters["seed"] % 7))
            history.append({"step": step, "eval/roc_auc": value})
            if report(step, value):
                break
    return TrialResult(history[-1]["eval/roc_auc"], step=step, history=history, stopped=step < 40, details=DETAILS)


def run_hostile_sweep(output):
    """Run the sweep, with a confirmation and baselines beside it."""
    result = run_sweep(train, CONFIG, output_dir=output, backend="local", sweep_count=TRIALS, max_failures=TRIALS)
    ranked = sorted((trial for trial in result.trials if trial.is_eligible), key=lambda trial: -trial.value)[:3]
    objective = {"name": "eval/roc_auc", "goal": "maximize"}
    finalists = [
        {
            "trial": trial.number + 1,
            "id": trial.id,
            "parameters": trial.parameters,
            "search_value": trial.value,
            "runs": [
                {"seed": seed, "value": trial.value - seed / 100, "directory": SCRIPT, "state": "completed", "step": 1}
                for seed in (1, 2, 3)
            ],
            "mean": trial.value - 0.02,
            "standard_error": 0.01 / math.sqrt(3),
            "n": 3,
            "probability_best": 0.5,
            "dropped_after": None,
        }
        for trial in ranked
    ]
    write_json(
        output / "confirmation.json",
        {
            "format": 1,
            "sweep_id": result.sweep_id,
            "objective": objective,
            "seeds": [1, 2, 3],
            "finalists": finalists,
            "winner": ranked[0].number + 1,
            "search_best": ranked[0].value,
            "test": SCRIPT,
        },
    )
    found = [{"name": SCRIPT, "description": QUOTES, "seconds": 1.5, "metrics": {"validation": {"roc_auc": 0.81}}}]
    write_json(output / "baselines.json", {"format": 1, "objective": objective, "task": "x", "baselines": found})
    return result
