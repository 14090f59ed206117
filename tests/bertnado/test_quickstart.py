"""The quickstart, and the control that there is something to learn."""

import json
import shlex
from pathlib import Path

import pytest
from bertnado import api
from bertnado.cli import main
from bertnado_train.simulated import write_dataset, write_model
from click.testing import CliRunner

CONFIG = Path(__file__).parents[2] / "configs" / "quickstart.json"


@pytest.fixture(scope="module")
def quickstart(tmp_path_factory):
    """A quickstart: (its directory, what it printed)."""
    root = tmp_path_factory.mktemp("quick") / "start"
    done = CliRunner().invoke(main, ["quickstart", str(root)])
    assert done.exit_code == 0, done.output
    return root, done.stdout


def test_the_best_trial_really_learns_the_motif(quickstart):
    details = json.loads((quickstart[0] / "sweep" / "best_sweep_details.json").read_text())
    assert details["value"] > 0.85


def test_it_prints_the_best_configuration_where_everything_is_and_that_the_data_is_simulated(quickstart):
    root, shown = quickstart
    best = (root / "sweep" / "best_sweep_config.json").read_text().strip()
    assert best in shown
    assert "The data is simulated" in shown
    for name in ("dataset", "model", "sweep_config.json", "sweep/best_sweep_config.json"):
        assert f"{root}/{name}" in shown
        assert (root / name).exists()


def test_the_command_that_it_prints_is_the_one_that_ran(quickstart):
    root, shown = quickstart
    start = shown.index("bertnado run-sweep")
    words = shlex.split(shown[start : shown.index("\n\n", start)].replace("\\\n", " "))
    checked = CliRunner().invoke(main, ["check", *words[2:], "--output-dir", str(root / "again")])
    assert checked.exit_code == 0, checked.output
    assert "trials        5" in checked.stdout
    recorded = json.loads((root / "sweep" / "sweep.json").read_text())
    assert recorded["application"]["dataset"] == str(root / "dataset")
    assert recorded["budget"] == 5


@pytest.mark.slow
def test_the_final_model_learns_too(quickstart, tmp_path):
    root, _ = quickstart
    trained = api.train_model(
        output_dir=tmp_path / "train",
        dataset=root / "dataset",
        best_config_path=root / "sweep" / "best_sweep_config.json",
        model_name=str(root / "model"),
    )
    assert trained["test_metrics"]["roc_auc"] > 0.8


def test_a_directory_that_is_in_use_is_refused(tmp_path):
    (tmp_path / "something").write_text("mine")
    refused = CliRunner().invoke(main, ["quickstart", str(tmp_path)])
    assert refused.exit_code == 2
    assert "must be a new or an empty directory; choose another one" in refused.output


@pytest.mark.slow
def test_with_random_labels_there_is_nothing_to_learn(tmp_path):
    write_model(tmp_path / "model", write_dataset(tmp_path / "dataset", random_labels=True))
    found = api.run_sweep(
        CONFIG,
        tmp_path / "sweep",
        tmp_path / "dataset",
        model_name=str(tmp_path / "model"),
        sweep_count=1,
        dry_run=False,
    )
    assert abs(found["metric_value"] - 0.5) < 0.1
    trained = api.train_model(
        output_dir=tmp_path / "train",
        dataset=tmp_path / "dataset",
        best_config_path=found["best_config_path"],
        model_name=str(tmp_path / "model"),
    )
    assert abs(trained["test_metrics"]["roc_auc"] - 0.5) < 0.08
