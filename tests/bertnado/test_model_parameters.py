"""Learning rates by part of the model, and fields of its configuration, in a sweep and in the final training."""

import json

import pytest
from bertnado import api

PARAMETERS = {
    "max_steps": {"value": 4},
    "eval_steps": {"value": 2},
    "learning_rate": {"distribution": "log_uniform_values", "min": 1e-4, "max": 1e-2},
    "layer_lr_decay": {"values": [0.5, 1.0]},
    "head_learning_rate": {"min": 1e-3, "max": 1e-1},
    "model_config": {
        "parameters": {"hidden_dropout_prob": {"values": [0.0, 0.2]}, "classifier_dropout": {"value": 0.3}}
    },
}


@pytest.fixture(scope="module")
def found(material, tmp_path_factory):
    """A sweep of two trials, resumed for a third: (its output directory, what the API returned)."""
    root = tmp_path_factory.mktemp("parts")
    metric = {"name": "eval/roc_auc", "goal": "maximize"}
    content = {"method": "random", "metric": metric, "parameters": PARAMETERS}
    (root / "sweep.json").write_text(json.dumps(content))
    given = {
        "config_path": root / "sweep.json",
        "output_dir": root / "sweep",
        "dataset": material / "dataset",
        "model_name": str(material / "model"),
        "backend": "local",
    }
    api.run_sweep(**given, sweep_count=2)
    return root / "sweep", api.run_sweep(**given, sweep_count=3, resume=True)


def records_of(output):
    return [json.loads(path.read_text()) for path in sorted(output.glob("sweep_*/trial.json"))]


def test_each_trial_trains_with_what_was_sampled_for_it(found):
    records = records_of(found[0])

    assert [record["state"] for record in records] == ["completed"] * 3
    for record in records:
        parameters, details = record["parameters"], record["details"]
        assert parameters["model_config"].keys() == {"hidden_dropout_prob", "classifier_dropout"}
        assert details["model_config"] == parameters["model_config"]
        lowest = parameters["learning_rate"] * parameters["layer_lr_decay"] ** 2
        assert details["learning_rates"] == {
            "lowest": pytest.approx(min(lowest, parameters["head_learning_rate"])),
            "head": parameters["head_learning_rate"],
        }


def test_the_exported_file_has_them(found):
    best = found[1]["best_config"]
    assert {"layer_lr_decay", "head_learning_rate", "model_config"} <= best.keys()
    assert best["model_config"]["classifier_dropout"] == 0.3


def test_the_final_training_repeats_the_best_trial(found, material, tmp_path):
    given = {"dataset": material / "dataset", "model_name": str(material / "model")}
    trained = api.train_model(tmp_path / "final", best_config_path=found[1]["best_config_path"], **given)

    config = json.loads((tmp_path / "final" / "model" / "config.json").read_text())

    assert trained["metric_value"] == pytest.approx(found[1]["metric_value"])
    assert config["classifier_dropout"] == 0.3
    assert config["hidden_dropout_prob"] == found[1]["best_config"]["model_config"]["hidden_dropout_prob"]


def test_a_keyword_of_the_final_training_replaces_one_of_them(found, material, tmp_path):
    given = {"dataset": material / "dataset", "model_name": str(material / "model"), "head_learning_rate": 0.02}
    other = {"model_config": {"classifier_dropout": 0.1}}
    api.train_model(tmp_path / "final", best_config_path=found[1]["best_config_path"], **given, **other)

    details = json.loads((tmp_path / "final" / "metrics.json").read_text())["details"]

    assert details["learning_rates"]["head"] == 0.02
    assert details["model_config"]["classifier_dropout"] == 0.1
