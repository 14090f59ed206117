"""What the final training takes over from the sweep's record, whatever has become of that."""

import json
import os
import shutil
from pathlib import Path

import pytest
from bertnado.api import train_model
from bertnado.final import prepare_final
from bertnado_config import SweepConfigError, TrainingInputs

DETAILS = "best_sweep_details.json"


@pytest.fixture
def prepare(material, swept, tmp_path):
    """Prepare the final run beside a changed record: (what was carried over, the warnings)."""

    def run(change):
        for name in ("best_sweep_config.json", DETAILS):
            shutil.copy(swept[0] / name, tmp_path)
        change(tmp_path / DETAILS)
        run = prepare_final(
            TrainingInputs(model_name=str(material / "model"), dataset=material / "dataset"),
            output_dir=tmp_path / "out",
            best_config_path=tmp_path / "best_sweep_config.json",
            project_name=None,
            metric_name=None,
            metric_goal=None,
            seed=None,
            patience=None,
            overrides={},
        )
        return dict(run.carried_over), [str(warning) for warning in run.warnings]

    return run


def test_the_record_is_taken_over(prepare):
    carried, warnings = prepare(lambda path: None)
    assert carried["seed"] == 7
    assert warnings == []


def test_sequences_are_written_and_cut_as_in_the_sweep(prepare):
    options = {"uppercase": True, "rna_to_dna": False, "max_length": 200, "too_long": "truncate", "unknown": 1}

    def change(path):
        record = json.loads(path.read_text())
        record["details"]["dataset"]["options"] = options
        path.write_text(json.dumps(record))

    carried, warnings = prepare(change)
    assert {name: carried[name] for name in ("uppercase", "max_length", "too_long")} == {
        "uppercase": True,
        "max_length": 200,
        "too_long": "truncate",
    }
    assert "unknown" not in carried
    assert warnings == []


def written(content):
    return lambda path: path.write_text(content)


def with_details(details):
    return lambda path: path.write_text(json.dumps(json.loads(path.read_text()) | {"details": details}))


def a_directory(path):
    path.unlink()
    path.mkdir()


def a_pipe(path):
    path.unlink()
    os.mkfifo(path)


def cut_in_half(path):
    text = path.read_text()
    path.write_text(text[: len(text) // 2])


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (written(""), "is empty"),
        (written("[]"), "must contain the object 'parameters', got []"),
        (written("{}"), "must contain the object 'parameters', got {}"),
        (written("[" * 900 + "]" * 900), "must be nested at most 128 levels deep"),
        (cut_in_half, "line "),
        (a_directory, "is a directory"),
        (a_pipe, "must be a regular file, got a named pipe"),
        (with_details([]), "must contain the object 'details', got {"),
        (with_details({"arguments": 3}), "must contain the object 'arguments', got {'arguments': 3}"),
        (with_details({"arguments": {"seed": "x"}}), "seed: must be an integer, got 'x'"),
    ],
)
def test_a_record_that_is_damaged_is_left_out_and_said_so(prepare, tmp_path, change, reason):
    carried, (warning,) = prepare(change)
    assert carried == {}
    lost = "is ignored, so the seed, precision and evaluation interval of the sweep are not used: "
    assert warning.startswith(f"{tmp_path / DETAILS} {lost}{reason}")


def test_a_record_of_other_parameters_is_not_of_this_configuration(prepare):
    def change(path):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"parameters": {"epochs": 1}}))

    assert prepare(change) == ({}, [])


def test_a_best_configuration_without_a_parameter_is_refused(prepare, tmp_path):
    def change(path):
        path.unlink()
        Path(tmp_path / "best_sweep_config.json").write_text('{"metric_for_best_model": "roc_auc"}')

    with pytest.raises(SweepConfigError) as caught:
        prepare(change)
    assert [str(problem) for problem in caught.value.problems] == [
        "must contain parameters to train with, got none; pass the best_sweep_config.json of a sweep"
    ]


RUN = {
    "_name_or_path": "PoetschLab/GROVER",
    "architectures": None,
    "transformers_version": "4.51.0",
    "hidden_size": 768,
    "learning_rate": 1e-4,
    "epochs": 5,
    "num_train_epochs": 5,
    "max_steps": 4,
    "eval_steps": 2,
    "optim": "adamw_hf",
    "metric_for_best_model": "f1",
    "greater_is_better": True,
    "output_dir": "x",
    "logging_dir": "x/logs",
    "warmup_steps": 0,
    "warmup_ratio": 0.06,
    "local_rank": 0,
    "pos_weight": None,
    "bf16": False,
}
"""The config of a run of transformers 4, cut to a few keys."""


@pytest.mark.parametrize("wrap", [lambda value: value, lambda value: {"desc": None, "value": value}])
def test_the_config_of_a_whole_run_is_reduced_with_a_line_that_says_so(material, tmp_path, wrap):
    best = tmp_path / "best.json"
    best.write_text(json.dumps({name: wrap(value) for name, value in RUN.items()}))
    said = []
    trained = train_model(
        output_dir=tmp_path / "final",
        dataset=material / "dataset",
        best_config_path=best,
        model_name=str(material / "model"),
        observer=lambda event: said.extend(getattr(event, "notes", ())),
    )
    assert trained["metric_name"] == "eval/f1"
    arguments = json.loads(Path(trained["metrics_path"]).read_text())["details"]["arguments"]
    taken = {"learning_rate": 1e-4, "num_train_epochs": 5.0, "max_steps": 4, "eval_steps": 2, "warmup_steps": 0.06}
    assert {name: arguments[name] for name in taken} == taken
    line, *warnings = (text for text in said if str(best) in text)
    assert line == (
        f"{best} is the config of a whole run: learning_rate=0.0001, num_train_epochs=5, max_steps=4, eval_steps=2, "
        "warmup_ratio=0.06, bf16=False taken from it, 11 other keys omitted"
    )
    assert [warning.removeprefix(f"Warning: {best}: ") for warning in warnings] == [
        (
            "omitted, although it changed the result of the run: optim='adamw_hf': unknown value 'adamw_hf'; did "
            "you mean 'adamw_torch'?"
        ),
        (
            "max_steps=4 of the run ends training, whatever the number of epochs; upstream's BertNado limits the "
            "trials of a sweep to 1,000 steps; remove it to train all epochs"
        ),
    ]


def test_a_weight_of_the_positive_class_overrides_the_file(material, tmp_path):
    (tmp_path / "best.json").write_text('{"max_steps": 1, "class_weight": "balanced"}')
    trained = train_model(
        output_dir=tmp_path / "final",
        dataset=material / "dataset",
        best_config_path=tmp_path / "best.json",
        model_name=str(material / "model"),
        pos_weight=3.0,
    )
    assert json.loads(Path(trained["metrics_path"]).read_text())["details"]["class_weights"] == [3.0]


@pytest.mark.parametrize(("name", "value"), [("head", "pooled"), ("label_scaling", "none")])
def test_the_head_and_the_label_scaling_of_the_sweep_are_taken_over(prepare, name, value):
    def change(path):
        record = json.loads(path.read_text())
        record["details"][name] = value
        path.write_text(json.dumps(record))

    assert prepare(change)[0][name] == value
