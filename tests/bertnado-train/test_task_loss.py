"""The loss of a task, however the batch is split."""

import numpy as np
import pytest
import torch
from bertnado_metrics import TASKS, compute_metrics, get_task
from bertnado_train.task_loss import TaskLoss

LABELS = {
    "binary_classification": lambda rng: (rng.normal(size=(12, 1)), rng.integers(0, 2, 12).astype("float32"), (3.0,)),
    "multiclass_classification": lambda rng: (rng.normal(size=(12, 3)), rng.integers(0, 3, 12), (1.0, 2.0, 0.5)),
    "multilabel_classification": lambda rng: (
        rng.normal(size=(12, 4)),
        rng.integers(0, 2, (12, 4)).astype("float32"),
        None,
    ),
    "regression": lambda rng: (rng.normal(size=(12, 1)), rng.normal(size=12).astype("float32"), None),
}


def test_every_task_has_a_case():
    assert set(LABELS) == set(TASKS)


@pytest.mark.parametrize("task_type", sorted(LABELS))
def test_the_loss_of_training_is_the_loss_that_is_reported(task_type):
    logits, labels, weights = LABELS[task_type](np.random.default_rng(0))
    loss = TaskLoss(get_task(task_type), weights)({"logits": torch.tensor(logits)}, torch.tensor(labels))
    reported = compute_metrics(task_type, logits, labels, class_weights=weights)["loss"]
    assert loss.item() == pytest.approx(reported, rel=1e-5)


@pytest.mark.parametrize("task_type", sorted(LABELS))
def test_micro_batches_of_unequal_size_add_up_to_the_loss_of_the_whole_batch(task_type):
    logits, labels, weights = LABELS[task_type](np.random.default_rng(1))
    loss = TaskLoss(get_task(task_type), weights)
    whole = loss({"logits": torch.tensor(logits)}, torch.tensor(labels))
    parts = [
        loss({"logits": torch.tensor(logits[part])}, torch.tensor(labels[part]), num_items_in_batch=labels.size)
        for part in (slice(0, 5), slice(5, 12))
    ]
    assert sum(parts).item() == pytest.approx(whole.item(), rel=1e-5)


def test_label_smoothing_moves_targets_towards_the_middle():
    logits, labels = torch.tensor([[2.0], [-1.0]]), torch.tensor([1.0, 0.0])
    smoothed = TaskLoss(get_task("binary_classification"), None, smoothing=0.2)({"logits": logits}, labels)
    expected = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], torch.tensor([0.9, 0.1]))
    assert smoothed.item() == pytest.approx(expected.item())
