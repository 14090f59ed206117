"""The Python API, and that what a sweep finds is what the final model trains with."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from bertnado import api
from bertnado_config import SweepConfigError, read_best_config


@pytest.fixture
def train_model(material, swept, tmp_path):
    """Train the final model with the best configuration of the sweep."""

    def train(**options):
        arguments = {
            "best_config_path": swept[0] / "best_sweep_config.json",
            "model_name": str(material / "model"),
            "output_dir": tmp_path / "train",
            "dataset": material / "dataset",
        }
        return api.train_model(**(arguments | options))

    return train


def effective_arguments(trained):
    return json.loads(Path(trained["metrics_path"]).read_text())["details"]["arguments"]


def test_a_sweep_returns_what_it_found(swept):
    output, found = swept
    assert set(found) == {
        *("sweep_id", "best_run_id", "metric_name", "metric_goal", "metric_for_best_model", "metric_value"),
        *("best_config", "best_config_path", "finished", "budget", "ended_by"),
    }
    assert (found["finished"], found["budget"], found["ended_by"]) == (3, 3, None)
    assert (found["metric_name"], found["metric_goal"]) == ("eval/roc_auc", "maximize")
    assert found["metric_for_best_model"] == "roc_auc"
    assert found["best_config_path"] == str(output / "best_sweep_config.json")
    assert found["best_config"] == json.loads((output / "best_sweep_config.json").read_text())


def test_the_best_is_the_best_of_the_recorded_trials(swept):
    output, found = swept
    trials = [json.loads(file.read_text()) for file in sorted(output.glob("sweep_*/trial.json"))]
    assert len(trials) == 3
    best = max(trials, key=lambda trial: trial["value"])
    assert found["metric_value"] == best["value"]
    assert found["best_run_id"] == best["id"]
    objective = {"metric_for_best_model", "greater_is_better", "optimization_metric"}
    assert {name: value for name, value in found["best_config"].items() if name not in objective} == best["parameters"]


@pytest.mark.slow
def test_workers_find_what_one_trial_after_the_other_finds_and_keep_one_checkpoint(material, swept, tmp_path):
    output = tmp_path / "sweep"
    arguments = {"model_name": str(material / "model"), "sweep_count": 3, "seed": 7, "project_name": "tests"}
    found = api.run_sweep(material / "sweep.json", output, material / "dataset", workers=2, **arguments)
    assert values_of(output) == pytest.approx(values_of(swept[0]), abs=1e-4)
    assert found["best_config"] == swept[1]["best_config"]
    [checkpoint] = output.glob("sweep_*/checkpoint")
    details = json.loads((output / "best_sweep_details.json").read_text())
    assert checkpoint.parent.name == details["directory"]


def values_of(output):
    records = [json.loads(file.read_text()) for file in output.glob("sweep_*/trial.json")]
    return {record["number"]: record["value"] for record in records}


def test_each_trial_trained_with_exactly_its_parameters(swept):
    for file in swept[0].glob("sweep_*/trial.json"):
        trial = json.loads(file.read_text())
        arguments, parameters = trial["details"]["arguments"], trial["parameters"]
        assert arguments["learning_rate"] == parameters["learning_rate"]
        assert arguments["per_device_train_batch_size"] == parameters["per_device_train_batch_size"]
        assert arguments["max_grad_norm"] == parameters["training_args"]["max_grad_norm"]
        assert [row["step"] for row in trial["history"]] == [2, 4, 6]
        assert trial["seed"] == 7


@pytest.mark.slow
def test_the_final_model_trains_with_each_of_the_best_parameters(train_model, swept):
    best = read_best_config(swept[0] / "best_sweep_config.json").parameters
    arguments = effective_arguments(train_model())
    assert arguments["learning_rate"] == best["learning_rate"]
    assert arguments["per_device_train_batch_size"] == best["per_device_train_batch_size"]
    assert arguments["max_grad_norm"] == best["training_args"]["max_grad_norm"]
    assert (arguments["max_steps"], arguments["eval_steps"]) == (6, 2)


def test_the_final_model_repeats_the_best_trial(train_model, swept):
    trained = train_model()
    assert trained["metric_value"] == swept[1]["metric_value"]
    assert effective_arguments(trained)["seed"] == 7
    assert set(trained["test_metrics"]) >= {"roc_auc", "loss", "mcc"}


@pytest.mark.slow
def test_flags_override_what_was_recorded(train_model):
    trained = train_model(seed=8, metric_name="loss", weight_decay=0.3, num_train_epochs=1)
    arguments = effective_arguments(trained)
    assert (arguments["seed"], arguments["weight_decay"], arguments["num_train_epochs"]) == (8, 0.3, 1.0)
    assert (trained["metric_name"], trained["metric_goal"]) == ("eval/loss", "minimize")


def test_without_the_details_beside_it_a_best_configuration_trains_with_the_defaults(train_model, swept, tmp_path):
    alone = tmp_path / "best.json"
    alone.write_text((swept[0] / "best_sweep_config.json").read_text())
    assert effective_arguments(train_model(best_config_path=alone))["seed"] == 42


def test_a_hand_written_configuration_with_fewer_keys_will_do(train_model, tmp_path):
    (tmp_path / "mine.json").write_text('{"learning_rate": "1e-3", "max_steps": 2}')
    trained = train_model(best_config_path=str(tmp_path / "mine.json"))
    assert effective_arguments(trained)["learning_rate"] == 1e-3
    assert trained["metric_name"] == "eval/roc_auc"


@pytest.mark.slow
def test_a_goal_that_the_sweep_settled_is_kept(train_model, tmp_path):
    content = {"max_steps": 2, "optimization_metric": {"name": "eval/roc_auc", "goal": "minimize"}}
    (tmp_path / "worst.json").write_text(json.dumps(content))
    assert train_model(best_config_path=tmp_path / "worst.json")["metric_goal"] == "minimize"


def test_an_output_directory_with_a_trained_model_is_refused(train_model, tmp_path):
    (tmp_path / "train" / "model").mkdir(parents=True)
    with pytest.raises(SweepConfigError, match="already contains a trained model; choose another output_dir"):
        train_model()


def test_a_mistake_in_an_argument_is_said_before_training(train_model, tmp_path):
    with pytest.raises(SweepConfigError, match="unknown parameter 'weight_decai'; did you mean"):
        train_model(weight_decai=0.1)
    assert not (tmp_path / "train").exists()


def test_all_mistakes_of_a_sweep_are_said_at_once_and_nothing_is_started(tmp_path):
    (tmp_path / "sweep.json").write_text(
        json.dumps(
            {
                "method": "randm",
                "metric": {"name": "eval/auc"},
                "parameters": {"learning_rat": {"value": 1e-4}, "epochs": {"min": 5, "max": 3}},
            }
        )
    )
    with pytest.raises(SweepConfigError) as caught:
        api.run_sweep(tmp_path / "sweep.json", tmp_path / "out", tmp_path / "nowhere", sweep_count=0)
    message = str(caught.value)
    for part in ("method", "parameters.epochs", "sweep_count", "learning_rat", "nowhere", "eval/auc"):
        assert part in message
    assert not (tmp_path / "out").exists()


def test_importing_the_api_loads_nothing_heavy():
    heavy = "torch transformers wandb optuna datasets sklearn scipy"
    code = f"import sys, bertnado.api; print([name for name in '{heavy}'.split() if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


@pytest.mark.slow
def test_the_precision_of_the_sweep_is_taken_over_unless_one_is_asked_for(train_model, material, swept, tmp_path):
    details = json.loads((swept[0] / "best_sweep_details.json").read_text())
    details["details"]["arguments"]["bf16"] = True  # as a sweep on a GPU records it
    for name in ("best_sweep_config.json", "best_sweep_details.json"):
        content = (swept[0] / name).read_text() if "config" in name else json.dumps(details)
        (tmp_path / name).write_text(content)
    config = tmp_path / "best_sweep_config.json"
    assert effective_arguments(train_model(best_config_path=config))["bf16"]
    other = train_model(best_config_path=config, precision="fp32", output_dir=tmp_path / "other")
    assert not effective_arguments(other)["bf16"]
