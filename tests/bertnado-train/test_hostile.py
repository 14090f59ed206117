"""Models, datasets and arguments that would harm the machine are refused beforehand."""

import json
import os
import shutil
from fractions import Fraction

import pytest
import torch
from bertnado_config import InvalidInputError, parse_sweep_config
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer, train_trial
from bertnado_train.parameters.training_argument_names import TrainingArgumentNames
from bertnado_train.training_arguments import convert_arguments
from safetensors.torch import load_file

NAMES = TrainingArgumentNames()
AUC = Objective("eval/roc_auc", "maximize")
SWEEP = parse_sweep_config({"method": "grid", "parameters": {"max_steps": {"value": 2}}})


@pytest.fixture
def errors(model_dir, dataset_dir):
    """Return the errors that a check of a valid sweep reports."""

    def check(**options):
        defaults = {"model_name": str(model_dir), "dataset": str(dataset_dir), "task_type": "binary_classification"}
        found = HuggingFaceTrainer(**(defaults | options)).check(SWEEP, AUC)
        return [str(problem) for problem in found if problem.severity == "error"]

    return check


@pytest.fixture
def model(model_dir, tmp_path):
    """A copy of the model to spoil."""
    return shutil.copytree(model_dir, tmp_path / "model")


@pytest.fixture
def dataset(dataset_dir, tmp_path):
    """A copy of the dataset to spoil."""
    return shutil.copytree(dataset_dir, tmp_path / "data" / "dataset")


# Names


@pytest.mark.parametrize("name", ["", " ", "\t"])
def test_a_name_that_is_empty_is_not_the_directory_one_is_in(errors, name, monkeypatch, dataset_dir):
    monkeypatch.chdir(dataset_dir)
    assert errors(model_name=name, dataset=name) == [
        f"model_name must name a directory or a model on the hub, got {name!r}; give its name",
        f"dataset must name the directory that save_to_disk wrote, got {name!r}; give its name",
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\0b", r"got 'a\x00b' with an invalid character; remove it"),
        ("a" * 5000, "of 5,000 characters, which is too long"),
    ],
    ids=["a NUL byte", "too long"],
)
def test_a_name_that_no_file_can_have_is_reported(errors, name, message):
    model, dataset = errors(model_name=name, dataset=name)
    assert message in model
    assert message in dataset
    assert len(model) < 200


def test_train_trial_reports_the_same(model_dir, dataset_dir, tmp_path):
    with pytest.raises(InvalidInputError, match="model_name must name a directory or a model on the hub, got ''"):
        train_trial("", dataset_dir, "binary_classification", {}, AUC, tmp_path)
    with pytest.raises(InvalidInputError, match="dataset must name the directory that save_to_disk wrote, got ''"):
        train_trial(str(model_dir), "", "binary_classification", {}, AUC, tmp_path)


# Arguments


def test_no_sweep_starts_a_hundred_thousand_processes():
    """W&B hands out values that no check has seen, so the bound holds where a trial reads them too."""
    for most in (8, max(8, 2 * len(os.sched_getaffinity(0)))):
        assert NAMES.convert("dataloader_num_workers", most) == most
    message = "must be at most 8, or twice the CPUs that this process may use, got 100000; each is a separate process"
    with pytest.raises(ValueError, match=message):
        convert_arguments({"dataloader_num_workers": 100_000})
    with pytest.raises(ValueError, match="must be at least 1 and at most 1000, got 1001"):
        NAMES.convert("dataloader_prefetch_factor", 1001)


@pytest.mark.parametrize("name", ["hub_token", "push_to_hub_token", "training_args.hub_token"])
def test_a_token_is_refused_and_not_repeated(name):
    with pytest.raises(ValueError) as caught:
        convert_arguments({name: "hf_abc123"})
    assert str(caught.value) == (
        f"{name}: a token must not be in sweep files or arguments, which are written to every record; remove it, "
        f"and log in with `hf auth login` or set HF_TOKEN"
    )


@pytest.mark.parametrize("name", ["hub_model_id", "hub_strategy", "hub_private_repo", "hub_revision"])
def test_what_only_an_upload_needs_is_refused_as_it_is(name):
    with pytest.raises(ValueError, match=f"{name}: a sweep does not upload models; remove it, and upload the model"):
        convert_arguments({name: "lab/model"})


@pytest.mark.parametrize("name", ["learning_rate", "max_steps", "num_train_epochs"])
def test_a_number_beyond_any_other_is_refused(name):
    with pytest.raises(ValueError, match=r"must be (an integer|a number), got 10000"):
        NAMES.convert(name, 10**400)


@pytest.mark.parametrize("name", ["epochs", "eval_delay"])
def test_epochs_are_so_few_that_their_steps_can_be_counted(name):
    with pytest.raises(ValueError, match=r"must be (above|at least) 0 and at most 1000000000, got 1e\+308"):
        NAMES.convert(name, 1e308)


def test_an_object_in_a_file_is_read_like_any_file(tmp_path):
    (tmp_path / "good.json").write_text('{"even_batches": false}')
    converted = convert_arguments({"accelerator_config": str(tmp_path / "good.json")})
    assert converted == {"accelerator_config": {"even_batches": False}}
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(ValueError, match="must be a regular file, got a named pipe"):
        convert_arguments({"accelerator_config": str(tmp_path / "pipe.json")})


# Models


class Code:
    """A pickle of this runs a command when it is read."""

    def __reduce__(self):
        return os.mkdir, ("ran",)


@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("more", [Code(), Fraction(1, 2)])
def test_weights_that_hold_more_than_tensors_are_refused_with_a_cure_of_our_own(
    errors, model, tmp_path, monkeypatch, more, is_zip
):
    monkeypatch.chdir(tmp_path)
    weights = load_file(model / "model.safetensors")
    (model / "model.safetensors").unlink()
    torch.save(weights | {"more": more}, model / "pytorch_model.bin", _use_new_zipfile_serialization=is_zip)
    (found,) = errors(model_name=str(model))
    assert found == (
        f"model_name: the model {str(model)!r} cannot be loaded: its weights file contains more than tensors, which "
        f"could run code when it is loaded; save it as safetensors with save_pretrained where it is trusted"
    )
    assert not (tmp_path / "ran").exists()


def test_damaged_weights_are_reported_as_such(errors, model):
    (model / "model.safetensors").unlink()
    (model / "pytorch_model.bin").write_bytes(b"garbage" * 20)
    (found,) = errors(model_name=str(model))
    assert found.endswith("its weights file is damaged, or not one that torch.save wrote; download or save it again")


def test_weights_in_the_older_format_are_read_where_they_are_tensors_alone(errors, model):
    torch.save(load_file(model / "model.safetensors"), model / "pytorch_model.bin")
    (model / "model.safetensors").unlink()
    assert errors(model_name=str(model)) == []


def with_config(model, **changes):
    content = json.loads((model / "config.json").read_text()) | changes
    (model / "config.json").write_text(json.dumps(content))
    return str(model)


@pytest.mark.parametrize("key", ["attn_implementation", "_attn_implementation", "experts_implementation"])
@pytest.mark.parametrize(
    "value", ["somebody/kernel", "paged|somebody/kernel", "somebody/kernel@v1:run", {"": "somebody/kernel"}]
)
def test_a_kernel_on_the_hub_needs_permission(errors, model, key, value):
    (found,) = errors(model_name=with_config(model, **{key: value}))
    named = value if isinstance(value, str) else "somebody/kernel"
    assert found == (
        f"model_name: the model {str(model)!r} cannot be used: its {key} in config.json must be part of "
        f"transformers, got the kernel {named!r} on the hub; remove it, or read that code and allow it with "
        f"trust_remote_code"
    )


def test_so_does_one_in_a_config_within(errors, model):
    (found,) = errors(model_name=with_config(model, text_config={"attn_implementation": "somebody/kernel"}))
    assert "got the kernel 'somebody/kernel' on the hub" in found


def test_with_permission_transformers_loads_it(errors, model):
    name = with_config(model, attn_implementation="somebody/kernel")
    (found,) = errors(model_name=name, trust_remote_code=True)
    assert "allow it with" not in found


@pytest.mark.parametrize("value", ["sdpa", "eager", None])
def test_an_attention_of_transformers_itself_needs_none(errors, model, value):
    assert errors(model_name=with_config(model, attn_implementation=value)) == []


def test_code_in_another_repository_needs_permission_too(errors, model):
    elsewhere = {"AutoConfig": "somebody/else--code.OwnConfig"}
    (found,) = errors(model_name=with_config(model, model_type="own", auto_map=elsewhere))
    assert "requires custom code, which runs only if you allow it" in found


def test_a_kind_that_transformers_knows_runs_none_of_it(errors, model):
    elsewhere = {"AutoModelForSequenceClassification": "somebody/else--code.Model"}
    assert errors(model_name=with_config(model, auto_map=elsewhere)) == []


def test_a_config_of_a_billion_layers_is_refused_before_they_are_made(errors, model):
    (found,) = errors(model_name=with_config(model, num_hidden_layers=10**9))
    assert "its num_hidden_layers in config.json must be at most 10,000, got 1,000,000,000; download" in found


def test_a_key_that_is_there_twice_is_for_transformers_to_judge(errors, model):
    content = (model / "config.json").read_text()
    (model / "config.json").write_text(content.replace("{", '{"model_type": "roberta",', 1))
    assert errors(model_name=str(model)) == []


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"])
def test_a_model_with_a_pipe_in_it_keeps_nobody_waiting(errors, model, name):
    (model / name).unlink()
    os.mkfifo(model / name)
    (found,) = errors(model_name=str(model))
    assert f"cannot be loaded: {name} must be a regular file, got a named pipe; download or save it again" in found


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "config.json: is empty; download or save it again"),
        ("[]", "config.json must hold an object, got something else; download or save it again"),
        (
            "[" * 900 + "]" * 900,
            "config.json: must be nested at most 128 levels deep, got more; download",
        ),
        ('{"a": 1', "config.json: line 1, column 8: expecting ',' delimiter; download or save it again"),
    ],
    ids=["empty", "a list", "deep", "cut off"],
)
def test_a_damaged_config_is_reported(errors, model, content, message):
    (model / "config.json").write_text(content)
    (found,) = errors(model_name=str(model))
    assert message in found


# Datasets


@pytest.mark.parametrize("name", ["dataset_info.json", "state.json", "data-00000-of-00001.arrow"])
def test_a_dataset_with_a_pipe_in_it_keeps_nobody_waiting(errors, dataset, name):
    (dataset / "train" / name).unlink()
    os.mkfifo(dataset / "train" / name)
    file = str(dataset / "train" / name)
    (found,) = errors(dataset=str(dataset))
    assert found == f"dataset: {file!r} must be a regular file, got a named pipe; prepare the dataset again"


def test_nor_does_one_in_its_place(errors, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (found,) = errors(dataset=str(tmp_path / "pipe"))
    assert "must be a DatasetDict on disk, but contains no dataset; write it with" in found


@pytest.mark.parametrize("name", ["dataset_dict.json", "train/state.json"])
@pytest.mark.parametrize("content", ["", "[]", "{}", "{", '{"splits": 3, "_data_files": 3}', "[" * 900 + "]" * 900])
def test_a_damaged_dataset_is_reported(errors, dataset, name, content):
    (dataset / name).write_text(content)
    (found,) = errors(dataset=str(dataset))
    assert found.startswith(f"dataset: {str(dataset / name)!r} ")
    assert found.endswith("prepare the dataset again")
    assert "\n" not in found


@pytest.mark.parametrize("name", ["label2id.json", "class_weights.json"])
@pytest.mark.parametrize(
    "content", ["", "[]", "{}", "{", "3", '{"0": null, "1": []}', '{"0": 1e999, "1": 1}', '{"0": {}, "1": "x"}', None]
)
def test_so_are_the_files_beside_it(errors, dataset, name, content):
    if content is None:
        os.mkfifo(dataset / name)
    else:
        (dataset / name).write_text(content)
    (found,) = errors(dataset=str(dataset))
    assert found.startswith((f"dataset: {dataset / name}: ", f"dataset: {str(dataset / name)!r} "))
    assert "\n" not in found


def test_names_without_end_are_not_repeated(errors, dataset):
    (dataset / "label2id.json").write_text(json.dumps({f"class{index}": index for index in range(10_000)}))
    (found,) = errors(dataset=str(dataset))
    assert len(found) < 400
