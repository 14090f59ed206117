"""The published settings of a model's family: of the models themselves, and as the first trial of a real sweep."""

import json

import pytest
from bertnado.cli import main
from bertnado_sweep import Sweeper, run_plan
from bertnado_sweep.search.presets import find_family
from bertnado_train import HuggingFaceTrainer
from click.testing import CliRunner
from support.dna_models import STAND_INS

FAMILIES = {
    "dnabert2": "DNABERT-2",
    "nt_v1": "Nucleotide Transformer",
    "nt_v2": "Nucleotide Transformer",
    "agro_nt": "Nucleotide Transformer",
    "grover": "GROVER",
    "gena_bert": "GENA-LM",
    "gena_bigbird": "GENA-LM",
    "hyenadna": "HyenaDNA",
    "caduceus": "Caduceus",
}
OWN_TOKENS = {"grover": 609}
"""Tokens of the published model, where they tell what it is: stand-ins have few."""
SWEEP = {
    "method": "bayes",
    "parameters": {
        "learning_rate": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-2},
        "per_device_train_batch_size": {"values": [4, 8, 16]},
        "max_steps": {"values": [2, 4]},
        "eval_steps": {"value": 2},
    },
}


@pytest.fixture(scope="module")
def nucleotide_transformer(tmp_path_factory):
    directory = tmp_path_factory.mktemp("models") / "copied"
    directory.mkdir()
    STAND_INS["nt_v1"].write(directory)
    return directory


@pytest.mark.parametrize("name", STAND_INS)
def test_a_model_is_recognised_by_its_files(name, tmp_path):
    STAND_INS[name].write(tmp_path)
    config = tmp_path / "config.json"
    if name in OWN_TOKENS:
        config.write_text(json.dumps(json.loads(config.read_text()) | {"vocab_size": OWN_TOKENS[name]}))
    family = find_family(HuggingFaceTrainer(model_name=str(tmp_path), dataset="unread").pretrained_config)
    assert (family and family.name) == FAMILIES.get(name)


def test_the_first_trial_of_a_sweep_is_the_preset(material, nucleotide_transformer, tmp_path, monkeypatch):
    monkeypatch.setenv("WANDB_MODE", "disabled")
    (tmp_path / "sweep.json").write_text(json.dumps(SWEEP))
    sweeper = Sweeper(tmp_path / "sweep.json", tmp_path / "out", str(nucleotide_transformer), material / "dataset")
    run_plan(sweeper.plan(1, start_from="preset", dry_run=False))
    (trial,) = (json.loads(path.read_text()) for path in (tmp_path / "out").glob("sweep_*/trial.json"))
    assert trial["parameters"] == {
        "learning_rate": 1e-5,
        "per_device_train_batch_size": 8,
        "max_steps": 4,
        "eval_steps": 2,
    }


def test_check_says_where_the_search_begins_and_what_was_moved(material, nucleotide_transformer, tmp_path):
    (tmp_path / "sweep.json").write_text(json.dumps(SWEEP))
    words = ["check", "--config-path", tmp_path / "sweep.json", "--output-dir", tmp_path / "out", "--start-from"]
    words += ["preset", "--dataset", material / "dataset", "--model-name", nucleotide_transformer]
    answer = CliRunner().invoke(main, list(map(str, words)))
    assert answer.exit_code == 0, answer.output
    assert "begins with 1 point from the published settings for Nucleotide Transformer (huggingface" in answer.output
    assert "--start-from: max_steps 1000 is not in the space and starts at 4" in answer.output


def test_a_model_of_another_family_is_refused_before_the_start(material, tmp_path):
    words = ["check", "--config-path", material / "sweep.json", "--output-dir", tmp_path / "out", "--start-from"]
    words += ["preset", "--dataset", material / "dataset", "--model-name", material / "model"]
    answer = CliRunner().invoke(main, list(map(str, words)))
    assert answer.exit_code == 2
    assert "--start-from cannot be used: preset requires a model of a known family (DNABERT-2, " in answer.output
    assert "got one of type 'bert' with " in answer.output
