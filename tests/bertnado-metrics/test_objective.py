"""Which metric a sweep optimises, and which of its values are better."""

import math
import pickle

import pytest
from bertnado_metrics import TASKS, Objective, metric_name_for_trainer, reported_metric_name, resolve_objective
from hypothesis import given
from hypothesis import strategies as st

BINARY = "binary_classification"
BINARY_NAMES = (
    "(eval/loss, eval/accuracy, eval/f1, eval/precision, eval/recall, eval/roc_auc, eval/average_precision, eval/mcc)"
)


@pytest.mark.parametrize(
    ("task_type", "objective"),
    [
        ("binary_classification", Objective("eval/roc_auc", "maximize")),
        ("multiclass_classification", Objective("eval/f1", "maximize")),
        ("multilabel_classification", Objective("eval/roc_auc", "maximize")),
        ("regression", Objective("eval/r2", "maximize")),
    ],
)
def test_a_task_has_a_default_objective(task_type, objective):
    assert resolve_objective(task_type) == objective


@pytest.mark.parametrize("name", ["eval/roc_auc", "eval_roc_auc", "roc_auc"])
def test_three_spellings_name_the_same_metric(name):
    assert resolve_objective(BINARY, name) == Objective("eval/roc_auc", "maximize")
    assert resolve_objective(BINARY, declared_name=name) == Objective("eval/roc_auc", "maximize")
    assert metric_name_for_trainer(name) == "roc_auc"
    assert reported_metric_name(name) == "eval/roc_auc"


@pytest.mark.parametrize("task", TASKS.values(), ids=TASKS)
def test_a_goal_that_nobody_gives_is_the_metrics_own(task):
    for name, metric in task.metrics.items():
        assert resolve_objective(task.name, name) == Objective(f"eval/{name}", metric.goal)


@pytest.mark.parametrize(
    ("arguments", "name", "goal"),
    [
        ({"metric_name": "eval/mcc", "declared_name": "eval/loss", "declared_goal": "minimize"}, "mcc", "maximize"),
        ({"metric_name": "eval/loss", "declared_name": "eval/f1", "declared_goal": "maximize"}, "loss", "minimize"),
        ({"declared_name": "eval/f1", "declared_goal": "maximize"}, "f1", "maximize"),
        ({"declared_name": "loss"}, "loss", "minimize"),
        ({"declared_goal": "maximize"}, "roc_auc", "maximize"),
        ({"metric_goal": "maximize", "declared_name": "eval/f1"}, "f1", "maximize"),
    ],
)
def test_name_and_goal_come_as_a_pair_from_the_strongest_source_that_names_a_metric(arguments, name, goal):
    assert resolve_objective(BINARY, **arguments) == Objective(f"eval/{name}", goal)


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ({}, "roc_auc"),
        ({"metric_name": "f1"}, "f1"),
        ({"declared_name": "f1"}, "f1"),
        ({"declared_name": "f1", "declared_goal": "maximize"}, "f1"),
        ({"declared_name": "f1", "declared_goal": "minimize"}, "f1"),
    ],
)
def test_a_goal_given_as_argument_wins_even_against_the_metrics_direction(arguments, name):
    assert resolve_objective(BINARY, metric_goal="minimize", **arguments) == Objective(f"eval/{name}", "minimize")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"declared_name": "eval_loss", "declared_goal": "maximize"},
            (
                "goal 'maximize' contradicts metric 'eval/loss', of which lower values are better; "
                "write 'minimize', omit the goal, or confirm it with --metric-goal maximize"
            ),
        ),
        (
            {"declared_goal": "minimize"},
            (
                "goal 'minimize' contradicts metric 'eval/roc_auc', of which higher values are better; "
                "write 'maximize', omit the goal, or confirm it with --metric-goal minimize"
            ),
        ),
    ],
)
def test_a_declared_goal_against_the_metrics_direction_is_an_error_with_its_cure(arguments, message):
    with pytest.raises(ValueError) as error:
        resolve_objective(BINARY, **arguments)
    assert str(error.value) == message


@pytest.mark.parametrize(
    ("goal", "suggestion"),
    [
        ("maximum", "maximize"),
        ("minimum", "minimize"),
        ("maximise", "maximize"),
        ("max", "maximize"),
        ("min", "minimize"),
        ("Minimize", "minimize"),
        ("higher is better", "maximize"),
        ("the lower the better", "minimize"),
        ("please maximize it", "maximize"),
        ("ascending", "maximize"),
        ("down", "minimize"),
    ],
)
def test_a_goal_that_is_none_is_answered_with_the_nearest(goal, suggestion):
    message = f"goal must be 'maximize' or 'minimize', got {goal!r}; did you mean {suggestion!r}?"
    for arguments in ({"metric_goal": goal}, {"declared_name": "f1", "declared_goal": goal}):
        with pytest.raises(ValueError) as error:
            resolve_objective(BINARY, **arguments)
        assert str(error.value) == message
    with pytest.raises(ValueError) as error:
        Objective("anything", goal)
    assert str(error.value) == message


def test_a_goal_like_neither_is_answered_without_a_guess():
    with pytest.raises(ValueError) as error:
        resolve_objective(BINARY, metric_goal="0.9")
    assert str(error.value) == "goal must be 'maximize' or 'minimize', got '0.9'"


@pytest.mark.parametrize(
    ("task_type", "name", "suggestion"),
    [
        (BINARY, "eval/auc", "roc_auc"),
        (BINARY, "AUROC", "roc_auc"),
        (BINARY, "eval/roc-auc", "roc_auc"),
        (BINARY, "eval.roc_auc", "roc_auc"),
        (BINARY, "eval/rocauc", "roc_auc"),
        (BINARY, "val_loss", "loss"),
        (BINARY, "validation/accuracy", "accuracy"),
        (BINARY, "acc", "accuracy"),
        (BINARY, "acuracy", "accuracy"),
        (BINARY, "Accuracy", "accuracy"),
        (BINARY, "eval/auprc", "average_precision"),
        (BINARY, "aupr", "average_precision"),
        (BINARY, "pr_auc", "average_precision"),
        (BINARY, "eval/matthews_correlation", "mcc"),
        (BINARY, "matthews_corrcoef", "mcc"),
        (BINARY, "eval/f1_score", "f1"),
        (BINARY, "sensitivity", "recall"),
        ("multiclass_classification", "macro_f1", "f1"),
        ("regression", "pearsonr", "pearson"),
        ("regression", "eval/spearmanr", "spearman"),
        ("regression", "eval/r2_score", "r2"),
        ("regression", "mean_squared_error", "mse"),
        ("regression", "mean_absolute_error", "mae"),
    ],
)
def test_a_metric_that_is_not_computed_is_answered_with_what_was_meant_and_all_there_are(task_type, name, suggestion):
    with pytest.raises(ValueError) as error:
        resolve_objective(task_type, name)
    listed = ", ".join(f"eval/{known}" for known in TASKS[task_type].metrics)
    assert str(error.value) == (
        f"metric {name!r} is not computed for {task_type}; did you mean 'eval/{suggestion}'? ({listed})"
    )


def test_a_metric_of_another_task_is_told_from_a_mistyped_one():
    with pytest.raises(ValueError) as error:
        resolve_objective(BINARY, declared_name="eval/r2")
    assert str(error.value) == (
        f"metric 'eval/r2' is not computed for {BINARY}, only for regression; choose from {BINARY_NAMES[1:-1]}"
    )


@pytest.mark.parametrize(
    ("name", "suggestion"), [("train/loss", "loss"), ("train_loss", "loss"), ("test/auc", "roc_auc")]
)
def test_a_number_of_another_split_is_no_evaluation_metric(name, suggestion):
    with pytest.raises(ValueError) as error:
        resolve_objective(BINARY, name)
    assert str(error.value) == (
        f"metric {name!r} is not an evaluation metric; trials are compared on the validation split; "
        f"did you mean 'eval/{suggestion}'? {BINARY_NAMES}"
    )


def test_an_unknown_task_is_named_first():
    with pytest.raises(ValueError, match="unknown task 'binary'; did you mean 'binary_classification'"):
        resolve_objective("binary", "nonsense")


def test_a_trainer_of_ones_own_may_report_any_name():
    objective = Objective("reward", "maximize")
    assert (objective.name, objective.trainer_name, objective.greater_is_better) == ("reward", "reward", True)


def test_an_objective_knows_its_name_and_direction_for_the_trainer():
    objective = Objective("eval/loss", "minimize")
    assert (objective.trainer_name, objective.greater_is_better) == ("loss", False)


def test_an_objective_survives_pickling():
    objective = Objective("eval/loss", "minimize")
    assert pickle.loads(pickle.dumps(objective)) == objective


@pytest.mark.parametrize(
    ("goal", "value", "other", "better"),
    [
        ("maximize", 0.9, 0.8, True),
        ("maximize", 0.8, 0.9, False),
        ("minimize", 0.8, 0.9, True),
        ("minimize", 0.9, 0.8, False),
        ("maximize", 0.8, 0.8, False),
        ("minimize", 0.8, 0.8, False),
        ("maximize", 0, None, True),
        ("minimize", 1e300, math.nan, True),
        ("maximize", -1e300, math.inf, True),
        ("minimize", 1e300, -math.inf, True),
        ("maximize", None, 0.8, False),
        ("maximize", math.nan, 0.8, False),
        ("minimize", math.nan, None, False),
        ("minimize", None, math.nan, False),
        ("maximize", math.inf, 0.8, False),
        ("minimize", -math.inf, None, False),
    ],
)
def test_better_is_strict_and_what_is_no_number_never_is(goal, value, other, better):
    assert Objective("loss", goal).is_better(value, other) is better


VALUES = st.none() | st.floats()


@given(st.sampled_from(["maximize", "minimize"]), VALUES, VALUES, VALUES)
def test_better_is_an_order(goal, first, second, third):
    better = Objective("loss", goal).is_better
    assert not better(first, first)
    assert not (better(first, second) and better(second, first))
    if better(first, second) and better(second, third):
        assert better(first, third)
    if not better(first, second) and not better(second, third):
        assert not better(first, third)


@given(st.sampled_from(["maximize", "minimize"]), st.lists(VALUES, max_size=8))
def test_the_best_of_several_values_is_the_first_that_no_other_is_better_than(goal, values):
    objective = Objective("loss", goal)
    index = objective.best_index(values)
    if index is None:
        assert not any(objective.is_better(value, None) for value in values)
    else:
        assert not any(objective.is_better(value, values[index]) for value in values)
        assert all(objective.is_better(values[index], value) for value in values[:index])


# Without a task


@pytest.mark.parametrize(
    ("arguments", "objective"),
    [
        ({"declared_name": "reward", "declared_goal": "maximize"}, Objective("reward", "maximize")),
        ({"declared_name": "loss"}, Objective("loss", "minimize")),
        ({"declared_name": "eval/f1", "declared_goal": "minimize"}, Objective("eval/f1", "minimize")),
        ({"metric_name": "eval_mae", "declared_name": "reward"}, Objective("eval_mae", "minimize")),
        (
            {"declared_name": "reward", "declared_goal": "maximize", "metric_goal": "minimize"},
            Objective("reward", "minimize"),
        ),
    ],
)
def test_without_a_task_any_metric_will_do_under_the_name_that_it_is_given(arguments, objective):
    assert resolve_objective(None, **arguments) == objective


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, 'a metric is required; write "metric": {"name": ..., "goal": "maximize" or "minimize"}'),
        ({"declared_goal": "maximize"}, 'a metric is required; write "metric": {"name": ..., "goal": '),
        ({"declared_name": "reward"}, "metric 'reward' needs a goal; write maximize or minimize as the metric's goal"),
        (
            {"metric_name": "reward", "declared_name": "loss", "declared_goal": "minimize"},
            "metric 'reward' needs a goal; write maximize or minimize as the metric's goal",
        ),
        ({"declared_name": "reward", "declared_goal": "up"}, "goal must be 'maximize' or 'minimize', got 'up'; did"),
    ],
)
def test_without_a_task_a_metric_needs_a_name_and_a_goal(arguments, message):
    with pytest.raises(ValueError) as error:
        resolve_objective(None, **arguments)
    assert str(error.value).startswith(message)
