"""`bertnado init` and `bertnado.api.init_sweep`: a first sweep file, which is checked and run as it is."""

import json
import shlex

import datasets
import pytest
import yaml
from bertnado import api
from bertnado.cli import main
from bertnado_config import InvalidInputError, load_sweep_config
from click.testing import CliRunner
from support.dna_models import STAND_INS

LABELS = {
    "regression": [0.5, 1.5, -2.0, 3.25] * 3,
    "multilabel_classification": [[0, 1], [1, 0], [1, 1], [0, 0]] * 3,
    "multiclass_classification": [0, 1, 2, 1] * 3,
}
METRICS = {
    "regression": ("eval/r2", "maximize"),
    "multilabel_classification": ("eval/roc_auc", "maximize"),
    "multiclass_classification": ("eval/f1", "maximize"),
}


def run(*words):
    return CliRunner().invoke(main, list(map(str, words)))


@pytest.fixture
def few_rows(tmp_path):
    """Write a dataset of twelve training rows with labels of a task."""

    def write(task):
        rows = {"sequence": ["ACGTACGTTGCA" * 3] * 12, "labels": LABELS[task]}
        split = datasets.Dataset.from_dict(rows)
        datasets.DatasetDict({"train": split, "validation": split}).save_to_disk(tmp_path / "dataset")
        return tmp_path / "dataset"

    return write


def test_the_file_is_checked_and_run_as_it_is(material, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    file = tmp_path / "sweep.yaml"
    answer = run(
        *("init", "--dataset", material / "dataset", "--model-name", material / "model"),
        *("--sweep-count", 1, "--to", file),
    )
    assert answer.exit_code == 0, answer.output
    said = json.loads(answer.output)
    assert (said["path"], said["family"], said["trials"]) == (str(file), None, 1)
    assert f"#   {said['run']}\n" in file.read_text()
    for command in (said["check"], said["run"]):
        words = shlex.split(command.replace("output/sweep", str(tmp_path / "out")))[1:]
        answer = run(*words, "--backend", "local", "--no-dry-run")
        assert answer.exit_code == 0, answer.output
    best = json.loads((tmp_path / "out" / "best_sweep_config.json").read_text())
    assert best["learning_rate"] == 3e-5
    assert best["per_device_train_batch_size"] == 16


def test_a_model_of_a_known_family_begins_with_its_preset(material, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    STAND_INS["nt_v1"].write(model)
    found = api.init_sweep(material / "dataset", str(model), to=tmp_path / "sweep.yaml")
    assert found["family"] == "Nucleotide Transformer"
    assert "--start-from preset" in found["run"]
    words = shlex.split(found["run"].replace("output/sweep", str(tmp_path / "out")))[2:]
    answer = run("check", *words)
    assert answer.exit_code == 0, answer.output
    assert "the search begins with 1 point from the published settings for Nucleotide Transformer" in answer.output


@pytest.mark.parametrize("task", LABELS)
def test_every_task_has_a_draft_of_a_few_rows_that_check_accepts(task, few_rows, material, tmp_path):
    dataset = few_rows(task)
    found = api.init_sweep(dataset, str(material / "model"), task, to=tmp_path / "sweep.yml", sweep_count=8)
    config = load_sweep_config(tmp_path / "sweep.yml")
    assert (config.metric.name, config.metric.goal) == METRICS[task]
    words = shlex.split(found["check"].replace("output/sweep", str(tmp_path / "out")))[1:]
    assert run(*words).exit_code == 0


def test_the_metric_and_other_inputs_are_in_the_file_and_in_the_commands(material, tmp_path):
    given = {"metric_name": "loss", "uppercase": True, "max_length": 60}
    found = api.init_sweep(material / "dataset", str(material / "model"), to=tmp_path / "sweep.yaml", **given)
    metric = load_sweep_config(tmp_path / "sweep.yaml").metric
    assert (metric.name, metric.goal) == ("eval/loss", "minimize")
    assert found["run"].endswith("--uppercase --max-length 60")


def test_names_that_would_end_a_comment_are_harmless(material, tmp_path):
    strange = tmp_path / "a\nmethod: grid #\x07"
    strange.symlink_to(material / "dataset")
    api.init_sweep(strange, str(material / "model"), to=tmp_path / "sweep.yaml")
    assert yaml.safe_load((tmp_path / "sweep.yaml").read_text())["method"] == "bayes"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"to": "there.yaml"},
            "to must be a new file, got there.yaml, which exists; choose another name, or remove it",
        ),
        ({"to": "sweep.json"}, "to must end in .yaml or .yml, got 'sweep.json'"),
        ({"to": " "}, "to must name a new file, got ' '; give its name"),
        ({"sweep_count": 0}, "sweep_count must be at least 1, got 0"),
        ({"metric_name": "eval/auc"}, "did you mean 'eval/roc_auc'?"),
        ({"dataset": "nowhere"}, "nowhere"),
        ({"model_name": "nothing/here/at/all"}, "nothing/here/at/all"),
    ],
)
def test_what_cannot_be_drafted_is_said_and_nothing_is_written(given, message, material, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.yaml").write_text("mine")
    asked = {"dataset": material / "dataset", "model_name": str(material / "model")} | given
    with pytest.raises(InvalidInputError, match=r"(?s).*") as error:
        api.init_sweep(**asked)
    assert message in str(error.value)
    assert [path.name for path in tmp_path.iterdir()] == ["there.yaml"]
    assert (tmp_path / "there.yaml").read_text() == "mine"


def test_all_mistakes_are_said_at_once(material):
    answer = run("init", "--dataset", material / "dataset", "--to", "sweep.json", "--sweep-count", 0)
    assert answer.exit_code == 2
    assert "--to must end in" in answer.output
    assert "--sweep-count must be at least 1" in answer.output
