"""A trial that runs out of memory starts again with smaller batches, and gives the result of these."""

import pytest
import torch
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer, OutOfMemoryError, TrainingInputs
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import SilentReport, run_trial
from transformers import BertForSequenceClassification

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"epochs": 1, "eval_steps": 1, "per_device_train_batch_size": 24, "learning_rate": 1e-3}


@pytest.fixture
def memory(monkeypatch):
    """Let the model run out of memory with more rows than a limit, in training and in evaluation."""
    limits = {"train": 10**6, "evaluate": 10**6}
    whole = BertForSequenceClassification.forward

    def forward(self, input_ids=None, **inputs):
        if len(input_ids) > limits["train" if self.training else "evaluate"]:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return whole(self, input_ids=input_ids, **inputs)

    monkeypatch.setattr(BertForSequenceClassification, "forward", forward)
    return limits


@pytest.fixture
def session(model_dir, dataset_dir):
    return HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir, task_type="binary_classification").open()


@pytest.fixture
def run(session, tmp_path):
    def train(**parameters):
        return session.run(QUICK | parameters, SilentReport(tmp_path, AUC))

    return train


def batch_of(result):
    arguments = result.details["arguments"]
    return arguments["per_device_train_batch_size"], arguments["gradient_accumulation_steps"]


@pytest.mark.parametrize(
    ("limit", "asked", "used"),
    [
        (16, (24, 1), (12, 2)),
        (10, (24, 1), (8, 3)),
        (5, (24, 2), (4, 12)),
        (4, (6, 2), (4, 3)),
        (1, (7, 1), (1, 7)),
        (24, (24, 1), (24, 1)),
    ],
)
def test_the_next_smaller_batch_that_divides_the_effective_one_is_accumulated_to_it(run, memory, limit, asked, used):
    memory["train"] = limit
    result = run(per_device_train_batch_size=asked[0], gradient_accumulation_steps=asked[1])
    assert batch_of(result) == used
    assert [row["step"] for row in result.history] == list(range(1, -(-96 // (asked[0] * asked[1])) + 1))


def test_the_result_is_that_of_the_smaller_batch(run, memory):
    memory["train"] = 12
    reduced = run()
    memory["train"] = 10**6
    plain = run(per_device_train_batch_size=12, gradient_accumulation_steps=2)
    assert reduced.history == plain.history


def test_what_fits_is_remembered_for_the_next_trials_of_the_worker(run, memory, caplog):
    memory["train"] = 12
    assert batch_of(run()) == (12, 2)
    assert "out of memory in training with batches of 24 rows" in caplog.text
    caplog.clear()
    assert batch_of(run()) == (12, 2)
    assert batch_of(run(per_device_train_batch_size=8)) == (8, 1)
    assert caplog.text == ""
    assert batch_of(run(per_device_train_batch_size=48)) == (12, 4)
    assert "with batches of 16 rows" in caplog.text


def test_an_evaluation_that_does_not_fit_is_halved_and_its_numbers_are_the_same(run, memory):
    evaluated = {"per_device_eval_batch_size": 32, "max_steps": 1}
    plain = run(**evaluated)
    memory["evaluate"] = 9
    halved = run(**evaluated)
    assert halved.details["arguments"]["per_device_eval_batch_size"] == 8
    assert halved.history[0] == pytest.approx(plain.history[0], abs=1e-5)


@pytest.mark.parametrize("doing", ["train", "evaluate"])
@pytest.mark.slow
def test_a_single_row_that_does_not_fit_fails_with_what_to_do(run, memory, doing):
    memory[doing] = 0
    with pytest.raises(OutOfMemoryError, match=r"out of memory in .* with a single row; use shorter sequences"):
        run()


def test_a_trial_that_starts_again_reports_it_and_its_history_is_that_of_the_last_start(
    model_dir, dataset_dir, memory, tmp_path
):
    class Counting(SilentReport):
        def __init__(self):
            super().__init__(tmp_path, AUC)
            self.begun = []

        def started(self, total_steps, details):
            self.begun.append(details["arguments"]["per_device_train_batch_size"])

    memory["train"] = 6
    setup = open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=dataset_dir))
    report = Counting()
    result, _ = run_trial(setup, QUICK, report, tmp_path / "checkpoint")
    assert report.begun == [24, 12, 8, 6]
    assert [row["step"] for row in result.history] == [1, 2, 3, 4]


def test_other_errors_are_not_mistaken_for_it(run, monkeypatch):
    def forward(self, **inputs):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    monkeypatch.setattr(BertForSequenceClassification, "forward", forward)
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        run()
