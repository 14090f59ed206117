"""A search that begins with the published settings of the model's family."""

import json
from pathlib import Path

import pytest
from bertnado_config import InvalidInputError, TrialResult, parse_sweep_config
from bertnado_sweep import plan_sweep, run_sweep
from bertnado_sweep.running.events import SweepStarted
from bertnado_sweep.search.presets import FAMILIES, GENERAL, find_family

ROOT = Path(__file__).parents[2]
METRIC = {"name": "eval/roc_auc", "goal": "maximize"}
RATE = {"distribution": "log_uniform_values", "min": 1e-6, "max": 1e-2}
SPACE = {"learning_rate": RATE, "per_device_train_batch_size": {"values": [8, 32, 128]}}
CONFIGS = {
    "DNABERT-2": {"model_type": "bert", "vocab_size": 4096, "auto_map": {"AutoModel": "bert_layers.BertModel"}},
    "Nucleotide Transformer": {"model_type": "esm", "vocab_size": 4105},
    "GROVER": {"model_type": "bert", "vocab_size": 609},
    "GENA-LM": {"model_type": "bert", "vocab_size": 32_000, "auto_map": {"AutoModel": "modeling_bert.BertForMaskedLM"}},
    "HyenaDNA": {"model_type": "hyenadna", "vocab_size": 12},
    "Caduceus": {"model_type": "caduceus", "vocab_size": 16},
}
NT = CONFIGS["Nucleotide Transformer"]


class Trainer:
    """A trainer of a model that has a configuration."""

    def __init__(self, config):
        self.pretrained_config = config

    def check(self, config, objective):
        return ()

    def open(self):
        return self

    def run(self, parameters, report):
        value = -parameters["learning_rate"]
        report(1, value)
        return TrialResult(value, 1)


def file(parameters, method="random"):
    return {"method": method, "metric": METRIC, "parameters": parameters}


@pytest.fixture
def begin(tmp_path):
    """Plan a sweep of a model; return the points that it begins with, its notes and its warnings."""

    def plan(model, parameters, start_from="preset"):
        planned = plan_sweep(
            Trainer(model), file(parameters), output_dir=tmp_path / "out", backend="local", start_from=start_from
        )
        return planned.start_points, planned.search_notes, [problem.message for problem in planned.warnings]

    return plan


def test_every_family_has_an_example():
    assert list(CONFIGS) == [family.name for family in FAMILIES]


@pytest.mark.parametrize("name", CONFIGS)
def test_a_family_is_told_from_the_configuration(name):
    assert find_family(CONFIGS[name]).name == name


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"model_type": "bert", "vocab_size": 30_522},
        {"model_type": "bert", "vocab_size": 4101},  # DNABERT
        {"model_type": "bert", "vocab_size": 30_528, "auto_map": {"AutoModel": "bert_layers.BertModel"}},
        {"model_type": "esm", "vocab_size": 33},  # proteins
        {"model_type": "big_bird", "vocab_size": 50_358},
        {"model_type": "ntv3"},
        {"model_type": "bert", "vocab_size": "609", "auto_map": ["bert_layers.BertModel"]},
    ],
)
def test_a_similar_model_is_of_no_family(config):
    assert find_family(config) is None


def test_code_in_another_repository_is_recognised():
    config = {
        "model_type": "bert",
        "vocab_size": 4096,
        "auto_map": {"AutoModel": "someone/code--bert_layers.BertModel"},
    }
    assert find_family(config).name == "DNABERT-2"


@pytest.mark.parametrize("preset", [GENERAL, *(preset for family in FAMILIES for preset in family.presets)])
def test_a_preset_has_a_source_and_a_learning_rate(preset):
    assert preset.source
    assert 0 < preset.settings["learning_rate"] < 0.01


@pytest.mark.parametrize("name", CONFIGS)
def test_the_whole_model_is_trained_as_published(begin, name):
    points, (note,), warnings = begin(CONFIGS[name], SPACE)
    published = [preset for preset in next(f for f in FAMILIES if f.name == name).presets if not preset.has_adapters]
    assert points == [{key: preset.settings[key] for key in SPACE} for preset in published]
    assert all(preset.source in note for preset in published)
    assert not warnings


def test_adapters_are_trained_as_published_if_the_sweep_has_some(begin):
    space = {"lora_r": {"values": [1, 8]}, "lora_alpha": {"values": [16, 32]}, "learning_rate": RATE}
    points, notes, warnings = begin(NT, space)
    assert points == [
        {"lora_r": 1, "lora_alpha": 32, "learning_rate": 5e-4},
        {"lora_r": 8, "lora_alpha": 16, "learning_rate": 1e-4},
    ]
    assert not warnings
    assert "with_peft.ipynb" in notes[0]


def test_without_published_adapters_those_of_the_whole_model_are_used_and_it_is_said(begin):
    points, _, warnings = begin(CONFIGS["GROVER"], {"lora_r": {"values": [0, 8]}, "learning_rate": RATE})
    assert points == [{"lora_r": 0, "learning_rate": 3e-5}]
    assert "no LoRA settings are known for GROVER" in warnings[0]


def test_what_lies_outside_the_space_is_moved_into_it_and_said(begin):
    space = {"learning_rate": RATE | {"max": 5e-4}, "per_device_train_batch_size": {"values": [8, 16]}}
    points, _, warnings = begin(CONFIGS["HyenaDNA"], space)
    assert points == [{"learning_rate": 5e-4, "per_device_train_batch_size": 16}]
    assert warnings == [
        "{start_from}: learning_rate 0.0006 is not in the space and starts at 0.0005",
        "{start_from}: per_device_train_batch_size 128 is not in the space and starts at 16",
    ]


def test_presets_that_are_one_point_of_the_space_are_tried_once(begin):
    points, _, _ = begin(CONFIGS["Caduceus"], {"learning_rate": RATE | {"max": 1e-4}})
    assert points == [{"learning_rate": 1e-4}]


@pytest.mark.parametrize("name", ["epochs", "num_train_epochs", "training_args.epochs"])
def test_all_names_of_a_parameter_are_understood(begin, name):
    assert begin(CONFIGS["HyenaDNA"], {name: {"min": 1, "max": 200}})[0] == [{name: 100}]


def test_parameters_in_an_object_are_understood(begin):
    nested = {"training_args": {"parameters": {"weight_decay": {"min": 0.0, "max": 0.5}}}}
    assert begin(CONFIGS["HyenaDNA"], nested)[0] == [{"training_args": {"weight_decay": 0.1}}]


def test_the_first_trials_are_the_presets_also_after_a_resumption(tmp_path):
    trainer, heard = Trainer(NT), []
    sweep = file({"learning_rate": RATE, "lora_r": {"values": [1, 8]}}, "bayes")
    asked = {"output_dir": tmp_path / "out", "backend": "local", "workers": 1, "observer": heard.append}
    run_sweep(trainer, sweep, start_from="preset", sweep_count=1, **asked)
    result = run_sweep(trainer, sweep, resume=True, sweep_count=3, **asked)
    first, second, third = sorted(result.trials, key=lambda trial: trial.number)
    assert first.parameters == {"learning_rate": 5e-4, "lora_r": 1}
    assert second.parameters == {"learning_rate": 1e-4, "lora_r": 8}
    assert third.parameters["learning_rate"] not in (5e-4, 1e-4)
    notes = next(event for event in heard if isinstance(event, SweepStarted)).notes
    said = "the search begins with 2 points from the published settings for Nucleotide Transformer ("
    assert any(note.startswith(said) for note in notes)


@pytest.mark.parametrize(
    ("config", "got"),
    [({"model_type": "llama", "vocab_size": 4128}, "one of type 'llama' with 4128 tokens"), ({}, "one without")],
)
def test_a_model_of_no_known_family_is_an_error_with_the_cure(begin, config, got):
    with pytest.raises(InvalidInputError) as error:
        begin(config, SPACE)
    (problem,) = error.value.problems
    assert problem.message == (
        "{start_from} cannot be used: preset requires a model of a known family (DNABERT-2, Nucleotide Transformer, "
        f"GROVER, GENA-LM, HyenaDNA, Caduceus), got {got}{'' if config else ' a configuration'}; give a "
        "best_sweep_config.json or the output directory of a sweep instead, or omit it"
    )


def test_a_directory_of_that_name_is_reached_by_its_path(begin, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("preset").mkdir()
    Path("preset/best_sweep_config.json").write_text(json.dumps({"learning_rate": 2e-4}))
    points, notes, _ = begin({}, {"learning_rate": RATE}, start_from="./preset")
    assert points == [{"learning_rate": 2e-4}]
    assert notes == ("the search begins with 1 point from preset",)


def test_weights_and_biases_cannot_begin_there(tmp_path):
    with pytest.raises(InvalidInputError, match="start_from requires backend local or auto"):
        plan_sweep(Trainer(NT), file(SPACE), output_dir=tmp_path / "out", backend="wandb", start_from="preset")


def test_the_page_on_models_has_every_setting_with_its_source():
    page = (ROOT / "docs" / "models.md").read_text()
    for family in FAMILIES:
        for preset in family.presets:
            row = next(line for line in page.splitlines() if preset.source in line)
            settings = "; ".join(f"`{name}` {_shown(value)}" for name, value in preset.settings.items())
            assert row == f"| {family.name} | {settings} | {preset.source} |"


def _shown(value):
    return ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else value


def test_names_of_presets_are_parameters_of_a_sweep_file():
    for preset in (preset for family in FAMILIES for preset in family.presets):
        parse_sweep_config(file({name: {"value": value} for name, value in preset.settings.items()}))
