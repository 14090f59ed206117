"""What the final training takes over from the sweep's record, whatever has become of that."""

import json
import os
import shutil
from pathlib import Path

import pytest
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
