"""One trial, really trained."""

import math

import numpy as np
import pytest
import torch
from bertnado_metrics import Judgement, Objective, compute_metrics, judge
from bertnado_train import DivergedError, train_trial
from bertnado_train.trial import SilentReport
from transformers import AutoModelForSequenceClassification, AutoTokenizer

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 6, "eval_steps": 2, "per_device_train_batch_size": 16, "learning_rate": 1e-3}


class Recorder(SilentReport):
    """Keeps what a trial reports, and stops it when it is told to."""

    def __init__(self, directory, objective=AUC, stop_after=None):
        super().__init__(directory, objective)
        self.steps, self.logged, self.evaluations, self.total = [], {}, [], None
        self.stop_after = stop_after

    def started(self, total_steps, details):
        self.total, self.details = total_steps, details

    def progress(self, step, metrics=None):
        if metrics is None:
            self.steps.append(step)
        else:
            self.logged[step] = metrics

    def __call__(self, step, value, metrics=None):
        self.evaluations.append((step, value, metrics))
        return len(self.evaluations) == self.stop_after


@pytest.fixture
def train(model_dir, dataset_dir, tmp_path):
    """Train one quick trial."""

    def run(parameters=None, objective=AUC, report=None, **options):
        arguments = QUICK | (parameters or {})
        return train_trial(
            str(model_dir),
            options.pop("dataset", dataset_dir),
            options.pop("task_type", "binary_classification"),
            {name: value for name, value in arguments.items() if value is not None},
            objective,
            tmp_path / "trial",
            report=report,
            **options,
        )

    return run


def predict(checkpoint, model_dir, texts):
    model = AutoModelForSequenceClassification.from_pretrained(checkpoint)
    encoded = AutoTokenizer.from_pretrained(model_dir)(list(texts), padding=True, return_tensors="pt")
    with torch.no_grad():
        return model.eval()(encoded["input_ids"], attention_mask=encoded["attention_mask"]).logits.numpy()


def test_the_value_is_the_objective_at_the_checkpoint_that_is_kept(train, model_dir, sequences):
    result = train()
    texts, labels = sequences["validation"]
    again = compute_metrics("binary_classification", predict(result.checkpoint, model_dir, texts), labels)
    assert result.value == pytest.approx(again["roc_auc"], abs=1e-4)
    best = next(row for row in result.history if row["step"] == result.step)
    assert {name: best[f"eval/{name}"] for name in again} == pytest.approx(again, abs=1e-4)


def test_the_value_is_the_best_of_the_history_and_not_the_last(train):
    result = train({"learning_rate": 0.05, "max_steps": 12, "eval_steps": 1, "lr_scheduler_type": "constant"})
    values = [row["eval/roc_auc"] for row in result.history]
    assert len(set(values)) > 1
    assert result.value == max(values)
    assert result.step == result.history[values.index(max(values))]["step"]


def test_a_metric_that_goes_down_is_judged_downwards(train):
    result = train(objective=Objective("eval/loss", "minimize"))
    assert result.value == min(row["eval/loss"] for row in result.history)


def test_every_evaluation_is_in_the_history_the_last_step_included(train):
    result = train({"max_steps": 5})
    assert [row["step"] for row in result.history] == [2, 4, 5]


@pytest.mark.parametrize(
    ("parameters", "steps"),
    [
        ({"max_steps": None, "epochs": 2, "eval_steps": None, "eval_strategy": "epoch"}, [6, 12]),
        ({"eval_steps": None, "eval_strategy": "no"}, [6]),
        ({"eval_steps": 100}, [6]),
        ({"eval_steps": None, "max_steps": 8, "eval_strategy": "epoch"}, [6, 8]),
    ],
)
def test_each_evaluation_strategy_evaluates_the_last_step_once(train, parameters, steps):
    assert [row["step"] for row in train(parameters).history] == steps


def test_the_same_seed_gives_the_same_history_and_another_seed_another(train):
    first, again, other = train(seed=5), train(seed=5), train(seed=6)
    assert first.history == again.history
    assert first.history != other.history
    assert (first.seed, other.seed) == (5, 6)


def test_the_head_of_the_model_is_initialised_from_the_seed_of_the_trial(train):
    parameters = {"learning_rate": 0.0, "max_steps": 1}
    assert train(parameters, seed=5).value == train(parameters, seed=5).value


def test_a_warmup_ratio_really_warms_up(train, tmp_path):
    report = Recorder(tmp_path / "trial")
    train({"warmup_ratio": 0.5, "max_steps": 8, "logging_steps": 1, "learning_rate": 1e-3}, report=report)
    rates = [report.logged[step]["train/learning_rate"] for step in range(1, 9)]
    assert rates[:5] == pytest.approx([0.0, 0.25e-3, 0.5e-3, 0.75e-3, 1e-3])
    assert rates[5:] == pytest.approx([0.75e-3, 0.5e-3, 0.25e-3])


def test_accumulated_micro_batches_train_as_the_whole_batch_does(train):
    sure = {"lr_scheduler_type": "constant", "max_steps": 3, "eval_steps": 1, "max_grad_norm": 0.0, "optim": "sgd"}
    off = {"per_device_train_batch_size": 32} | sure
    whole = train(off, seed=3)
    parts = train(off | {"per_device_train_batch_size": 8, "gradient_accumulation_steps": 4}, seed=3)
    assert [row["eval/loss"] for row in parts.history] == pytest.approx(
        [row["eval/loss"] for row in whole.history], abs=2e-3
    )


def test_the_report_hears_of_every_step_and_evaluation(train, tmp_path):
    report = Recorder(tmp_path / "trial")
    result = train(report=report)
    assert report.total == 6
    assert report.steps == [1, 2, 3, 4, 5, 6]
    assert [step for step, _, _ in report.evaluations] == [2, 4, 6]
    assert [value for _, value, _ in report.evaluations] == [row["eval/roc_auc"] for row in result.history]
    assert set(report.evaluations[0][2]) == {
        f"eval/{name}"
        for name in ("loss", "accuracy", "f1", "precision", "recall", "roc_auc", "average_precision", "mcc")
    }
    assert report.details == {name: value for name, value in result.details.items() if name != "judgement"}


def test_an_answer_of_the_report_stops_the_trial_and_its_best_is_kept(train, tmp_path):
    result = train(report=Recorder(tmp_path / "trial", stop_after=2))
    assert result.stopped
    assert [row["step"] for row in result.history] == [2, 4]
    assert result.checkpoint.joinpath("model.safetensors").is_file()


def test_a_checkpoint_is_the_model_and_its_tokenizer_alone(train, tmp_path, sequences):
    result = train()
    assert sorted(file.name for file in result.checkpoint.iterdir()) == [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    assert len(AutoTokenizer.from_pretrained(result.checkpoint)(sequences["train"][0][0])["input_ids"]) > 20
    assert [entry.name for entry in (tmp_path / "trial").iterdir()] == ["checkpoint"]


def test_a_loss_that_is_no_number_ends_the_trial_with_its_reason(train):
    with pytest.raises(DivergedError, match="the loss is nan after step 2; the learning rate, 1e"):
        train({"learning_rate": 1e30, "max_grad_norm": 0})


def test_the_effective_arguments_are_recorded(train):
    arguments = train({"weight_decay": "0.01", "epochs": 7}).details["arguments"]
    assert (arguments["weight_decay"], arguments["num_train_epochs"], arguments["seed"]) == (0.01, 7.0, 42)
    assert arguments["metric_for_best_model"] == "roc_auc"


def test_the_dataset_is_recorded_with_a_fingerprint(train):
    recorded = train().details["dataset"]
    assert recorded["rows"] == {"train": 96, "validation": 56, "test": 56}
    assert len(recorded["fingerprint"]) == 32


TASKS = {
    "multiclass_classification": ("eval/f1", lambda rng, rows: rng.integers(0, 3, rows).tolist()),
    "multilabel_classification": ("eval/roc_auc", lambda rng, rows: rng.integers(0, 2, (rows, 4)).tolist()),
    "regression": ("eval/r2", lambda rng, rows: rng.normal(size=rows).tolist()),
}


@pytest.mark.parametrize("task_type", sorted(TASKS))
def test_every_task_trains(train, write_dataset, sequences, task_type):
    metric, labels = TASKS[task_type]
    rng = np.random.default_rng(0)
    splits = {name: {"sequence": texts, "labels": labels(rng, len(texts))} for name, (texts, _) in sequences.items()}
    result = train(dataset=write_dataset(**splits), task_type=task_type, objective=Objective(metric, "maximize"))
    assert math.isfinite(result.value)
    model = AutoModelForSequenceClassification.from_pretrained(result.checkpoint)
    assert model.config.num_labels == {"multiclass_classification": 3, "multilabel_classification": 4}.get(task_type, 1)


def test_class_weights_reach_the_loss(train, write_dataset, sequences):
    splits = {name: {"sequence": texts, "labels": y.tolist()} for name, (texts, y) in sequences.items()}
    once = {"max_steps": 1, "learning_rate": 0.0}
    plain = train(once, dataset=write_dataset(**splits))
    (plain.checkpoint.parents[1] / "dataset" / "class_weights.json").write_text('{"0": 30, "1": 10}')
    weighted = train(once, dataset=plain.checkpoint.parents[1] / "dataset")
    assert weighted.history[0]["eval/loss"] > plain.history[0]["eval/loss"] * 1.2
    assert weighted.history[0]["eval/roc_auc"] == plain.history[0]["eval/roc_auc"]


@pytest.mark.gpu
def test_a_trial_uses_one_gpu(train):
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two GPUs")
    assert train({"per_device_train_batch_size": 8}).details["arguments"]["per_device_train_batch_size"] == 8


def test_what_the_predictions_at_the_best_checkpoint_are_worth_is_recorded(train):
    result = train({"learning_rate": 0.0, "max_steps": 40, "eval_steps": 4})
    judgement = Judgement.from_record(result.details["judgement"])
    assert judgement.rows == 56
    assert judgement.interval[0] < result.value < judgement.interval[1]
    first, *_, last = judgement.findings
    assert first.startswith("calls every validation row ")
    assert last == "was best at step 4 of 40, in the first tenth of training"


def test_it_is_that_of_the_checkpoint_and_not_of_the_last_evaluation(train, model_dir, sequences):
    result = train({"learning_rate": 0.05, "max_steps": 12, "eval_steps": 1, "lr_scheduler_type": "constant"})
    texts, labels = sequences["validation"]
    logits = predict(result.checkpoint, model_dir, texts)
    metrics = compute_metrics("binary_classification", logits, labels)
    again = judge("binary_classification", logits, labels, metrics, "roc_auc")
    assert result.step < 12
    assert result.details["judgement"]["interval"] == pytest.approx(again.interval, abs=1e-4)
