"""A drafted sweep file: the space around published settings, for the rows and the number of trials."""

import itertools
import re

import pytest
import yaml
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective
from bertnado_sweep.drafting import DraftInputs, draft_sweep
from bertnado_sweep.search.presets import FAMILIES
from bertnado_sweep.start_from import find_start_points

AUC = Objective("eval/roc_auc", "maximize")
CONFIGS = {
    "DNABERT-2": {"model_type": "bert", "vocab_size": 4096, "auto_map": {"AutoModel": "bert_layers.BertModel"}},
    "Nucleotide Transformer": {"model_type": "esm", "vocab_size": 4107},
    "GROVER": {"model_type": "bert", "vocab_size": 609},
    "GENA-LM": {"model_type": "big_bird", "vocab_size": 32_000},
    "HyenaDNA": {"model_type": "hyenadna"},
    "Caduceus": {"model_type": "caduceus"},
}
UNKNOWN = {"model_type": "llama"}


def draft(config=UNKNOWN, train=10_000, validation=1000, trials=20, objective=AUC):
    return draft_sweep(DraftInputs(config, train, validation, objective, trials))


def space(*given, **asked):
    return yaml.safe_load(draft(*given, **asked).text)["parameters"]


def evaluations(parameters):
    return round(1 / parameters["eval_steps"]["value"])


@pytest.mark.parametrize("name", CONFIGS)
def test_the_space_contains_the_published_settings_of_the_family(name):
    drafted = draft(CONFIGS[name], train=100_000, validation=10_000)
    assert drafted.family == name
    config = parse_sweep_config(yaml.safe_load(drafted.text))
    for preset in next(family for family in FAMILIES if family.name == name).presets_with(adapters=False):
        assert preset.source in drafted.text.replace("\n# ", " ")
        for path, parameter in config.space.items():
            if path[0] in preset.settings and (name, path[0]) != ("HyenaDNA", "epochs"):
                parameter.to_unit(preset.settings[path[0]])


def test_without_published_settings_the_space_lies_around_those_of_bert():
    assert draft().family is None
    assert "Devlin et al. 2019" in draft().text.replace("\n# ", " ")
    assert space()["learning_rate"] == {"distribution": "log_uniform_values", "min": 8e-6, "max": 1e-4}
    assert space()["per_device_train_batch_size"] == {"values": [16, 32]}


@pytest.mark.parametrize("config", [*CONFIGS.values(), UNKNOWN])
def test_every_draft_is_a_sweep_file_whose_trials_are_evaluated_more_than_once(config):
    for train, validation, trials in itertools.product([1, 9, 500, 10**7], [1, 400, 10**7], [1, 2, 8, 500]):
        drafted = draft(config, train, validation, trials)
        parsed = parse_sweep_config(yaml.safe_load(drafted.text))
        assert parsed.run_cap == trials
        assert evaluations(yaml.safe_load(drafted.text)["parameters"]) >= 2
        assert max(map(len, drafted.text.splitlines())) <= 150


@pytest.mark.parametrize("name", CONFIGS)
def test_every_number_is_a_number_to_every_reader_of_yaml(name):
    for trials in (1, 7, 8):
        for parameter, form in space(CONFIGS[name], trials=trials).items():
            values = [form[key] for key in ("min", "max", "value") if key in form] + form.get("values", [])
            assert all(isinstance(value, str) == (parameter == "lr_scheduler_type") for value in values)


def test_few_rows_give_small_batches_and_many_epochs():
    found = space(train=100)
    assert found["per_device_train_batch_size"] == {"value": 8}
    assert found["epochs"] == {"values": [8, 16]}
    assert space(train=20)["epochs"] == {"values": [10, 20]}
    assert space(train=10_000)["epochs"] == {"values": [2, 3]}


def test_few_trials_search_the_learning_rate_and_the_batch_size_alone():
    varied = {name for name, form in space(trials=7).items() if "value" not in form}
    assert varied == {"learning_rate", "per_device_train_batch_size"}


def test_a_single_trial_has_the_published_settings():
    found = yaml.safe_load(draft(CONFIGS["Caduceus"], train=100_000, trials=1).text)
    assert all("value" in form for form in found["parameters"].values())
    assert found["parameters"]["learning_rate"] == {"value": 1e-3}
    assert found["parameters"]["lr_scheduler_type"] == {"value": "cosine"}
    assert "early_terminate" not in found


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ({}, {"type": "hyperband", "min_iter": 2, "eta": 3}),
        ({"validation": 100}, {"type": "hyperband", "min_iter": 3, "eta": 3}),
        ({"trials": 5}, None),
        ({"validation": 100_000}, None),
    ],
)
def test_trials_are_stopped_early_where_there_is_enough_to_compare(asked, expected):
    text = draft(**asked).text
    assert yaml.safe_load(text).get("early_terminate") == expected
    assert ("No early_terminate: with" in text) == (expected is None)


def test_a_large_validation_split_is_evaluated_less_often():
    assert evaluations(space(train=10_000, validation=1000)) == 15
    assert evaluations(space(train=10_000, validation=100)) == 20
    assert evaluations(space(train=10_000, validation=10**6)) == 4


def test_adapters_are_there_as_comments_where_they_are_published():
    lines = draft(CONFIGS["Nucleotide Transformer"]).text.splitlines()
    assert not any("lora" in line for line in draft(CONFIGS["GROVER"]).text.splitlines())
    kept = [line for line in lines if not line.startswith("  learning_rate")]
    uncommented = "\n".join(re.sub(r"^  # (learning_rate|lora_\w+): \{", r"  \1: {", line) for line in kept)
    config = parse_sweep_config(yaml.safe_load(uncommented))

    class Trainer:
        pretrained_config = CONFIGS["Nucleotide Transformer"]

    begin = find_start_points("preset", config, Trainer())
    assert [point["lora_r"] for point in begin.points] == [1, 8]
    assert not any("learning_rate" in problem.message for problem in begin.problems)


def test_the_metric_is_the_given_one():
    text = draft(objective=Objective("eval/rmse", "minimize")).text
    assert yaml.safe_load(text)["metric"] == {"name": "eval/rmse", "goal": "minimize"}
