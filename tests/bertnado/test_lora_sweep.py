"""A sweep that compares adapters with training the whole model, and the final model that follows from it."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from bertnado import api
from bertnado.cli import main
from click.testing import CliRunner

IDS = [[5, 6, 7, 8, 9, 5, 5, 6]]
READING = f"""
import json, sys, torch
from transformers import AutoModelForSequenceClassification
model, loading = AutoModelForSequenceClassification.from_pretrained(sys.argv[1], output_loading_info=True)
assert not loading["missing_keys"] and not loading["unexpected_keys"], loading
with torch.no_grad():
    print(json.dumps(model.eval()(input_ids=torch.tensor({IDS})).logits.tolist()))
"""
"""What a person does with a final model who has transformers, with peft installed, and no BertNado."""


@pytest.fixture(scope="module")
def sweep(material, tmp_path_factory):
    """A sweep of two trials that learn next to nothing, so that they are equally good and the first is the best."""
    directory = tmp_path_factory.mktemp("lora")
    parameters = {
        "lora_r": {"values": [4, 0]},
        "lora_alpha": {"value": 16},
        "lora_target_modules": {"value": ["query", "value"]},
        "learning_rate": {"value": 1e-9},
        "max_steps": {"value": 4},
        "eval_steps": {"value": 2},
    }
    (directory / "sweep.json").write_text(json.dumps({"method": "grid", "parameters": parameters}))
    given = {"dataset": material / "dataset", "model_name": str(material / "model")}
    api.run_sweep(
        directory / "sweep.json", directory / "out", backend="local", keep_checkpoints="all", precision="fp32", **given
    )
    return directory / "out"


def records(sweep):
    trials = [json.loads(file.read_text()) | {"path": file.parent} for file in sweep.glob("sweep_*/trial.json")]
    return {trial["parameters"]["lora_r"]: trial for trial in trials}


def read_in_a_fresh_process(directory):
    command = [sys.executable, "-c", READING, str(directory)]
    return torch.tensor(json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout))


def test_each_trial_keeps_what_it_trains(sweep):
    adapted, whole = (records(sweep)[rank] for rank in (4, 0))
    assert (adapted["path"] / "checkpoint" / "adapter_model.safetensors").is_file()
    assert (whole["path"] / "checkpoint" / "model.safetensors").is_file()
    counts = [trial["details"]["trained_parameters"] for trial in (adapted, whole)]
    assert counts[0]["trained"] < counts[0]["all"] / 10
    assert counts[1]["trained"] == counts[1]["all"]
    assert adapted["details"]["adapter"]["lora_alpha"] == 16
    assert "adapter" not in whole["details"]


def test_the_best_configuration_has_the_adapters_and_full_train_merges_them(sweep, material, tmp_path):
    best = json.loads((sweep / "best_sweep_config.json").read_text())
    assert (best["lora_r"], best["lora_target_modules"]) == (4, ["query", "value"])

    final = api.train_model(
        tmp_path / "final",
        material / "dataset",
        sweep / "best_sweep_config.json",
        str(material / "model"),
        learning_rate=1e-2,
    )

    path = Path(final["model_path"])
    with torch.no_grad():
        expected = api.load_model(path)(input_ids=torch.tensor(IDS)).logits
    assert torch.allclose(read_in_a_fresh_process(path), expected, atol=1e-6)
    assert {file.name for file in (path / "adapter").iterdir()} == {
        "adapter_config.json",
        "adapter_model.safetensors",
        "config.json",
    }
    details = json.loads((tmp_path / "final" / "metrics.json").read_text())["details"]
    assert details["adapter"]["lora_target_modules"] == sorted(
        f"bert.encoder.layer.{layer}.attention.self.{name}" for layer in range(2) for name in ("query", "value")
    )


def test_the_kept_checkpoint_is_completed(sweep, tmp_path):
    command = ["--output-dir", str(tmp_path / "final"), "--best-config-path", str(sweep / "best_sweep_config.json")]
    done = CliRunner().invoke(main, ["full-train", *command, "--from-sweep"])
    assert done.exit_code == 0, done.output
    assert read_in_a_fresh_process(tmp_path / "final" / "model").shape == (1, 1)
    metrics = json.loads((tmp_path / "final" / "metrics.json").read_text())
    assert metrics["objective"]["value"] == pytest.approx(records(sweep)[4]["value"])


def test_check_says_how_many_parameters_are_trained(sweep, material, tmp_path):
    given = {"--dataset": material / "dataset", "--model-name": material / "model", "--output-dir": tmp_path / "new"}
    words = [str(word) for flag in given.items() for word in flag]
    done = CliRunner().invoke(main, ["check", "--config-path", str(sweep.parent / "sweep.json"), *words])
    assert done.exit_code == 0, done.output
    counts = [records(sweep)[rank]["details"]["trained_parameters"] for rank in (4, 0)]
    line = f"parameters    {counts[0]['trained']:,} to {counts[1]['trained']:,} of {counts[0]['all']:,} are trained"
    assert line in done.output
