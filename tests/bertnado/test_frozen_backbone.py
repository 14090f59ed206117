"""A sweep that compares what is trained, and a final model with a frozen backbone."""

import json
from pathlib import Path

import pytest
from bertnado.api import run_sweep, train_model
from bertnado.cli import main
from click.testing import CliRunner
from safetensors.torch import load_file
from torch import equal


@pytest.fixture
def sweep_file(material, tmp_path):
    """A grid over `freeze`."""
    sweep = json.loads((material / "sweep.json").read_text())
    fixed = {"learning_rate": 0.01, "per_device_train_batch_size": 16, "max_steps": 6, "eval_steps": 3}
    freeze = {"freeze": {"values": ["none", 1, "backbone"]}}
    parameters = {name: {"value": value} for name, value in fixed.items()} | freeze
    file = tmp_path / "sweep.json"
    file.write_text(json.dumps(sweep | {"method": "grid", "parameters": parameters}))
    return file


def details_of(output):
    records = [json.loads(file.read_text()) for file in output.glob("sweep_*/trial.json")]
    return {record["parameters"]["freeze"]: record["details"] for record in records}


def test_a_sweep_mixes_what_is_trained_and_the_final_model_is_whole(sweep_file, material, tmp_path):
    given = {"dataset": material / "dataset", "model_name": str(material / "model")}

    run_sweep(config_path=sweep_file, output_dir=tmp_path / "out", backend="local", **given)

    details = details_of(tmp_path / "out")
    assert set(details) == {"none", 1, "backbone"}
    assert details["backbone"]["freeze"]["trained"] == ["bert.pooler", "classifier"]
    assert details["backbone"]["features"]["reads"] == "first token"
    assert Path(details["backbone"]["features"]["path"]).is_dir()
    assert "freeze" not in details["none"]

    best = tmp_path / "best.json"
    config = json.loads((tmp_path / "out" / "best_sweep_config.json").read_text())
    best.write_text(json.dumps(config | {"freeze": "backbone"}))
    final = train_model(tmp_path / "final", material / "dataset", best, str(material / "model"))

    before = load_file(material / "model" / "model.safetensors")
    after = load_file(Path(final["model_path"]) / "model.safetensors")
    assert all(equal(before[name], after[name]) for name in after if name.startswith(("bert.encoder", "bert.emb")))
    assert final["test_metrics"]["roc_auc"] >= 0


def test_check_shows_what_is_trained_and_what_is_cached(sweep_file, material, tmp_path):
    flags = ["--dataset", material / "dataset", "--model-name", material / "model", "--output-dir", tmp_path / "out"]

    shown = CliRunner().invoke(
        main, ["check", "--config-path", str(sweep_file), *map(str, flags), "--backend", "local"]
    )

    lines = shown.output.splitlines()
    begin = next(number for number, line in enumerate(lines) if line.startswith("trained"))
    assert lines[begin] == "trained       freeze none: 98,049 of 98,049 weights"
    assert lines[begin + 1] == (
        "              freeze 1: 37,697 of 98,049 weights, in bert.encoder.layer.1, bert.pooler, classifier; "
        "frozen: bert.embeddings, bert.encoder.layer.0"
    )
    assert lines[begin + 2] == (
        "              freeze backbone: 4,225 of 98,049 weights, in bert.pooler, classifier; "
        "frozen: bert.embeddings, bert.encoder"
    )
    assert lines[begin + 3].startswith("features      first token, 0.1 MB, cached in ")
