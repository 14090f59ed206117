"""The final model without training: the checkpoint that the sweep kept."""

import json
import shutil
from pathlib import Path

import datasets
import pytest
from bertnado.api import train_model
from bertnado.cli import main
from bertnado_config import InvalidInputError
from click.testing import CliRunner
from safetensors.torch import load_file

CONFIG = "best_sweep_config.json"
DETAILS = "best_sweep_details.json"


@pytest.fixture
def sweep(swept, tmp_path):
    """A copy of a finished sweep, in a directory of another name; the checkpoint of the original is out of sight."""
    copied = shutil.copytree(swept[0], tmp_path / "moved")
    change(copied / DETAILS, checkpoint=f"/nowhere/{Path(checkpoint_of(copied)).name}")
    return copied


def checkpoint_of(sweep):
    return json.loads((sweep / DETAILS).read_text())["checkpoint"]


def change(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


def adopt(sweep, tmp_path, **given):
    return train_model(tmp_path / "final", given.pop("dataset", None), sweep / CONFIG, from_sweep=True, **given)


def problems_of(sweep, tmp_path, **given):
    with pytest.raises(InvalidInputError) as caught:
        adopt(sweep, tmp_path, **given)
    assert not (tmp_path / "final").exists()
    return [str(problem) for problem in caught.value.problems]


def test_the_kept_checkpoint_becomes_the_final_model(sweep, swept, tmp_path):
    said = []
    final = adopt(sweep, tmp_path, observer=lambda event: said.append(event.text))
    details = json.loads((sweep / DETAILS).read_text())
    kept = next(sweep.glob(f"{details['directory']}/checkpoint"))
    weights = [load_file(Path(path) / "model.safetensors") for path in (kept, final["model_path"])]
    assert all(weights[0][name].equal(weights[1][name]) for name in weights[0])
    metrics = json.loads(Path(final["metrics_path"]).read_text())
    assert final["metric_value"] == metrics["objective"]["value"] == pytest.approx(swept[1]["metric_value"])
    assert metrics["validation"]["roc_auc"] == final["metric_value"]
    assert metrics["test"] == final["test_metrics"]
    assert (metrics["best_step"], metrics["seed"], metrics["adopted_from"]) == (details["step"], 7, str(kept))
    assert metrics["details"]["arguments"] == details["details"]["arguments"]
    which = f"trial {details['number'] + 1} of sweep {details['sweep_id']}, step {details['step']}"
    assert said[0] == f"the final model is the checkpoint of {which}; nothing is trained"
    assert {path.name for path in (tmp_path / "final").iterdir()} == {
        "model",
        "metrics.json",
        "predictions.tsv",
        "baselines.json",
    }


def test_it_gives_what_training_anew_gives(sweep, material, tmp_path):
    adopted = adopt(sweep, tmp_path, dataset=material / "dataset", model_name=str(material / "model"))
    trained = train_model(tmp_path / "new", material / "dataset", sweep / CONFIG, str(material / "model"))
    assert adopted["test_metrics"] == pytest.approx(trained["test_metrics"], abs=1e-6)


def test_the_command_needs_no_more_than_the_sweep(sweep, tmp_path):
    words = ["--best-config-path", sweep / CONFIG, "--output-dir", tmp_path / "final", "--from-sweep"]
    done = CliRunner().invoke(main, ["full-train", *map(str, words)])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["metric_name"] == "eval/roc_auc"


def test_a_sweep_that_kept_no_checkpoint_is_refused(sweep, tmp_path):
    change(sweep / DETAILS, checkpoint=None)
    assert problems_of(sweep, tmp_path) == [
        "the sweep kept no checkpoint; run it with keep_checkpoints best, or train anew without from_sweep"
    ]


def test_a_checkpoint_that_was_removed_is_named(sweep, tmp_path):
    directory = sweep / json.loads((sweep / DETAILS).read_text())["directory"]
    shutil.rmtree(directory / "checkpoint")
    change(sweep / DETAILS, checkpoint=str(directory / "checkpoint"))
    assert problems_of(sweep, tmp_path) == [
        f"the checkpoint {directory / 'checkpoint'} was removed; restore it, or train anew without from_sweep"
    ]


def test_a_checkpoint_on_another_machine_is_named_with_the_machine(sweep, tmp_path):
    directory = json.loads((sweep / DETAILS).read_text())["directory"]
    shutil.rmtree(sweep / directory / "checkpoint")
    change(sweep / DETAILS, host="node-17")
    (problem,) = problems_of(sweep, tmp_path)
    assert problem == (
        "the checkpoint /nowhere/checkpoint is on the machine node-17; run this command there, copy the directory to "
        f"{sweep / directory / 'checkpoint'}, or train anew without from_sweep"
    )


def test_options_that_only_training_has_a_use_for_are_refused(sweep, tmp_path):
    given = {"seed": 3, "early_stopping_patience": 2, "project_name": "dna", "learning_rate": 1e-3}
    found = problems_of(sweep, tmp_path, **given)
    assert [problem.split("remove ")[1].split(",")[0] for problem in found] == [
        *("project_name", "seed", "early_stopping_patience", "learning_rate")
    ]
    assert found[0] == "from_sweep trains nothing; remove project_name, or train anew without from_sweep"


def test_training_on_more_rows_is_the_opposite(sweep, tmp_path):
    assert problems_of(sweep, tmp_path, train_on="train+validation") == [
        "from_sweep trains nothing, and train_on train+validation trains anew; remove one of them"
    ]


def test_another_metric_is_refused(sweep, tmp_path):
    rule = "the checkpoint was selected by eval/roc_auc (maximize), got"
    assert problems_of(sweep, tmp_path, metric_name="f1") == [
        f"{rule} eval/f1 (maximize); remove metric_name, or train anew without from_sweep"
    ]
    adopt(sweep, tmp_path, metric_name="roc_auc", metric_goal="maximize")


def test_another_dataset_is_refused_and_a_copy_is_not(sweep, material, tmp_path):
    rows = datasets.load_from_disk(str(material / "dataset"))
    rows.save_to_disk(str(tmp_path / "copy"))
    rows["train"] = rows["train"].select(range(100))
    rows.save_to_disk(str(tmp_path / "other"))
    rule = f"dataset must give the model the rows of the sweep, got others from {tmp_path / 'other'}"
    assert problems_of(sweep, tmp_path, dataset=tmp_path / "other") == [
        f"{rule}; pass the dataset of the sweep, or train anew without from_sweep"
    ]
    adopt(sweep, tmp_path, dataset=tmp_path / "copy")


def test_another_model_or_task_is_refused(sweep, material, tmp_path):
    shutil.copytree(material / "model", tmp_path / "model")
    given = {"model_name": str(tmp_path / "model"), "task_type": "regression", "max_length": 50}
    found = problems_of(sweep, tmp_path, **given)
    assert found[2] == "the sweep has trained without max_length, got 50; remove it, or train anew without from_sweep"
    assert found[0] == (
        f"the sweep has trained with model_name {material / 'model'}, got {tmp_path / 'model'}; remove it, "
        "or train anew without from_sweep"
    )
    assert found[1].startswith("the sweep has trained with task_type binary_classification, got regression; remove it")


def test_a_model_that_was_moved_may_be_named(sweep, material, tmp_path):
    shutil.copytree(material / "model", tmp_path / "model")
    record = json.loads((sweep / "sweep.json").read_text())
    change(sweep / "sweep.json", application=record["application"] | {"model_name": "/nowhere/model"})
    adopt(sweep, tmp_path, model_name=str(tmp_path / "model"))


def test_parameters_that_were_changed_by_hand_are_refused(sweep, tmp_path):
    change(sweep / CONFIG, learning_rate=0.5)
    (problem,) = problems_of(sweep, tmp_path)
    assert problem == (
        f"from_sweep needs the record of the best trial, but {sweep / DETAILS} is the record of other parameters than "
        f"those of {CONFIG}; restore it, or train anew without from_sweep"
    )


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "does not exist"),
        ("[]", "is damaged (Input should be"),
        ('{"sweep_id": "a"}', "is damaged (number: Field required)"),
    ],
)
def test_a_record_that_is_missing_or_damaged_is_refused(sweep, tmp_path, content, reason):
    (sweep / DETAILS).unlink()
    if content is not None:
        (sweep / DETAILS).write_text(content)
    (problem,) = problems_of(sweep, tmp_path)
    assert problem.startswith(f"from_sweep needs the record of the best trial, but {sweep / DETAILS} {reason}")


def test_without_the_record_of_the_sweep_its_inputs_must_be_given(sweep, material, tmp_path):
    (sweep / "sweep.json").unlink()
    assert problems_of(sweep, tmp_path) == ["dataset is required: the directory that save_to_disk wrote"]
    adopt(sweep, tmp_path, dataset=material / "dataset", model_name=str(material / "model"))


def test_a_directory_that_holds_a_model_is_refused(sweep, tmp_path):
    adopt(sweep, tmp_path)
    with pytest.raises(InvalidInputError, match="already contains a trained model"):
        adopt(sweep, tmp_path)
