"""Class weights as parameters of a trial: `class_weight` and `pos_weight`."""

import json

import pytest
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer, override_parameters, train_model, train_trial

AUC, LOSS = Objective("eval/roc_auc", "maximize"), Objective("eval/loss", "minimize")
ONCE = {"max_steps": 1, "learning_rate": 0.0}


@pytest.fixture
def dataset(write_dataset, sequences):
    """A dataset with 3 negative rows for each positive one in `train`, and a file that says 5."""
    splits = {name: {"sequence": texts, "labels": labels.tolist()} for name, (texts, labels) in sequences.items()}
    splits["train"] = {"sequence": splits["train"]["sequence"][:80], "labels": [0, 0, 0, 1] * 20}
    return write_dataset({"class_weights.json": {"0": 50, "1": 10}}, **splits)


@pytest.fixture
def problems(model_dir, dataset):
    """Check a sweep: every error and warning."""

    def check(parameters, task_type="binary_classification", objective=AUC):
        trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset, task_type=task_type)
        declared = {name: value if isinstance(value, dict) else {"value": value} for name, value in parameters.items()}
        config = parse_sweep_config({"method": "random", "parameters": {"epochs": {"value": 9}, **declared}})
        plan, found = trainer.plan(config, objective)
        return plan, [str(problem) for problem in found]

    return check


def trained(model_dir, dataset, tmp_path, parameters):
    return train_trial(str(model_dir), dataset, "binary_classification", ONCE | parameters, AUC, tmp_path / "trial")


@pytest.mark.slow
def test_every_choice_weighs_the_loss_and_is_recorded(model_dir, dataset, tmp_path):
    choices = [{"class_weight": "none"}, {"class_weight": "balanced"}, {}, {"pos_weight": "4"}]
    results = [trained(model_dir, dataset, tmp_path, chosen) for chosen in choices]
    assert [result.details["class_weights"] for result in results] == [None, (3.0,), (5.0,), (4.0,)]
    none, balanced, file, number = (result.history[0]["eval/loss"] for result in results)
    positives = (balanced - none) / 2  # the share of the positive rows in the loss
    assert (file, number) == pytest.approx((none + 4 * positives, none + 3 * positives), rel=1e-4)
    assert len({result.history[0]["eval/roc_auc"] for result in results}) == 1


def test_null_means_none_as_in_scikit_learn(model_dir, dataset, tmp_path):
    assert trained(model_dir, dataset, tmp_path, {"class_weight": None}).details["class_weights"] is None


def test_classes_are_balanced_in_a_multiclass_task(model_dir, write_dataset, sequences, tmp_path):
    splits = {name: {"sequence": texts, "labels": [0, 0, 1, 2] * 10} for name, (texts, _) in sequences.items()}
    for columns in splits.values():
        columns["sequence"] = columns["sequence"][:40]
    dataset = write_dataset(**splits)
    task, f1 = "multiclass_classification", Objective("eval/f1", "maximize")
    result = train_trial(str(model_dir), dataset, task, ONCE | {"class_weight": "balanced"}, f1, tmp_path)
    assert result.details["class_weights"] == (40 / 60, 40 / 30, 40 / 30)


def test_the_plan_has_the_weights_of_every_choice(problems):
    plan, found = problems({"class_weight": {"values": ["none", "balanced"]}})
    assert found == []
    assert plan.class_weights == {"none": None, "balanced": (3.0,)}
    assert problems({})[0].class_weights == {"class_weights.json": (5.0,)}
    assert "pos_weight" in problems({"pos_weight": {"min": 1.0, "max": 9.0}})[0].class_weights


@pytest.mark.parametrize(
    ("parameters", "task_type", "message"),
    [
        (
            *({"class_weight": {"values": ["none", "balance"]}}, "binary_classification"),
            "parameters.class_weight: unknown value 'balance'; did you mean 'balanced'? (none, balanced)",
        ),
        ({"pos_weight": 0}, "binary_classification", "parameters.pos_weight: must be above 0, got 0"),
        ({"pos_weight": "x"}, "binary_classification", "parameters.pos_weight: must be a number, got 'x'"),
        (
            *({"pos_weight": [1.0, 2.0]}, "binary_classification"),
            "parameters.pos_weight: must be a number, got [1.0, 2.0]",
        ),
        (
            *({"pos_weigth": 2}, "binary_classification"),
            "parameters.pos_weigth: unknown parameter 'pos_weigth'; did you mean 'pos_weight'?",
        ),
        (
            *({"class_weights": "balanced"}, "binary_classification"),
            (
                "parameters.class_weights: 'class_weights' is not a parameter of a trial: "
                "write class_weight: balanced, or pos_weight"
            ),
        ),
        (
            *({"pos_weight": 2, "class_weight": "balanced"}, "binary_classification"),
            "parameters.class_weight: parameters.pos_weight sets 'class_weights' as well; keep one of them",
        ),
        (
            *({"pos_weight": 2}, "multiclass_classification"),
            (
                "parameters.pos_weight: a multiclass_classification task has no positive class whose weight it could "
                "be; use class_weight: balanced, or class_weights.json"
            ),
        ),
        (
            *({"class_weight": "balanced"}, "regression"),
            "parameters.class_weight: a regression task has no class weights; remove it",
        ),
        (
            *({"pos_weight": 2}, "multilabel_classification"),
            "parameters.pos_weight: a multilabel_classification task has no class weights; remove it",
        ),
    ],
    ids=str,
)
def test_wrong_values_and_tasks_are_named_with_the_cure(problems, parameters, task_type, message):
    assert message in problems(parameters, task_type)[1]


def test_losses_with_different_weights_are_not_compared_in_silence(problems):
    swept = {"class_weight": {"values": ["none", "balanced"]}}
    (warning,) = problems(swept, objective=LOSS)[1]
    assert warning.startswith("parameters: each trial computes its loss with its own class weights, so the losses of ")
    assert problems({"class_weight": "balanced"}, objective=LOSS)[1] == []


def test_one_overrides_the_other():
    assert override_parameters({"class_weight": "balanced"}, {"pos_weight": 3.0}) == {"pos_weight": 3.0}


def test_the_final_model_names_its_positive_class_and_its_weights(model_dir, dataset, tmp_path):
    (dataset / "label2id.json").write_text('{"background": 0, "promoter": 1}')
    trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset)
    final = train_model(trainer, ONCE | {"pos_weight": 3.0}, AUC, tmp_path / "final")
    details = json.loads(final.metrics_path.read_text())["details"]
    assert details["dataset"]["positive_class"] == {"label": 1, "name": "promoter"}
    assert details["class_weights"] == [3.0]
