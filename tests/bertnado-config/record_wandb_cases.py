"""Record what W&B's own engine makes of parameters, grids and files, for `test_wandb_cases.py`.

The package `sweeps` is what W&B's server runs. It needs numpy < 2, so it cannot live in the workspace's environment;
run this in one of its own whenever a case is added:

    uv run --isolated --no-project --with 'sweeps==0.3.0' --with 'numpy<2' \
        python tests/bertnado-config/record_wandb_cases.py
"""

import json
from pathlib import Path

from sweeps import next_runs
from sweeps.config import fill_validate_early_terminate, schema_violations_from_proposed_config
from sweeps.params import HyperParameter

FILE = Path(__file__).parent / "data" / "wandb_cases.json"

QUANTILES = (0.02, 0.11, 0.26, 0.37, 0.48, 0.61, 0.77, 0.89, 0.98)

PARAMETERS = (
    {"value": "linear"},
    {"values": [1, 2, 4, 8]},
    {"values": ["linear", "cosine", "constant"]},
    {"values": [16, 32, 64], "probabilities": [0.5, 0.3, 0.2]},
    {"values": ["a", "b"], "probabilities": [0.25, 0.75]},
    {"min": 1, "max": 7},
    {"min": -3, "max": 1000},
    {"min": 0.0, "max": 0.3},
    {"min": -2, "max": 2.5},
    {"distribution": "uniform", "min": 1, "max": 3},
    {"distribution": "q_uniform", "min": 0, "max": 20, "q": 5},
    {"distribution": "q_uniform", "min": 0.0, "max": 0.5, "q": 0.1},
    {"distribution": "q_uniform", "min": 2, "max": 9},
    {"distribution": "log_uniform", "min": -12.5, "max": -2},
    {"distribution": "log_uniform_values", "min": 1e-6, "max": 5e-5},
    {"distribution": "log_uniform_values", "min": 1, "max": 1000},
    {"distribution": "inv_log_uniform", "min": 2, "max": 9},
    {"distribution": "inv_log_uniform_values", "min": 1e-4, "max": 1e-1},
    {"distribution": "q_log_uniform", "min": 0, "max": 6, "q": 1},
    {"distribution": "q_log_uniform_values", "min": 8, "max": 512, "q": 8},
    {"distribution": "q_log_uniform_values", "min": 0.5, "max": 20, "q": 0.5},
    {"distribution": "normal"},
    {"distribution": "normal", "mu": 3, "sigma": 0.5},
    {"distribution": "q_normal", "mu": 100, "sigma": 30, "q": 10},
    {"distribution": "q_normal", "mu": 0, "sigma": 1, "q": 0.25},
    {"distribution": "log_normal"},
    {"distribution": "log_normal", "mu": -9, "sigma": 1.5},
    {"distribution": "q_log_normal", "mu": 3, "sigma": 1, "q": 4},
    {"distribution": "beta"},
    {"distribution": "beta", "a": 2, "b": 5},
    {"distribution": "q_beta", "a": 2, "b": 2, "q": 0.1},
)

OUT_OF_BOUNDS = (
    {"distribution": "q_uniform", "min": 1, "max": 11, "q": 4},
    {"distribution": "q_log_uniform_values", "min": 1, "max": 99, "q": 10},
)
"""Parameters that W&B's engine quantises past their own bounds."""

GRIDS = (
    {"b": {"values": [1, 2]}, "a": {"values": ["x", "y", "z"]}},
    {"z": {"value": 0}, "B": {"values": [1, 2]}, "a": {"min": 1, "max": 3}, "_": {"values": [True, False]}},
    {
        "optimizer": {"parameters": {"name": {"values": ["adam", "sgd"]}, "lr": {"values": [0.1, 0.01]}}},
        "epochs": {"values": [3, 5]},
        "zeta": {"parameters": {"deep": {"parameters": {"x": {"min": 0, "max": 1}}}}},
    },
)

EARLY_TERMINATES = (
    {"type": "hyperband", "min_iter": 3},
    {"type": "hyperband", "max_iter": 27, "s": 2, "eta": 2, "strict": False},
)

NORMALISED = (
    {
        "method": "random",
        "run_cap": 20,
        "parameters": {
            "learning_rate": {"distribution": "log_uniform_values", "min": 1e-6, "max": 5e-5},
            "dropout": {"distribution": "uniform", "min": 0.0, "max": 1.0},
            "epochs": {"distribution": "int_uniform", "min": 3, "max": 8},
            "batch": {"distribution": "categorical", "values": [16, 32]},
            "warmup": {"distribution": "categorical", "values": [None, 1e-4, True]},
            "seed": {"distribution": "constant", "value": 7},
            "kernel": {
                "distribution": "categorical_w_probabilities",
                "values": [3, 5],
                "probabilities": [0.25, 0.75],
            },
        },
    },
    {
        "name": "nested",
        "description": "Nested parameters and every section.",
        "project": "bertnado",
        "entity": "lab",
        "program": "train.py",
        "command": ["${env}", "python", "${program}", "${args}"],
        "controller": {"type": "cloud"},
        "method": "bayes",
        "metric": {"name": "eval/roc_auc", "goal": "maximize", "target": 0.99, "impute_while_running": "false"},
        "early_terminate": {"type": "hyperband", "min_iter": 3, "eta": 2.5},
        "parameters": {
            "optimizer": {
                "parameters": {
                    "lr": {"distribution": "normal", "mu": 0.1, "sigma": 0.01},
                    "momentum": {"distribution": "q_beta", "a": 2, "b": 5, "q": 0.1},
                }
            },
            "training_args.warmup_steps": {"distribution": "q_uniform", "min": 0, "max": 500, "q": 50},
        },
    },
)
"""Files as `SweepConfig.to_wandb` gives them."""


def plain(value):
    return value.tolist() if hasattr(value, "tolist") else value


def quantiles_of(parameter):
    form = HyperParameter("x", parameter)
    return {"parameter": parameter, "values": [[u, plain(form.ppf(u))] for u in QUANTILES]}


def unwrapped(run):
    return {name: content["value"] for name, content in run.config.items()}


def points_of(parameters):
    config = {"method": "grid", "parameters": parameters}
    return {"parameters": parameters, "points": [unwrapped(run) for run in next_runs(config, [], n=1000) if run]}


def main():
    cases = {
        "quantiles": [quantiles_of(parameter) for parameter in PARAMETERS],
        "out_of_bounds": [quantiles_of(parameter) for parameter in OUT_OF_BOUNDS],
        "grids": [points_of(parameters) for parameters in GRIDS],
        "early_terminates": [
            {
                "declared": section,
                "filled": fill_validate_early_terminate({"early_terminate": section})["early_terminate"],
            }
            for section in EARLY_TERMINATES
        ],
        "normalised": [
            {"file": config, "violations": schema_violations_from_proposed_config(config)} for config in NORMALISED
        ],
    }
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
