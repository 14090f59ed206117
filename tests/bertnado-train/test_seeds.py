"""Every random part of a training follows from its seed: the new head, the order of the rows, and dropout."""

import pytest
import torch
from bertnado_config import TrainingInputs
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer
from bertnado_train.task_trainer import TaskTrainer
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import make_model, make_trainer

ONE_STEP = {"max_steps": 1, "per_device_train_batch_size": 96, "learning_rate": 0.0}
"""One batch with all rows."""
WITHOUT_DROPOUT = {"model_config.hidden_dropout_prob": 0.0, "model_config.attention_probs_dropout_prob": 0.0}


class ShownTrainer(TaskTrainer):
    """Shows the batch that it trains on, and its logits."""

    def compute_loss(self, model, inputs, return_outputs=False, num_items_in_batch=None):
        self.rows = [tuple(row) for row in inputs["input_ids"].tolist()]
        loss, outputs = super().compute_loss(model, inputs, True, num_items_in_batch)
        self.logits = outputs["logits"].detach().flatten().tolist()
        return (loss, outputs) if return_outputs else loss


@pytest.fixture(scope="module")
def setup(model_dir, dataset_dir):
    return open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=dataset_dir))


@pytest.fixture
def train(setup, tmp_path):
    """Train one step with a seed; return the order of the rows, and the logits of each row."""

    def run(seed, head_seed=1, **more):
        parameters = ONE_STEP | more | {"seed": seed}
        arguments = setup.training_arguments(parameters, Objective("eval/loss", "minimize"), tmp_path)
        model = make_model(setup, parameters, head_seed)
        trainer = make_trainer(setup, parameters, arguments, model, kind=ShownTrainer)
        trainer.train()
        return trainer.rows, sorted(zip(trainer.rows, trainer.logits, strict=True))

    return run


def test_the_new_head_follows_from_the_seed(setup):
    weights = [make_model(setup, ONE_STEP, seed).classifier.weight for seed in (1, 1, 2)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])


def test_the_order_of_the_rows_and_dropout_follow_from_the_seed_whatever_was_drawn_before(train):
    order, logits = train(1)
    torch.rand(7)
    assert train(1) == (order, logits)
    other_order, other_logits = train(2)
    assert sorted(other_order) == sorted(order)
    assert other_order != order
    assert other_logits != logits


def test_without_dropout_the_order_alone_differs(train):
    (order, logits), (other_order, other_logits) = train(1, **WITHOUT_DROPOUT), train(2, **WITHOUT_DROPOUT)
    assert other_order != order
    assert [value for _, value in other_logits] == pytest.approx([value for _, value in logits], abs=1e-5)


def test_a_trainer_replaces_every_seed_of_a_trial(model_dir, dataset_dir):
    trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)
    swept = {"seed": 1, "data_seed": 2, "training_args.seed": 3, "learning_rate": 1e-3}
    assert trainer.reseeded(swept, 9) == {"seed": 9, "learning_rate": 1e-3}
    nested = {"training_args": {"data_seed": 2, "max_grad_norm": 1.0}, "epochs": 2}
    assert trainer.reseeded(nested, 9) == {"training_args": {"max_grad_norm": 1.0}, "epochs": 2, "seed": 9}


def test_a_trainer_knows_the_rows_of_now(model_dir, dataset_dir, setup):
    trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)
    assert trainer.dataset_fingerprint == setup.dataset.fingerprint
