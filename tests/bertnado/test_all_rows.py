"""The final model trained on train and validation, for the steps of the best checkpoint."""

import json
import shutil
from pathlib import Path

import pytest
from bertnado.api import train_model
from bertnado.cli import main
from bertnado_config import InvalidInputError
from bertnado_sweep.running.events import Note
from click.testing import CliRunner

CONFIG = "best_sweep_config.json"
DETAILS = "best_sweep_details.json"
RULE = "train_on train+validation trains for the steps of the best checkpoint"


@pytest.fixture
def best(swept, tmp_path):
    """The best configuration of a sweep in a directory of its own; the best step is 4 of 6."""
    for name in (CONFIG, DETAILS):
        shutil.copy(swept[0] / name, tmp_path)
    change(tmp_path / DETAILS, step=4)
    return tmp_path / CONFIG


def change(file, **values):
    file.write_text(json.dumps(json.loads(file.read_text()) | values))


@pytest.fixture
def train(best, material, tmp_path):
    """Train on all rows."""

    def run(train_on="train+validation", **given):
        dataset = given.pop("dataset", material / "dataset")
        model = str(material / "model")
        return train_model(tmp_path / "final", dataset, best, model, train_on=train_on, **given)

    return run


def problems_of(train, **given):
    with pytest.raises(InvalidInputError) as caught:
        train(**given)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.slow
def test_it_trains_for_the_steps_of_the_best_checkpoint_and_claims_no_validation_value(train):
    events = []
    final = train(observer=events.append)
    assert (final["metric_name"], "metric_value" in final) == ("eval/roc_auc", False)
    metrics = json.loads(Path(final["metrics_path"]).read_text())
    assert (metrics["steps"], metrics["trained_on"]) == (4, ["train", "validation"])
    assert "validation" not in metrics
    assert metrics["objective"] == {"name": "eval/roc_auc", "goal": "maximize"}
    assert metrics["test"] == final["test_metrics"]
    assert metrics["seed"] == 7
    assert metrics["details"]["arguments"]["max_steps"] == 6
    assert (
        "train and validation are the training rows, for 4 steps, without selection or a validation value"
        in events[0].notes
    )
    notes = [event.text for event in events if isinstance(event, Note)]
    assert all(" on test" in note and "(eval/roc_auc" in note for note in notes)
    others = {type(event).__name__ for event in events if not isinstance(event, Note)}
    assert others == {"RunStarted", "TrialProgress"}
    assert metrics["baselines"].keys() == {"test"}


def test_by_the_command(best, material, tmp_path):
    words = [
        *("--best-config-path", best, "--output-dir", tmp_path / "final", "--train-on", "train+validation"),
        *("--model-name", material / "model", "--dataset", material / "dataset"),
    ]
    done = CliRunner().invoke(main, ["full-train", *map(str, words)])
    assert done.exit_code == 0, done.output
    assert "metric_value" not in json.loads(done.stdout)
    assert "eval/" not in "".join(line for line in done.stderr.splitlines() if "baselines" not in line)


def test_an_unknown_choice_is_an_error(train):
    assert problems_of(train, train_on="all") == ["unknown train_on 'all'; choose from train, train+validation"]


@pytest.mark.slow
def test_without_the_best_step_it_is_refused(train, tmp_path):
    (tmp_path / DETAILS).unlink()
    assert problems_of(train) == [f"{RULE}, but {tmp_path / DETAILS} does not exist; omit it"]


def test_what_would_set_another_number_of_steps_is_refused(train):
    found = problems_of(train, early_stopping_patience=3, max_steps=20, epochs=2)
    assert found == [
        f"{RULE}, and evaluates nothing; remove {name}" for name in ("max_steps", "epochs", "early_stopping_patience")
    ]


def test_more_steps_than_the_training_has_are_refused(train, tmp_path):
    change(tmp_path / DETAILS, step=40)
    assert problems_of(train) == [f"{RULE}, got 40 and a training of only 6; remove what overrides the file"]


@pytest.mark.slow
def test_another_dataset_is_a_warning(train, tmp_path):
    details = json.loads((tmp_path / DETAILS).read_text())["details"]
    change(tmp_path / DETAILS, details=details | {"dataset": details["dataset"] | {"fingerprint": "0"}})
    notes = []
    train(observer=lambda event: notes.extend(getattr(event, "notes", ())))
    assert "Warning: dataset: the 4 steps of the best checkpoint were found on another dataset" in notes
