"""A sweep over `reverse_complement`, its final model, and predictions as that model was chosen."""

import csv
import json

import datasets
import numpy as np
import pytest
import torch
from bertnado.api import run_sweep, train_model
from bertnado.cli import main
from bertnado_train.sequence_rules import reverse_complement
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def plain_probabilities(directory, texts, *, is_averaged):
    """Those of plain transformers and numpy; the mean is that of the logits."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
    strands = [texts, [reverse_complement(text) for text in texts]] if is_averaged else [texts]
    with torch.no_grad():
        logits = np.mean(
            [[model(**tokenizer(text, return_tensors="pt")).logits.item() for text in strand] for strand in strands], 0
        )
    return 1 / (1 + np.exp(-logits))


@pytest.fixture
def predict(tmp_path, material):
    """Predict the test split of the dataset with the command: (what it says, the probabilities)."""

    def run(model, *flags):
        output = tmp_path / "predictions.tsv"
        asked = ["predict", "--model", model, "--input", material / "dataset", "--split", "test", "--output", output]
        done = CliRunner().invoke(main, [*map(str, asked), *flags])
        assert done.exit_code == 0, done.output
        with output.open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))
        said = json.loads(done.stdout[done.stdout.index("{") :])
        return said, [float(row["probability_positive"]) for row in rows]

    return run


def test_a_sweep_over_all_values_and_a_model_that_predicts_as_it_was_chosen(material, tmp_path, predict):
    sweep = json.loads((material / "sweep.json").read_text())
    fixed = {"learning_rate": 0.01, "per_device_train_batch_size": 16, "max_steps": 6, "eval_steps": 3}
    parameters = {name: {"value": value} for name, value in fixed.items()}
    parameters["reverse_complement"] = {"values": ["none", "augment", "average"]}
    (tmp_path / "sweep.json").write_text(json.dumps(sweep | {"method": "grid", "parameters": parameters}))
    given = {"dataset": material / "dataset", "model_name": str(material / "model")}
    run_sweep(config_path=tmp_path / "sweep.json", output_dir=tmp_path / "out", backend="local", **given)
    records = [json.loads(file.read_text()) for file in (tmp_path / "out").glob("sweep_*/trial.json")]
    assert {record["parameters"]["reverse_complement"] for record in records} == {"none", "augment", "average"}
    assert len({record["value"] for record in records}) > 1

    config = json.loads((tmp_path / "out" / "best_sweep_config.json").read_text())
    assert config["reverse_complement"] in ("none", "augment", "average")
    (tmp_path / "best.json").write_text(json.dumps(config | {"reverse_complement": "average"}))
    final = train_model(tmp_path / "final", best_config_path=tmp_path / "best.json", **given)

    stored = datasets.load_from_disk(str(material / "dataset"))["test"]
    texts, labels = stored["sequence"][:], stored["labels"][:]
    averaged, alone = (plain_probabilities(final["model_path"], texts, is_averaged=chosen) for chosen in (True, False))
    assert final["test_metrics"]["roc_auc"] == pytest.approx(roc_auc_score(labels, averaged), abs=1e-3)
    said, found = predict(final["model_path"])
    assert (said["reverse_complement"], found) == ("average", pytest.approx(averaged, abs=1e-5))
    said, found = predict(final["model_path"], "--reverse-complement", "none")
    assert (said["reverse_complement"], found) == ("none", pytest.approx(alone, abs=1e-5))
