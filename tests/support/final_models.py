"""The files of a final model as `full-train` writes them, of predictions that a test makes."""

import csv

import numpy as np
from bertnado_config import write_json

CONFIGURATION, FINGERPRINT = "c0ffee", "f00d"


def look(directory, *, time="2026-11-26T10:00:00+00:00", configuration=CONFIGURATION, **further):
    """A look at a test split, as it is recorded."""
    place = {"output_dir": str(directory), **further}
    return {"time": time, "configuration": configuration, "dataset": FINGERPRINT, **place}


def binary_predictions(rows=300, seed=0):
    """Which rows are positive, and their probabilities as text has them."""
    chance = np.random.default_rng(seed)
    truth = chance.random(rows) < 0.4
    scores = 1 / (1 + np.exp(-chance.normal(truth * 1.5 - 0.7, 1)))
    return truth, np.array([float(f"{score:.9g}") for score in scores])


def write_table(directory, header, rows):
    """Write `predictions.tsv`."""
    with (directory / "predictions.tsv").open("w", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerows([header, *rows])


def write_labelled(directory, names, probabilities, truth, predicted):
    """Write the predictions of classes or labels: boolean arrays of the shape (rows, names)."""

    def cell(chosen):
        return ";".join(name for name, one in zip(names, chosen, strict=True) if one)

    header = ["id", *(f"probability_{name}" for name in names), "label", "true_label"]
    pairs = enumerate(zip(probabilities, predicted, truth, strict=True))
    write_table(
        directory,
        header,
        [[row, *(f"{one:.9g}" for one in numbers), cell(made), cell(true)] for row, (numbers, made, true) in pairs],
    )


def metrics_of(test, **further):
    """The content of `metrics.json`."""
    name = next(iter(test))
    objective = {"name": f"eval/{name}", "goal": "maximize", "value": 0.5}
    details = {"dataset": {"fingerprint": FINGERPRINT}}
    return {"objective": objective, "test": test, "test_interval_over": "rows", "seed": 1, "details": details} | further


def per_class(names, truth, predicted):
    """Rows of the table of classes, without their qualities."""
    return [
        {"class": name, "rows": int(truth[:, column].sum()), "predicted": int(predicted[:, column].sum())}
        for column, name in enumerate(names)
    ]


def write_binary(directory, *, threshold=0.35, names=("control", "site"), rows=300, **further):
    """Write the final model of a binary task; return which rows are positive, and their probabilities."""
    directory.mkdir(parents=True, exist_ok=True)
    truth, scores = binary_predictions(rows)
    both, decided = np.column_stack([~truth, truth]), np.column_stack([scores <= threshold, scores > threshold])
    write_labelled(directory, names, np.column_stack([1 - scores, scores]), both, decided)
    confusion = (both.astype(int).T @ decided.astype(int)).tolist()
    content = {
        "validation": {"roc_auc": 0.91},
        "test_interval": {"roc_auc": [0.8, 0.9]},
        "threshold": {"values": [threshold], "chosen_on": "validation", "criterion": "youden", "reason": "it is best"},
        "per_class": per_class(names, both, decided),
        "confusion": {"classes": list(names), "rows": confusion},
        "test_looks": [look(directory)],
    }
    write_json(directory / "metrics.json", metrics_of({"roc_auc": 0.85, "f1": 0.7}, **{**content, **further}))
    return truth, scores
