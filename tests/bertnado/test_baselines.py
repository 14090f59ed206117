"""Baselines as a command, beside a sweep, and beside a final training."""

import json
import math
import shutil
import sys
from pathlib import Path

import datasets
import numpy as np
import pytest
from bertnado import api
from bertnado.baseline_cache import CachedBaselines
from bertnado.baseline_process import BaselineProcess, BaselinesFailedError
from bertnado.baseline_text import describe_split, describe_unbeaten
from bertnado.cli import main
from bertnado_config import TrainingInputs
from bertnado_metrics import Objective, compute_metrics, get_task
from bertnado_metrics.baselines import BASELINES
from bertnado_sweep.records.baselines import RecordedBaselines, read_baselines
from bertnado_sweep.running.events import Note, SweepStarted, TrialStarted
from bertnado_train.training_setup import read_dataset
from click.testing import CliRunner
from sklearn.linear_model import LogisticRegression

NAMES = ["constant", "composition", "k-mers", "tokens"]
AUC = Objective("eval/roc_auc", "maximize")


def invoke(*words):
    return CliRunner().invoke(main, [str(word) for word in words])


@pytest.fixture
def flags(material):
    return ["baselines", "--dataset", material / "dataset", "--model-name", material / "model"]


@pytest.fixture
def cached(material, tmp_path, monkeypatch):
    """The baselines of the dataset, in an empty cache."""
    monkeypatch.setenv("BERTNADO_CACHE", str(tmp_path / "cache"))
    read = read_dataset(TrainingInputs(model_name=str(material / "model"), dataset=material / "dataset"))
    return CachedBaselines(read.dataset, read.tokenizer, get_task("binary_classification"))


def test_the_command_prints_a_table_of_all_metrics(flags):
    shown = invoke(*flags, "--test")
    assert shown.exit_code == 0, shown.output
    blocks = shown.output.split("\n\n")
    assert blocks[0] == "task binary_classification: 160 train rows, 60 validation rows, 60 test rows"
    for block, split in zip(blocks[1:3], ("validation", "test"), strict=True):
        header, *rows = [line.split() for line in block.splitlines()]
        assert header == [split, *get_task("binary_classification").metrics]
        assert [row[0] for row in rows] == NAMES
    assert "left out: positions, which needs sequences of one length, but they have 100 to 160 letters" in blocks[3]


def test_the_numbers_are_those_of_plain_scikit_learn(flags, material):
    found = json.loads(invoke(*flags, "--test", "--format", "json").stdout)
    stored = datasets.load_from_disk(str(material / "dataset"))

    def matrix(split):
        texts = stored[split]["sequence"]
        return np.array([[math.log1p(len(t)), *(t.count(base) / len(t) for base in "ACGT")] for t in texts])

    spread = matrix("train").std(axis=0)
    baseline = next(baseline for baseline in found["baselines"] if baseline["name"] == "composition")
    strength = 1 / (baseline["settings"]["penalty"] * 160)
    model = LogisticRegression(C=strength).fit(matrix("train") / spread, stored["train"]["labels"])
    for split in ("validation", "test"):
        logits = model.decision_function(matrix(split) / spread)
        expected = compute_metrics("binary_classification", logits, stored[split]["labels"])
        assert baseline["metrics"][split] == pytest.approx(expected, abs=2e-3)


def test_the_test_split_is_shown_only_when_it_is_asked_for(flags, tmp_path):
    shown = invoke(*flags, "--format", "json", "--output-dir", tmp_path / "out")
    found = json.loads(shown.stdout)
    assert found["rows"].keys() == {"train", "validation"}
    assert {split for baseline in found["baselines"] for split in baseline["metrics"]} == {"validation"}
    assert json.loads((tmp_path / "out" / "baselines.json").read_text()) == found
    assert found["objective"] == {"name": "eval/roc_auc", "goal": "maximize"}


def test_a_file_is_not_an_output_directory(flags, tmp_path):
    (tmp_path / "out").write_text("mine")
    shown = invoke(*flags, "--output-dir", tmp_path / "out")
    assert shown.exit_code == 2
    assert f"--output-dir must be a directory, got the file {tmp_path / 'out'}" in shown.output


@pytest.mark.parametrize("task", ["multiclass_classification", "multilabel_classification", "regression"])
def test_every_task_has_baselines(material, tmp_path, task):
    stored, kinds = datasets.load_from_disk(str(material / "dataset")), ["CCA", "GGC", "TAA"]

    def label(row):
        counts = [row["sequence"].count(kind) for kind in kinds]
        made = {
            "multiclass_classification": int(np.argmax(counts)),
            "multilabel_classification": [int(count > 2) for count in counts],
            "regression": float(counts[0]),
        }
        return {"labels": made[task]}

    stored = stored.remove_columns("labels").map(label)
    stored.save_to_disk(str(tmp_path / "dataset"))
    found = api.baselines(tmp_path / "dataset", str(material / "model"), task)
    metric = get_task(task).default_objective
    values = {baseline["name"]: baseline["metrics"]["validation"][metric] for baseline in found["baselines"]}
    assert list(values) == NAMES
    assert values["k-mers"] > values["constant"] + 0.05


def test_the_cache_has_them_until_its_file_is_torn(cached, material):
    def seconds():
        found = api.baselines(material / "dataset", str(material / "model"))
        return [baseline["seconds"] for baseline in found["baselines"]]

    first = seconds()
    assert seconds() == first  # computed anew they would differ
    content = cached.file.read_text()
    for damaged in (content[: len(content) // 2], content.replace('"format": 1', '"format": 0'), "[]"):
        cached.file.write_text(damaged)
        again = seconds()
        assert again != first
        first = again
    assert [path.name for path in cached.file.parent.iterdir()] == [cached.file.name]


def test_other_class_weights_and_tasks_have_files_of_their_own(cached, material, tmp_path):
    copy = shutil.copytree(material / "dataset", tmp_path / "dataset")
    (copy / "class_weights.json").write_text('{"0": 10, "1": 90}')
    read = read_dataset(TrainingInputs(model_name=str(material / "model"), dataset=copy))
    others = [
        CachedBaselines(read.dataset, read.tokenizer, get_task("binary_classification")),
        CachedBaselines(read.dataset, read.tokenizer, get_task("regression")),
    ]
    assert len({cached.file, *(other.file for other in others)}) == 3


def test_another_process_finds_the_same(cached):
    process = BaselineProcess(cached.data())
    try:
        assert process.wait(0) is None
        found = process.wait(60)
    finally:
        process.close()
    here = cached.data().compute()
    assert [(b.name, b.metrics) for b in found.baselines] == [
        (b.name, {split: pytest.approx(metrics) for split, metrics in b.metrics.items()}) for b in here.baselines
    ]


def test_a_process_that_fails_says_why(cached, tmp_path):
    process = BaselineProcess("no data")
    try:
        with pytest.raises(BaselinesFailedError, match="'str' object has no attribute 'compute'"):
            process.wait(60)
    finally:
        process.close()
    assert process.has_ended


@pytest.fixture(scope="module")
def watched(material, tmp_path_factory):
    """A sweep of one trial whose cache has no baselines: (its output directory, its events)."""
    root, events = tmp_path_factory.mktemp("watched"), []
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BERTNADO_CACHE", str(root / "cache"))
        sweep(material, root / "sweep", events.append)
    return root / "sweep", events


def sweep(material, output, observer):
    return api.run_sweep(
        material / "sweep.json",
        output,
        material / "dataset",
        model_name=str(material / "model"),
        sweep_count=1,
        backend="local",
        dry_run=False,
        observer=observer,
    )


def notes_in(events):
    return [event.text for event in events if isinstance(event, Note)]


def test_a_sweep_shows_the_baselines_and_writes_them_without_test(watched):
    output, events = watched
    written = json.loads((output / "baselines.json").read_text())
    assert [baseline["name"] for baseline in written["baselines"]] == NAMES
    assert {split for baseline in written["baselines"] for split in baseline["metrics"]} == {"validation"}
    values = {baseline["name"]: baseline["metrics"]["validation"]["roc_auc"] for baseline in written["baselines"]}
    listed = ", ".join(f"{name} {value:.3f}" for name, value in values.items())
    line = f"baselines on validation (eval/roc_auc): {listed}; a model should beat {max(values.values()):.3f}"
    assert line in notes_in(events)


def test_a_sweep_says_that_its_best_trial_does_not_beat_them(watched):
    _, events = watched
    (said,) = [note for note in notes_in(events) if "does not beat" in note]
    assert said.startswith("Warning: the best trial (eval/roc_auc 0.")
    assert "k-mers (0.9" in said


def test_baselines_in_the_cache_are_shown_before_the_first_trial(swept, material, tmp_path):
    events = []
    sweep(material, tmp_path / "sweep", events.append)
    places = {type(event): number for number, event in reversed(list(enumerate(events)))}
    shown = next(i for i, event in enumerate(events) if "baselines on" in getattr(event, "text", ""))
    assert places[SweepStarted] < shown < places[TrialStarted]


def test_baselines_never_fail_a_sweep(material, tmp_path, monkeypatch):
    monkeypatch.setenv("BERTNADO_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    events = []
    assert sweep(material, tmp_path / "sweep", events.append)["metric_value"] > 0
    assert [note for note in notes_in(events) if "baselines" in note] == [
        "the baselines could not be computed: [Errno 2] No such file or directory: '/nonexistent/python'"
    ]


def test_a_final_model_is_compared_with_them(watched, material, tmp_path):
    output, said = watched[0], []
    trained = api.train_model(
        tmp_path / "final", None, output / "best_sweep_config.json", from_sweep=True, observer=said.append
    )
    metrics = json.loads(Path(trained["metrics_path"]).read_text())
    assert metrics["notes"] == trained["notes"]
    for split, value in (("validation", trained["metric_value"]), ("test", trained["test_metrics"]["roc_auc"])):
        values = metrics["baselines"][split]
        assert list(values) == NAMES
        (note,) = [note for note in trained["notes"] if f" on {split})" in note]
        assert note.startswith(f"the final model (eval/roc_auc {value:.4f} on {split}) does not beat the baselines ")
        assert {name for name in NAMES if f"{name} (" in note} == {n for n in NAMES if values[n] >= value}
        assert f"Warning: {note}" in notes_in(said)
    assert read_baselines(tmp_path / "final" / "baselines.json")[0].rows.keys() == {"train", "validation", "test"}


def recorded(**values):
    metrics = {name: {"validation": {"roc_auc": value, "loss": value}} for name, value in values.items()}
    baselines = [
        {"name": name, "description": "", "settings": {}, "seconds": 0, "metrics": found}
        for name, found in metrics.items()
    ]
    return RecordedBaselines(
        task="binary_classification", dataset_fingerprint="", rows={}, baselines=baselines, left_out={}
    )


def test_the_baselines_that_a_model_does_not_beat_are_named_the_best_first():
    found = recorded(constant=0.5, tokens=0.8, composition=None, positions=0.9)
    assert describe_unbeaten(found, "validation", AUC, 0.91, "the best trial") is None
    assert describe_unbeaten(found, "validation", AUC, 0.8, "the best trial") == (
        "the best trial (eval/roc_auc 0.8000 on validation) does not beat the baselines positions (0.9000), "
        "tokens (0.8000)"
    )
    loss = Objective("eval/loss", "minimize")
    assert describe_unbeaten(found, "validation", loss, 0.7, "it") == (
        "it (eval/loss 0.7000 on validation) does not beat the baselines constant (0.5000)"
    )
    assert describe_split(found, "validation", loss).endswith("positions 0.900; a model should beat 0.500")


def test_a_split_or_a_metric_that_no_baseline_has_is_not_shown():
    assert describe_split(recorded(constant=0.5), "test", AUC) is None
    assert describe_split(recorded(constant=0.5), "validation", Objective("eval/own", "maximize")) is None
    assert describe_unbeaten(recorded(constant=0.5), "test", AUC, 0.1, "it") is None


def test_every_baseline_of_the_registry_is_computed_or_left_out(flags):
    found = json.loads(invoke(*flags, "--format", "json").stdout)
    assert [*NAMES, *found["left_out"]] == list(BASELINES)
