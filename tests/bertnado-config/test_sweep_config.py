"""What a sweep file that can be used means."""

from pathlib import Path

import pytest
from bertnado_config import (
    Categorical,
    CategoricalWithProbabilities,
    Constant,
    Hyperband,
    IntUniform,
    LogUniformValues,
    MetricSection,
    Problem,
    Uniform,
    load_sweep_config,
    parse_sweep_config,
)

CONFIGS = Path(__file__).parents[2] / "configs"


def parse(parameters, **sections):
    return parse_sweep_config({"method": "random", "parameters": parameters, **sections})


def form_of(declared):
    return parse({"x": declared}).space["x",]


def warnings_of(parameters, **sections):
    return [str(warning) for warning in parse(parameters, **sections).warnings]


def test_the_documented_example_means_what_it_says():
    config = load_sweep_config(CONFIGS / "sweep_config.json")
    assert config.method == "bayes"
    assert config.metric == MetricSection("eval/roc_auc", "maximize")
    assert config.early_terminate == Hyperband(min_iter=3)
    assert config.warnings == ()
    assert config.space == {
        ("learning_rate",): LogUniformValues(1e-6, 5e-5),
        ("per_device_train_batch_size",): Categorical((4, 8, 16)),
        ("per_device_eval_batch_size",): Constant(16),
        ("epochs",): Categorical((3, 5, 8)),
        ("weight_decay",): Categorical((0.0, 0.01, 0.05)),
        ("logging_steps",): Constant(10),
        ("warmup_ratio",): Categorical((0.0, 0.03, 0.06)),
        ("lr_scheduler_type",): Categorical(("linear", "cosine")),
        ("gradient_accumulation_steps",): Categorical((1, 2, 4)),
        ("eval_steps",): Constant(100),
        ("save_steps",): Constant(100),
    }


def test_the_quickstarts_file_can_be_used():
    config = load_sweep_config(CONFIGS / "quickstart.json")
    assert config.metric == MetricSection("eval/roc_auc", "maximize")
    assert config.warnings == ()


def test_json_and_yaml_are_the_same_file(tmp_path):
    (tmp_path / "sweep.json").write_text('{"method": "grid", "parameters": {"x": {"values": [1, 2]}}}')
    (tmp_path / "sweep.yaml").write_text("method: grid\nparameters:\n  x:\n    values: [1, 2]\n")
    assert load_sweep_config(tmp_path / "sweep.json") == load_sweep_config(tmp_path / "sweep.yaml")


@pytest.mark.parametrize(
    ("declared", "form"),
    [
        ({"value": 3}, Constant(3)),
        ({"values": [3]}, Categorical((3,))),
        ({"values": [3, 5], "probabilities": [0.5, 0.5]}, CategoricalWithProbabilities((3, 5), (0.5, 0.5))),
        ({"min": 1, "max": 5}, IntUniform(1, 5)),
        ({"min": 1.0, "max": 5.0}, Uniform(1.0, 5.0)),
        ({"min": 0, "max": 1.0}, Uniform(0.0, 1.0)),
        ({"min": 0.5, "max": 2}, Uniform(0.5, 2.0)),
        ({"min": "1", "max": "5"}, IntUniform(1, 5)),
        ({"min": "1e-5", "max": 1}, Uniform(1e-5, 1.0)),
        ({"distribution": "int_uniform", "min": 1.0, "max": "5.0"}, IntUniform(1, 5)),
    ],
    ids=str,
)
def test_a_distribution_that_is_not_named_is_inferred_as_wandb_does(declared, form):
    assert form_of(declared) == form


def test_a_number_in_exponent_form_is_a_number_in_yaml_too(tmp_path):
    """PyYAML reads 1e-5 as a string; nothing is said about it, because nobody can see it in the file."""
    path = tmp_path / "sweep.yaml"
    path.write_text(
        "method: random\n"
        "run_cap: '8'\n"
        "early_terminate: {type: hyperband, max_iter: '27', s: 2.0, eta: 3e0}\n"
        "parameters:\n"
        "  lr: {distribution: log_uniform_values, min: 1e-6, max: 5e-5}\n"
        "  decay: {values: [1e-5, 1e-4, 0]}\n"
        "  eps: {value: 1e-8}\n"
        "  noise: {distribution: normal, mu: 1e-3, sigma: 2E-3}\n"
        "  mix: {values: [a, b], probabilities: [2.5e-1, 7.5e-1]}\n"
        "  training_args: {value: {adam_epsilon: 1e-7}}\n"
    )
    config = load_sweep_config(path)
    assert config.warnings == ()
    assert config.run_cap == 8
    assert config.early_terminate == Hyperband(max_iter=27, s=2, eta=3.0)
    assert config.to_wandb()["parameters"] == {
        "lr": {"distribution": "log_uniform_values", "min": 1e-6, "max": 5e-5},
        "decay": {"distribution": "categorical", "values": [1e-5, 1e-4, 0]},
        "eps": {"distribution": "constant", "value": 1e-8},
        "noise": {"distribution": "normal", "mu": 1e-3, "sigma": 2e-3},
        "mix": {
            "distribution": "categorical_w_probabilities",
            "values": ["a", "b"],
            "probabilities": [0.25, 0.75],
        },
        "training_args": {"distribution": "constant", "value": {"adam_epsilon": 1e-7}},
    }


@pytest.mark.parametrize("text", ["007", "1_000", "0x10", "nan", "inf", "1.2.3", "none", "no", "e5", "", "bert-base"])
def test_a_string_that_is_no_plain_number_stays_a_string(text):
    assert form_of({"value": text}) == Constant(text)


@pytest.mark.parametrize(
    ("listed", "read", "remark"),
    [
        (["16", 32], (16, 32), "the string '16' is read as the number 16; write it without quotes"),
        (["0.1"], (0.1,), "the string '0.1' is read as the number 0.1; write it without quotes"),
        (["None", "cosine"], (None, "cosine"), "the string 'None' is read as null; write it without quotes"),
        (["true", False], (True, False), "the string 'true' is read as true; write it without quotes"),
    ],
)
def test_a_quoted_number_or_word_is_read_as_meant_and_remarked_on(listed, read, remark):
    assert form_of({"values": listed}) == Categorical(read)
    assert warnings_of({"x": {"values": listed}}) == [f"parameters.x.values: {remark}"]


def test_a_value_that_is_listed_twice_counts_once():
    assert form_of({"values": [8, 16, 8.0, 32, 16]}) == Categorical((8, 16, 32))
    assert warnings_of({"x": {"values": [8, 16, 8.0]}}) == [
        'parameters.x.values: 8.0 is listed twice and counts once; use "probabilities" to weight values'
    ]


def test_a_list_as_a_constant_is_what_wandb_makes_of_it_and_warned_of():
    assert form_of({"value": [1, 2]}) == Constant([1, 2])
    assert warnings_of({"x": {"value": [1, 2]}}) == [
        'parameters.x.value: every trial gets the whole list [1, 2]; to choose from it write "values"'
    ]


@pytest.mark.parametrize(
    ("distribution", "bounds", "means", "instead"),
    [
        ("log_uniform", (-13.8, -9.9), "1.01563e-06 to 5.01747e-05", "log_uniform_values"),
        ("log_uniform", (1e-6, 5e-5), "1 to 1.00005", "log_uniform_values"),
        ("inv_log_uniform", (2, 9), "0.00012341 to 0.135335", "inv_log_uniform_values"),
        ("q_log_uniform", (0, 5), "1 to 148", "q_log_uniform_values"),
    ],
)
def test_base_e_exponents_are_accepted_with_the_range_that_they_mean(distribution, bounds, means, instead):
    lowest, highest = bounds
    assert warnings_of({"lr": {"distribution": distribution, "min": lowest, "max": highest}}) == [
        (
            f"parameters.lr: min and max of {distribution} are base-e exponents, so values run from {means}; "
            f'for bounds that are values write "distribution": "{instead}"'
        )
    ]


def test_nested_parameters_are_found_by_their_path():
    config = parse(
        {
            "optimizer": {"parameters": {"lr": {"min": 0.0, "max": 1.0}, "deep": {"parameters": {"x": {"value": 1}}}}},
            "training_args.warmup_steps": {"values": [0, 100]},
        }
    )
    assert list(config.space) == [("optimizer", "lr"), ("optimizer", "deep", "x"), ("training_args.warmup_steps",)]


def test_every_section_of_wandbs_schema_is_read():
    file = {
        "$schema": "sweep_config.schema.json",
        "apiVersion": "v1",
        "kind": "sweep",
        "controller": {"type": "local"},
        "description": "all of it",
        "program": "train.py",
        "job": "team/project/job:v0",
        "image_uri": "registry/image",
        "entity": "lab",
        "project": "bertnado",
        "command": ["python", "${program}"],
        "name": "sweep",
        "run_cap": 7,
        "method": "bayes",
        "metric": {
            "name": "loss",
            "goal": "minimize",
            "target": 0.1,
            "impute": "worst",
            "impute_while_running": "latest",
        },
        "early_terminate": {"type": "hyperband", "max_iter": 27, "s": 2, "eta": 3, "strict": False},
        "parameters": {"x": {"distribution": "constant", "value": 1}},
    }
    config = parse_sweep_config(file)
    assert (config.name, config.description, config.project, config.entity) == ("sweep", "all of it", "bertnado", "lab")
    assert config.run_cap == 7
    assert config.metric == MetricSection("loss", "minimize", 0.1, "worst", "latest")
    assert config.early_terminate == Hyperband(max_iter=27, s=2, eta=3, strict=False)
    del file["$schema"]
    assert config.to_wandb() == file


def test_what_a_normalised_file_says_is_what_the_file_said():
    """Numbers as numbers, one type for both bounds, distributions named, null left out, nothing else changed."""
    config = parse_sweep_config(
        {
            "name": None,
            "method": "random",
            "metric": {"name": "eval/f1", "goal": None, "impute_while_running": False},
            "early_terminate": {"min_iter": "3"},
            "parameters": {
                "dropout": {"min": 0, "max": "5e-1"},
                "q": {"distribution": "q_uniform", "min": 0, "max": 10},
                "outer": {"parameters": {"x": {"values": ("1e-5", "a")}}},
            },
        }
    )
    assert config.to_wandb() == {
        "method": "random",
        "metric": {"name": "eval/f1", "impute_while_running": "false"},
        "early_terminate": {"type": "hyperband", "min_iter": 3},
        "parameters": {
            "dropout": {"distribution": "uniform", "min": 0.0, "max": 0.5},
            "q": {"distribution": "q_uniform", "min": 0, "max": 10},
            "outer": {"parameters": {"x": {"distribution": "categorical", "values": [1e-5, "a"]}}},
        },
    }
    assert type(config.to_wandb()["parameters"]["dropout"]["min"]) is float


def test_a_normalised_file_is_a_copy_each_time():
    config = parse({"x": {"value": [1]}})
    config.to_wandb()["parameters"]["x"]["value"].append(2)
    assert config.to_wandb()["parameters"]["x"]["value"] == [1]


def test_a_normalised_file_reads_as_the_same_sweep():
    config = load_sweep_config(CONFIGS / "sweep_config.json")
    again = parse_sweep_config(config.to_wandb())
    assert again.space == config.space
    assert again.to_wandb() == config.to_wandb()


@pytest.mark.parametrize(
    ("section", "evaluations", "bands"),
    [
        (Hyperband(min_iter=3), 50, (3, 9, 27)),
        (Hyperband(min_iter=3), 2, ()),
        (Hyperband(min_iter=1, eta=1.5), 6, (1, 2, 3, 5)),
        (Hyperband(max_iter=27, s=2), 100, (3, 9)),
        (Hyperband(max_iter=27, s=2, eta=2), 100, (6, 13)),
        (Hyperband(max_iter=27, s=9), 5, (1, 3)),
    ],
)
def test_bands_are_wandbs(section, evaluations, bands):
    assert section.bands(evaluations) == bands


@pytest.mark.parametrize(
    ("section", "warning"),
    [
        ({"min_iter": 3, "max_iter": 27, "s": 2}, "early_terminate.min_iter: has no effect beside max_iter and s"),
        ({"min_iter": 3, "s": 2}, "early_terminate.s: has no effect without max_iter"),
    ],
)
def test_a_setting_of_early_termination_without_effect_is_warned_of(section, warning):
    assert warnings_of({"x": {"value": 1}}, early_terminate=section) == [warning]


def test_a_problem_reads_as_its_path_and_message():
    assert str(Problem("parameters.x", "is odd")) == "parameters.x: is odd"
    assert str(Problem("", "is odd")) == "is odd"
