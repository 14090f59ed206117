"""The best configuration: the sampled parameters, the metric, and no more."""

import json

import pytest
from bertnado_config import BestConfig, ConfirmedValue, SweepConfigError, read_best_config, write_best_config
from bertnado_metrics import Objective


@pytest.fixture
def reading(tmp_path):
    def read(content, name="best.json"):
        path = tmp_path / name
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        return read_best_config(path)

    return read


def problems_of(reading, content):
    with pytest.raises(SweepConfigError) as caught:
        reading(content)
    return [str(problem) for problem in caught.value.problems]


def test_the_file_holds_the_parameters_and_the_metric(tmp_path):
    path = tmp_path / "best_sweep_config.json"
    write_best_config(path, {"learning_rate": 1e-5, "head": {"dropout": 0.1}}, Objective("eval/roc_auc", "maximize"))
    assert json.loads(path.read_text()) == {
        "learning_rate": 1e-5,
        "head": {"dropout": 0.1},
        "metric_for_best_model": "roc_auc",
        "greater_is_better": True,
        "optimization_metric": {"name": "eval/roc_auc", "goal": "maximize"},
    }


def test_what_is_written_is_read_back(tmp_path):
    path = tmp_path / "best_sweep_config.json"
    parameters = {"learning_rate": 1e-5, "epochs": 3, "head": {"dropout": 0.1, "layers": [8, 8]}, "scheduler": None}
    write_best_config(path, parameters, Objective("eval/loss", "minimize"))
    assert read_best_config(path) == BestConfig(parameters, "eval/loss", "minimize")


def test_a_confirmed_value_stands_beside_the_parameters_and_is_none_of_them(tmp_path):
    path = tmp_path / "best_sweep_config.json"
    confirmed = ConfirmedValue(0.69, 0.008, (1, 2, 3))
    write_best_config(path, {"learning_rate": 1e-5}, Objective("eval/roc_auc", "maximize"), confirmed=confirmed)
    content = json.loads(path.read_text())
    assert content["confirmed_mean"] == 0.69
    assert content["confirmed_standard_error"] == 0.008
    assert content["confirmed_seeds"] == [1, 2, 3]
    assert read_best_config(path) == BestConfig({"learning_rate": 1e-5}, "eval/roc_auc", "maximize", confirmed)
    path.write_text(json.dumps({"x": 1, "confirmed_mean": 0.5}))
    assert read_best_config(path) == BestConfig({"x": 1}), "a part of it says nothing"


def test_a_parameter_named_like_the_metrics_keys_gives_way_to_the_objective(tmp_path):
    path = tmp_path / "best.json"
    write_best_config(path, {"metric_for_best_model": "loss", "x": 1}, Objective("eval/f1", "maximize"))
    assert read_best_config(path) == BestConfig({"x": 1}, "eval/f1", "maximize")


@pytest.mark.parametrize(
    ("content", "config"),
    [
        ({}, BestConfig({}, None, None)),
        ({"x": 1}, BestConfig({"x": 1}, None, None)),
        ({"x": 1, "metric_for_best_model": "roc_auc"}, BestConfig({"x": 1}, "roc_auc", None)),
        (
            {"metric_for_best_model": "eval_loss", "greater_is_better": False},
            BestConfig({}, "eval_loss", "minimize"),
        ),
        ({"greater_is_better": True}, BestConfig({}, None, "maximize")),
        ({"optimization_metric": {"name": "eval/f1"}}, BestConfig({}, "eval/f1", None)),
        (
            {"optimization_metric": {"name": "eval/f1", "goal": "maximize"}, "metric_for_best_model": "eval_f1"},
            BestConfig({}, "eval/f1", "maximize"),
        ),
        ({"metric_for_best_model": None, "x": None}, BestConfig({"x": None}, None, None)),
        ({"lr": "1e-5", "batch": "16"}, BestConfig({"lr": 1e-5, "batch": 16}, None, None)),
        ({"lr": {"value": 1e-5}, "epochs": {"value": 3}}, BestConfig({"lr": 1e-5, "epochs": 3}, None, None)),
        (
            {"wandb_version": 1, "_wandb": {"desc": None, "value": {}}, "lr": {"desc": None, "value": "1e-5"}},
            BestConfig({"lr": 1e-5}, None, None),
        ),
        (
            {"lr": {"value": 1}, "metric_for_best_model": {"value": "f1"}, "bertnado": {"value": {"host": "a"}}},
            BestConfig({"lr": 1}, "f1", None),
        ),
        ({"head": {"value": 3}, "epochs": 3}, BestConfig({"head": {"value": 3}, "epochs": 3}, None, None)),
    ],
    ids=str,
)
def test_a_hand_written_file_with_fewer_keys_is_read(reading, content, config):
    assert reading(content) == config


def test_a_hand_written_file_may_be_yaml(reading):
    text = "learning_rate: 3e-5\nmetric_for_best_model: roc_auc\n"
    assert reading(text, "best.yaml") == BestConfig({"learning_rate": 3e-5}, "roc_auc", None)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ([1], "must be an object, got [1]"),
        (
            {"metric_for_best_model": "loss", "optimization_metric": {"name": "eval/f1"}},
            "metric_for_best_model: 'loss' contradicts optimization_metric.name 'eval/f1'; remove one of them",
        ),
        (
            {"greater_is_better": False, "optimization_metric": {"name": "eval/f1", "goal": "maximize"}},
            (
                "greater_is_better: false means 'minimize', which contradicts optimization_metric.goal 'maximize'; "
                "remove one of them"
            ),
        ),
        ({"greater_is_better": "yes"}, "greater_is_better: must be true or false, got 'yes'"),
        ({"metric_for_best_model": 3}, "metric_for_best_model: must be a string, got 3"),
        (
            {"optimization_metric": "eval/f1"},
            (
                "optimization_metric: must be an object, got 'eval/f1'; "
                'write {"name": "eval/roc_auc", "goal": "maximize"}'
            ),
        ),
        (
            {"optimization_metric": {"name": "eval/f1", "gaol": "maximize"}},
            "optimization_metric.gaol: unknown key 'gaol' in optimization_metric; did you mean 'goal'? (name, goal)",
        ),
        (
            {"optimization_metric": {"name": "eval/f1", "goal": "up"}},
            "optimization_metric.goal: goal must be 'maximize' or 'minimize', got 'up'; did you mean 'maximize'?",
        ),
        ('{"lr": NaN}', "lr: must be finite, got NaN"),
        ('{"a": 1, "a": 2}', "a: is declared twice, first in line 1, column 2, then in line 1, column 10"),
        (
            {"method": "grid", "parameters": {"x": {"values": [1]}}},
            "is a sweep file; give the best_sweep_config.json that a sweep writes",
        ),
        (
            {"trial": "a1b2", "parameters": {"lr": 1e-4}, "details": {}, "value": 0.9},
            "is the record of a trial; give the best_sweep_config.json beside it",
        ),
    ],
    ids=str,
)
def test_a_file_that_contradicts_itself_or_is_something_else_is_refused(reading, content, problem):
    assert problems_of(reading, content) == [problem]


RUN = {
    "learning_rate": 1e-5,
    "_name_or_path": "PoetschLab/GROVER",
    "architectures": None,
    "transformers_version": "4.51.0",
    "initializer_range": float("inf"),
    "metric_for_best_model": "roc_auc",
    "greater_is_better": True,
}


def test_the_config_of_a_whole_run_is_recognised_by_what_callbacks_add(reading):
    wrapped = {"wandb_version": 1, "_wandb": {"value": {"t": [1]}}} | {key: {"value": RUN[key]} for key in RUN}
    parameters = {key: value for key, value in RUN.items() if key not in ("metric_for_best_model", "greater_is_better")}
    for content in (RUN, wrapped):
        assert reading(content) == BestConfig(parameters, "roc_auc", "maximize", is_run_config=True)


@pytest.mark.parametrize("names", [("model_type", "label2id"), ("output_dir", "remove_unused_columns", "push_to_hub")])
def test_a_few_keys_too_many_do_not_make_it_one(reading, names):
    assert not reading(dict.fromkeys(names, "x") | {"learning_rate": 1e-5}).is_run_config


def test_a_file_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(SweepConfigError, match="file not found"):
        read_best_config(tmp_path / "best_sweep_config.json")
