"""The final model."""

import json

import pytest
import torch
from bertnado_metrics import Objective
from bertnado_train import TrainingInputs, train_model
from transformers import AutoModelForSequenceClassification, AutoTokenizer, pipeline

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 6, "eval_steps": 2, "learning_rate": 1e-3}


@pytest.fixture
def final(model_dir, dataset_dir, tmp_path):
    """Train a final model."""

    def run(parameters=QUICK, **options):
        inputs = TrainingInputs(model_name=str(model_dir), dataset=options.pop("dataset", dataset_dir))
        return train_model(inputs, parameters, AUC, tmp_path / "out", **options)

    return run


def test_the_model_and_its_tokenizer_load_and_predict(final, sequences):
    model_path = final().model_path
    model = AutoModelForSequenceClassification.from_pretrained(model_path)
    assert model.config.problem_type == "multi_label_classification"
    classify = pipeline("text-classification", model=model, tokenizer=AutoTokenizer.from_pretrained(model_path))
    (answer,) = classify(sequences["test"][0][0])
    assert 0 < answer["score"] < 1


def test_metrics_json_holds_validation_at_the_best_step_and_test_once(final):
    trained = final()
    metrics = json.loads(trained.metrics_path.read_text())
    best = next(row for row in trained.result.history if row["step"] == trained.result.step)
    assert metrics["validation"]["roc_auc"] == best["eval/roc_auc"] == metrics["objective"]["value"]
    assert set(metrics["test"]) == set(metrics["validation"])
    assert metrics["seed"] == 42
    assert metrics["details"]["arguments"]["learning_rate"] == 1e-3


def test_without_a_test_split_there_are_no_test_metrics(final, write_dataset, sequences):
    splits = {
        name: {"sequence": texts, "labels": labels.tolist()}
        for name, (texts, labels) in sequences.items()
        if name != "test"
    }
    assert "test" not in final(dataset=write_dataset(**splits)).metrics


def test_the_test_metrics_are_those_of_the_saved_model(final, dataset_dir, sequences):
    from bertnado_metrics import compute_metrics

    trained = final()
    tokenizer = AutoTokenizer.from_pretrained(trained.model_path)
    model = AutoModelForSequenceClassification.from_pretrained(trained.model_path).eval()
    texts, labels = sequences["test"]
    encoded = tokenizer(texts, padding=True, return_tensors="pt")
    logits = model(encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits.detach().numpy()
    expected = compute_metrics("binary_classification", logits, labels)
    assert trained.metrics["test"] == pytest.approx(expected, abs=1e-4)


def test_patience_ends_training_after_so_many_evaluations_without_an_improvement(final):
    never_better = {"max_steps": 10, "eval_steps": 1, "learning_rate": 0.0}
    assert [row["step"] for row in final(never_better, patience=3).result.history] == [1, 2, 3, 4]


def test_a_pipeline_gives_the_probability_of_the_positive_class(final, sequences):
    trained = final()
    text = sequences["validation"][0][0]
    model = AutoModelForSequenceClassification.from_pretrained(trained.model_path).eval()
    tokens = AutoTokenizer.from_pretrained(trained.model_path)(text, return_tensors="pt")
    with torch.no_grad():
        probability = float(model(**tokens).logits.sigmoid())
    (said,) = pipeline("text-classification", str(trained.model_path), device="cpu")(text)
    assert said == {"label": "positive", "score": pytest.approx(probability, abs=1e-5)}
