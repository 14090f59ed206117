"""The optimisations that make a trial cheap do not change its result."""

import shutil

import numpy as np
import pytest
import torch
from bertnado_metrics import Objective, compute_metrics, get_task
from bertnado_train import DivergedError, HuggingFaceTrainer, TrainingInputs
from bertnado_train.batch_format import BatchFormat
from bertnado_train.task_loss import TaskLoss
from bertnado_train.task_trainer import TaskTrainer
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import SilentReport, run_trial
from transformers import AutoModel, AutoModelForSequenceClassification, set_seed

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 6, "eval_steps": 2, "per_device_train_batch_size": 16, "learning_rate": 1e-3}
BINARY = "binary_classification"
WIDTH = 256


@pytest.fixture
def setup(model_dir, dataset_dir):
    """The shared setup of these tests, in fp32."""
    return open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=dataset_dir, precision="fp32"))


@pytest.fixture
def evaluate(setup, tmp_path):
    """Evaluate the model that a trial starts from."""

    def run(split, **parameters):
        arguments = setup.training_arguments(parameters, AUC, tmp_path)
        return TaskTrainer(setup.model.copy(0), arguments, setup.task, None, split, split).evaluate()

    return run


def padded(split, pad_token_id=0):
    """The batch as a prepared dataset stores it: every row as wide as the model's positions."""
    input_ids = np.full((len(split), WIDTH), pad_token_id, dtype=np.int64)
    mask = np.zeros((len(split), WIDTH), dtype=np.int64)
    for index in range(len(split)):
        row = split[index]
        input_ids[index, : len(row["input_ids"])] = row["input_ids"]
        mask[index, : len(row["input_ids"])] = row["attention_mask"]
    return {"input_ids": torch.from_numpy(input_ids), "attention_mask": torch.from_numpy(mask)}


def logits_of(model, batch):
    inputs = {name: batch[name] for name in ("input_ids", "attention_mask")}
    with torch.no_grad():
        return model.eval()(**inputs).logits


@pytest.mark.parametrize("multiple", [1, 8])
def test_logits_and_loss_of_a_cut_batch_are_those_of_the_padded_one(setup, multiple):
    split = setup.dataset.splits["validation"]
    rows = split.__getitems__(range(16))
    model, loss = setup.model.copy(0), TaskLoss(get_task(BINARY), None)
    cut, whole = BatchFormat(preferred_multiple=multiple)(rows), padded(rows)
    assert cut["input_ids"].shape[1] < WIDTH / 3
    ours, theirs = logits_of(model, cut), logits_of(model, whole)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    labels = cut["labels"]
    torch.testing.assert_close(loss({"logits": ours}, labels), loss({"logits": theirs}, labels), atol=1e-5, rtol=0)


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_metrics_of_sorted_and_cut_rows_are_those_of_padded_rows_in_their_order(setup, evaluate, batch):
    split = setup.dataset.splits["validation"]
    numbers = evaluate(split, per_device_eval_batch_size=batch)
    logits = logits_of(setup.model.copy(0), padded(split)).numpy()
    expected = compute_metrics(BINARY, logits, split.labels)
    assert {name: numbers[f"eval_{name}"] for name in expected} == pytest.approx(expected, abs=1e-4)


def test_metrics_are_identical_where_the_batches_are(setup, evaluate):
    lengths = setup.dataset.splits["validation"].lengths
    rows = np.flatnonzero(lengths == np.bincount(lengths).argmax())
    split = setup.dataset.splits["validation"].__getitems__(rows)
    logits = logits_of(setup.model.copy(0), BatchFormat()(split)).numpy()
    numbers = evaluate(split)
    expected = compute_metrics(BINARY, logits, split.labels)
    numbers = {name: numbers[f"eval_{name}"] for name in expected}
    assert numbers == pytest.approx(expected, abs=0, rel=0, nan_ok=True)


def test_predictions_come_back_in_the_order_of_the_rows(setup, tmp_path):
    result, trainer = run_trial(setup, QUICK, SilentReport(tmp_path, AUC), tmp_path / "checkpoint")
    test = setup.dataset.splits["test"]
    predicted = trainer.predict(test)
    model = AutoModelForSequenceClassification.from_pretrained(result.checkpoint)
    expected = logits_of(model, BatchFormat()(test)).numpy()
    np.testing.assert_allclose(predicted.predictions, expected, atol=1e-5)
    np.testing.assert_array_equal(predicted.label_ids, test.labels)


class TestTrialsOfOneWorker:
    """A model that is read once gives every trial what reading it anew would give."""

    @pytest.fixture
    def session(self, model_dir, dataset_dir, tmp_path):
        directory = tmp_path / "model"
        shutil.copytree(model_dir, directory)
        session = HuggingFaceTrainer(model_name=str(directory), dataset=dataset_dir, task_type=BINARY).open()
        shutil.rmtree(directory)  # whoever reads it again fails
        return session

    @pytest.fixture
    def run(self, session, tmp_path):
        def run(**parameters):
            return session.run(QUICK | parameters, SilentReport(tmp_path, AUC))

        return run

    def test_the_third_trial_is_the_same_as_the_first(self, run):
        first = run()
        run(learning_rate=0.1, per_device_train_batch_size=8)
        again = run()
        assert again.history == first.history
        assert again.value == first.value

    def test_it_is_the_same_as_in_a_worker_of_its_own(self, run, model_dir, dataset_dir, tmp_path):
        run(seed=5)
        third = run(seed=3)
        alone = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir, task_type=BINARY).open()
        assert alone.run(QUICK | {"seed": 3}, SilentReport(tmp_path, AUC)).history == third.history

    def test_a_failed_trial_leaves_nothing_behind(self, run):
        first = run()
        with pytest.raises(DivergedError):
            run(learning_rate=1e30, max_grad_norm=0)
        assert run().history == first.history


@pytest.mark.parametrize("seed", [0, 1])
def test_a_copy_is_the_model_as_it_would_be_read(setup, model_dir, seed):
    set_seed(seed)
    read = AutoModelForSequenceClassification.from_pretrained(model_dir, num_labels=1).state_dict()
    copied = setup.model.copy(seed).state_dict()
    assert copied.keys() == read.keys()
    assert all(torch.equal(copied[name], read[name]) for name in read)


def test_training_a_copy_leaves_the_model_alone(setup):
    before = {name: weight.clone() for name, weight in setup.model.weights.items()}
    copied = setup.model.copy(0)
    with torch.no_grad():
        for weight in copied.parameters():
            weight.add_(1.0)
    assert all(torch.equal(before[name], weight) for name, weight in setup.model.weights.items())


def test_a_model_that_is_stored_in_half_precision_is_trained_in_fp32(model_dir, dataset_dir, tmp_path):
    AutoModel.from_pretrained(model_dir, dtype=torch.bfloat16).save_pretrained(tmp_path / "model")
    shutil.copy(model_dir / "tokenizer.json", tmp_path / "model")
    shutil.copy(model_dir / "tokenizer_config.json", tmp_path / "model")
    setup = open_training_setup(TrainingInputs(model_name=str(tmp_path / "model"), dataset=dataset_dir))
    assert {weight.dtype for weight in setup.model.copy(0).parameters()} == {torch.float32}


def test_grouping_by_length_makes_batches_of_like_lengths(setup, tmp_path):
    rows = setup.dataset.splits["train"]

    def widths(**parameters):
        arguments = setup.training_arguments({"per_device_train_batch_size": 8, **parameters}, AUC, tmp_path)
        trainer = TaskTrainer(setup.model.copy(0), arguments, setup.task, None, rows, rows)
        return [batch["input_ids"].shape[1] for batch in trainer.get_train_dataloader()]

    grouped, mixed = widths(group_by_length=True), widths()
    assert len(grouped) == len(mixed)
    assert sum(grouped) < sum(mixed)
