"""Whatever is written has the mode that the umask gives to new files."""

import os
from stat import S_IMODE

import pytest
from bertnado_metrics import Objective
from bertnado_train import TrainingInputs, train_model, train_trial
from bertnado_train.simulated import write_model

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 2, "eval_steps": 1}


@pytest.fixture(params=[0o022, 0o027], ids=oct)
def usual_mode(request):
    """The mode of a new file under a umask, which holds while the test runs."""
    before = os.umask(request.param)
    yield 0o666 & ~request.param
    os.umask(before)


def modes_in(directory):
    return {file.name: oct(S_IMODE(file.stat().st_mode)) for file in directory.rglob("*") if file.is_file()}


def test_of_a_checkpoint(usual_mode, model_dir, dataset_dir, tmp_path):
    result = train_trial(str(model_dir), dataset_dir, "binary_classification", QUICK, AUC, tmp_path)
    modes = modes_in(result.checkpoint)
    assert {"model.safetensors", "config.json", "tokenizer.json", "tokenizer_config.json"} <= modes.keys()
    assert set(modes.values()) == {oct(usual_mode)}


def test_of_a_final_model(usual_mode, model_dir, dataset_dir, tmp_path):
    final = train_model(TrainingInputs(model_name=str(model_dir), dataset=dataset_dir), QUICK, AUC, tmp_path)
    modes = modes_in(tmp_path)
    assert {final.metrics_path.name, "model.safetensors"} <= modes.keys()
    assert set(modes.values()) == {oct(usual_mode)}


def test_of_a_simulated_model(usual_mode, sequences, tmp_path):
    write_model(tmp_path, sequences["train"][0])
    assert set(modes_in(tmp_path).values()) == {oct(usual_mode)}
