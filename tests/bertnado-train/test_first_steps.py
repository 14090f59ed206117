"""One real step before a sweep finds what only training shows."""

import pytest
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer
from bertnado_train.first_steps import covering_trials, step_problems
from bertnado_train.possible_trials import distinct_trials
from support.custom_models import CLASSIFIER, write_model

AUC = Objective("eval/roc_auc", "maximize")
TRAINING_FAILS = CLASSIFIER.replace(
    "        hidden =",
    "        if self.training:\n            raise RuntimeError('no kernel for training')\n        hidden =",
)


def sweep(**parameters):
    given = {"max_steps": 4, "eval_steps": 2, **parameters}
    declared = {name: value if isinstance(value, dict) else {"value": value} for name, value in given.items()}
    return parse_sweep_config({"method": "random", "parameters": declared})


@pytest.fixture
def errors(model_dir, dataset_dir):
    """The errors of a check of a sweep."""

    def check(**parameters):
        trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)
        return [p.message for p in trainer.check(sweep(**parameters), AUC) if p.severity == "error"]

    return check


def test_a_sweep_that_trains_has_no_errors(errors):
    assert errors(optim={"values": ["adamw_torch", "sgd"]}, lr_scheduler_type={"values": ["linear", "cosine"]}) == []


@pytest.mark.parametrize("optim", ["adamw_bnb_8bit", "galore_adamw", "grokadamw"])
def test_an_optimiser_whose_package_is_missing_is_named(errors, optim):
    (found,) = errors(optim={"values": ["adamw_torch", optim]})
    assert found.startswith(f"a first training step fails with optim {optim}: ")
    assert found.endswith(f"choose other values than optim {optim}")


def test_a_scheduler_with_arguments_that_do_not_fit_is_named(errors):
    arguments = {"training_args.lr_scheduler_kwargs": {"value": {"lr_end": 1}}}
    (found,) = errors(lr_scheduler_type="polynomial", learning_rate=1e-5, **arguments)
    assert "a first training step fails with lr_scheduler_type polynomial" in found


def trainer_of(tmp_path, dataset_dir, code):
    write_model(tmp_path / "model", code)
    return HuggingFaceTrainer(model_name=str(tmp_path / "model"), dataset=dataset_dir, trust_remote_code=True)


def test_a_model_that_cannot_checkpoint_gradients_is_found_out(tmp_path, dataset_dir):
    trainer = trainer_of(tmp_path, dataset_dir, CLASSIFIER)
    (found,) = step_problems(trainer, distinct_trials(sweep(gradient_checkpointing=True))[0], AUC)
    assert "gradient_checkpointing True" in found.message
    assert "does not support activation checkpointing" in found.message


@pytest.mark.parametrize("in_process", [True, False])
def test_a_model_that_fails_in_training_alone_is_found_out(tmp_path, dataset_dir, in_process):
    trainer = trainer_of(tmp_path, dataset_dir, TRAINING_FAILS)
    (found,) = step_problems(trainer, distinct_trials(sweep())[0], AUC, in_process=in_process)
    assert found.message == (
        "a first training step fails: no kernel for training; see docs/models.md for what a model needs"
    )


def test_a_step_that_ends_its_process_is_an_error(tmp_path, dataset_dir):
    raised = "raise RuntimeError('no kernel for training')"
    code = TRAINING_FAILS.replace(raised, "import os; os.kill(os.getpid(), 9)")
    trainer = trainer_of(tmp_path, dataset_dir, code)
    (found,) = step_problems(trainer, distinct_trials(sweep())[0], AUC, in_process=False)
    assert "signal 9 ended its process" in found.message


def test_the_trials_that_are_tried_have_every_choice_and_both_ends_of_a_range():
    given = {
        "optim": {"values": ["adamw_torch", "sgd"]},
        "layer_lr_decay": {"values": [0.8, 0.9, 1.0]},
        "model_config.classifier_dropout": {"values": [None, 0.1]},
        "model_config.hidden_dropout_prob": {"min": 0.0, "max": 0.5},
    }
    trials = distinct_trials(sweep(**given))[0]

    chosen = covering_trials(trials)

    assert len(chosen) <= 8
    for name, values in given.items():
        if "values" in values:
            assert {trial[name] for trial in chosen} >= {values["values"][0], values["values"][-1]}
    dropouts = [trial["model_config.hidden_dropout_prob"] for trial in trials]
    assert {min(dropouts), max(dropouts)} <= {trial["model_config.hidden_dropout_prob"] for trial in chosen}


def test_a_value_that_trains_elsewhere_is_not_blamed(errors):
    given = {"layer_lr_decay": {"values": [0.9]}, "model_config.hidden_dropout_prob": {"values": [0.0, 0.1]}}
    (found,) = errors(optim={"values": ["adamw_torch", "galore_adamw"]}, **given)
    assert found.startswith("a first training step fails with optim galore_adamw: ")
