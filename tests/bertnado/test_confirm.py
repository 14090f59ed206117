"""The best trials are confirmed by a command, with a real model, and the final model follows from it."""

import json
import shutil
from pathlib import Path

import datasets
import pytest
from bertnado import api
from bertnado.cli import main
from bertnado_config import InvalidInputError
from click.testing import CliRunner
from safetensors.torch import load_file

CONFIG = "best_sweep_config.json"


@pytest.fixture(scope="module")
def confirmed(swept, tmp_path_factory):
    """A copy of a finished sweep whose best two trials were confirmed by the command: (directory, its answer)."""
    output = shutil.copytree(swept[0], tmp_path_factory.mktemp("confirmed") / "sweep")
    return output, command("confirm", "--output-dir", output, "--top", 2, "--seeds", 2)


def command(*words):
    done = CliRunner().invoke(main, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def read(path):
    return json.loads(Path(path).read_text())


def test_the_command_confirms_with_the_inputs_of_the_sweep(confirmed, swept):
    output, done = confirmed
    answer, record = json.loads(done.stdout), read(output / "confirmation.json")
    winner = next(finalist for finalist in record["finalists"] if finalist["trial"] == record["winner"])
    assert (answer["winner"], answer["confirmed_mean"]) == (record["winner"], winner["mean"])
    assert (answer["finished"], answer["budget"], answer["ended_by"]) == (4, 4, None)
    assert answer["best_run_id"] == winner["id"]
    assert answer["metric_value"] == winner["search_value"]
    assert answer["best_config"] == read(output / CONFIG)
    for finalist in record["finalists"]:
        assert [run["seed"] for run in finalist["runs"]] == record["seeds"] == [1, 2]
        for run in finalist["runs"]:
            trial = read(output / run["directory"] / "trial.json")
            assert trial["seed"] == trial["details"]["arguments"]["seed"] == run["seed"]
            assert trial["details"]["arguments"]["learning_rate"] == finalist["parameters"]["learning_rate"]
    assert read(output / "sweep.json") == read(swept[0] / "sweep.json")
    assert f"confirmed by eval/roc_auc: trial {record['winner']}, mean {winner['mean']:.4f}" in done.stderr


def test_the_status_shows_it_and_exports_the_confirmed_trial(confirmed):
    output, _ = confirmed
    record, before = read(output / "confirmation.json"), (output / CONFIG).read_text()
    done = command("sweep-status", "--output-dir", output, "--export")
    assert f"confirmed by eval/roc_auc: trial {record['winner']}, mean" in " ".join(done.stdout.split())
    assert f"written (trial {record['winner']}, the confirmed one): {output / CONFIG}" in done.stdout
    assert (output / CONFIG).read_text() == before
    shown = json.loads(command("sweep-status", "--output-dir", output, "--format", "json").stdout)
    assert shown["confirmation"]["winner"] == record["winner"]


def test_the_final_model_without_training_is_the_best_run_of_the_confirmed_trial(confirmed, tmp_path):
    output, _ = confirmed
    moved = shutil.copytree(output, tmp_path / "moved")
    final = api.train_model(tmp_path / "final", None, moved / CONFIG, from_sweep=True)
    record = read(output / "confirmation.json")
    winner = next(finalist for finalist in record["finalists"] if finalist["trial"] == record["winner"])
    best = max(winner["runs"], key=lambda run: run["value"])
    metrics = read(final["metrics_path"])
    assert final["metric_value"] == pytest.approx(best["value"])
    assert (metrics["seed"], metrics["best_step"]) == (best["seed"], best["step"])
    kept = load_file(output / best["directory"] / "checkpoint" / "model.safetensors")
    taken = load_file(Path(final["model_path"]) / "model.safetensors")
    assert all(kept[name].equal(taken[name]) for name in kept)
    assert len(list(output.glob("confirmation/*/checkpoint"))) == 1


def test_the_final_training_takes_the_confirmed_value_for_no_parameter(confirmed, material, tmp_path):
    output, _ = confirmed
    final = api.train_model(tmp_path / "new", material / "dataset", output / CONFIG, str(material / "model"))
    details = read(output / "best_sweep_details.json")
    assert final["metric_value"] == pytest.approx(details["value"]), "seed and settings are those of the trial"


@pytest.fixture(scope="module")
def folded(swept, material, tmp_path_factory):
    """The same over the chromosomes of its dataset: (directory, the command's answer)."""
    root = tmp_path_factory.mktemp("folded")
    output, dataset = shutil.copytree(swept[0], root / "sweep"), datasets.load_from_disk(material / "dataset")
    for name, split in dataset.items():
        chromosomes = [f"chr{1 + row % 7 % 2}" for row in range(len(split))]
        dataset[name] = split.add_column("chromosome", chromosomes)
    dataset.save_to_disk(root / "dataset")
    record = read(output / "sweep.json")
    record["application"]["dataset"] = str(root / "dataset")
    (output / "sweep.json").write_text(json.dumps(record))
    return output, command("confirm", "--output-dir", output, "--top", 2, "--folds", "chromosome")


def test_the_command_confirms_over_the_groups_of_a_column(folded, material):
    output, done = folded
    answer, record = json.loads(done.stdout), read(output / "confirmation.json")
    assert record["folds"] == {"column": "chromosome", "groups": ["chr1", "chr2"]}
    assert (answer["finished"], answer["budget"]) == (4, 4)
    assert answer["best_config"]["confirmed_folds"] == answer["confirmed_folds"] == "chromosome"
    rows = sum(len(split) for name, split in datasets.load_from_disk(material / "dataset").items() if name != "test")
    fingerprints = set()
    for finalist in record["finalists"]:
        for run, seed in zip(finalist["runs"], (1, 2), strict=True):
            trial = read(output / run["directory"] / "trial.json")["details"]
            assert trial["dataset"]["fold"] == {"column": "chromosome", "group": run["fold"]}
            assert sum(trial["dataset"]["rows"].values()) == rows, "the test split takes no part"
            assert trial["arguments"]["seed"] == run["seed"] == seed
            fingerprints.add(trial["dataset"]["fingerprint"])
    assert len(fingerprints) == 2
    lines = " ".join(done.stderr.split())
    assert "confirmation " in lines
    assert "run 1 of 4: trial " in lines
    assert ", fold chr1, seed 1" in lines


def test_the_final_training_follows_a_confirmation_over_folds(folded, material, tmp_path):
    output, _ = folded
    final = api.train_model(tmp_path / "new", material / "dataset", output / CONFIG, str(material / "model"))
    assert final["metric_value"] == pytest.approx(read(output / "best_sweep_details.json")["value"])


def test_without_a_checkpoint_of_the_confirmed_trial_the_final_model_is_trained(folded, material, tmp_path):
    output = shutil.copytree(folded[0], tmp_path / "sweep")
    details = read(output / "best_sweep_details.json")
    assert details["confirmation"]["run"] is None
    (output / "best_sweep_details.json").write_text(json.dumps(details | {"checkpoint": None}))
    with pytest.raises(InvalidInputError) as caught:
        api.train_model(tmp_path / "final", None, output / CONFIG, from_sweep=True)
    assert [str(problem) for problem in caught.value.problems] == [
        "no checkpoint of the confirmed trial is left; train anew without from_sweep"
    ]


def test_other_inputs_than_those_of_the_sweep_are_refused(confirmed, material, tmp_path):
    shutil.copytree(material / "dataset", tmp_path / "other")
    with pytest.raises(InvalidInputError) as caught:
        api.confirm(confirmed[0], dataset=tmp_path / "other")
    assert [str(problem) for problem in caught.value.problems] == [
        f"the sweep was run with dataset {material / 'dataset'}, got {tmp_path / 'other'}; remove it"
    ]
