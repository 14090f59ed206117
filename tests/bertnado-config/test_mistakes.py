"""A file that cannot be used says everything that is wrong: the place, the value, the rule, the cure."""

import math
import pickle

import pytest
from bertnado_config import Problem, SweepConfigError, parse_sweep_config

X = {"x": {"value": 1}}


def problems_of(file):
    with pytest.raises(SweepConfigError) as caught:
        parse_sweep_config(file)
    return [str(problem) for problem in caught.value.problems]


FILES = [
    # the file
    ([], "a sweep file must hold one object, got []"),
    ({"method": "grid"}, 'parameters: is missing; write "parameters": {"learning_rate": {"min": ..., "max": ...}}'),
    (
        {"method": "grid", "parameters": {}},
        'parameters: is empty; declare a parameter: {"learning_rate": {"min": ..., "max": ...}}',
    ),
    (
        {"method": "grid", "parameters": ["lr"]},
        'parameters: must be an object, got ["lr"]; write "parameters": {"learning_rate": {"min": ..., "max": ...}}',
    ),
    # unknown sections
    (
        {"method": "grid", "parameters": X, "early_stopping": {"min_iter": 3}},
        (
            "early_stopping: unknown key 'early_stopping' in a sweep file; did you mean 'early_terminate'? (name, "
            "description, method, metric, parameters, early_terminate, run_cap, project, entity, program, command, "
            "controller, job, image_uri, kind, apiVersion, $schema)"
        ),
    ),
    (
        {"method": "grid", "parameters": X, "metrc": "loss"},
        (
            "metrc: unknown key 'metrc' in a sweep file; did you mean 'metric'? (name, description, method, metric, "
            "parameters, early_terminate, run_cap, project, entity, program, command, controller, job, image_uri, "
            "kind, apiVersion, $schema)"
        ),
    ),
    (
        {"method": "grid", "parameters": X, "learning_rate": {"min": 0, "max": 1}},
        "learning_rate: unknown key 'learning_rate' in a sweep file; parameters belong under \"parameters\"",
    ),
    (
        {"method": "grid", "parameters": X, "count": 5},
        'count: unknown key in a sweep file; give sweep_count (--sweep-count), or write "run_cap"',
    ),
    (
        {"method": "grid", "parameters": X, "seed": 1},
        'seed: unknown key in a sweep file; give seed (--seed), or declare it under "parameters"',
    ),
    (
        {"method": "grid", "parameters": X, "metrics": [{"name": "a"}, {"name": "b"}]},
        (
            "metrics: belongs to W&B's multi-objective and custom schedulers, which are not supported; "
            'name one metric under "metric"'
        ),
    ),
    (
        {"method": "grid", "parameters": X, "scheduler": {"engine": "optuna"}},
        ("scheduler: belongs to W&B's multi-objective and custom schedulers, which are not supported; remove it"),
    ),
    # the method
    ({"parameters": X}, 'method: is missing; write "method": "grid", "random" or "bayes"'),
    (
        {"method": "bayesian", "parameters": X},
        "method: must be 'grid', 'random' or 'bayes', got 'bayesian'; did you mean 'bayes'?",
    ),
    (
        {"method": "custom", "parameters": X},
        "method: 'custom' selects W&B's own schedulers, which are not supported; use 'grid', 'random' or 'bayes'",
    ),
    ({"method": None, "parameters": X}, "method: must be 'grid', 'random' or 'bayes', got null"),
    # the metric
    (
        {"method": "grid", "parameters": X, "metric": "eval/loss"},
        'metric: must be an object, got \'eval/loss\'; write {"name": "eval/roc_auc", "goal": "maximize"}',
    ),
    (
        {"method": "grid", "parameters": X, "metric": {"goal": "minimize"}},
        'metric.name: is missing; write {"name": "eval/roc_auc", "goal": "maximize"}',
    ),
    ({"method": "grid", "parameters": X, "metric": {"name": ""}}, "metric.name: must not be empty"),
    (
        {"method": "grid", "parameters": X, "metric": {"name": "loss", "goal": "maximum"}},
        "metric.goal: goal must be 'maximize' or 'minimize', got 'maximum'; did you mean 'maximize'?",
    ),
    (
        {"method": "grid", "parameters": X, "metric": {"name": "loss", "gaol": "minimize"}},
        (
            "metric.gaol: unknown key 'gaol' in metric; did you mean 'goal'? "
            "(name, goal, target, impute, impute_while_running)"
        ),
    ),
    (
        {"method": "grid", "parameters": X, "metric": {"name": "loss", "impute": "last"}},
        "metric.impute: must be 'latest', 'best' or 'worst', got 'last'; did you mean 'latest'?",
    ),
    (
        {"method": "grid", "parameters": X, "metric": {"name": "loss", "target": math.nan}},
        "metric.target: must be a finite number, got NaN",
    ),
    # early termination
    (
        {"method": "grid", "parameters": X, "early_terminate": "hyperband"},
        'early_terminate: must be an object, got \'hyperband\'; write {"type": "hyperband", "min_iter": 3}',
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "median", "min_iter": 3}},
        "early_terminate.type: must be 'hyperband', got 'median'",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband"}},
        'early_terminate: needs "min_iter", or "max_iter" and "s"',
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "max_iter": 27}},
        'early_terminate: max_iter requires "s", the number of bands below it; or give "min_iter" alone',
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "max_iter": 2, "s": 2}},
        "early_terminate: max_iter 2 with eta 3 leaves no band; raise max_iter or lower eta",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iter": 0}},
        "early_terminate.min_iter: must be at least 1, got 0",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iter": 1.5}},
        "early_terminate.min_iter: must be an integer, got 1.5",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 1}},
        "early_terminate.eta: must be at least 1.01, got 1",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iter": 1, "strict": 1}},
        "early_terminate.strict: must be true or false, got 1",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iters": 1, "min_iter": 1}},
        (
            "early_terminate.min_iters: unknown key 'min_iters' in early_terminate; did you mean 'min_iter'? "
            "(type, min_iter, max_iter, s, eta, strict)"
        ),
    ),
    # the other sections
    ({"method": "grid", "parameters": X, "run_cap": 0}, "run_cap: must be at least 1, got 0"),
    ({"method": "grid", "parameters": X, "run_cap": True}, "run_cap: must be a number, got true"),
    ({"method": "grid", "parameters": X, "name": 5}, "name: must be a string, got 5"),
    ({"method": "grid", "parameters": X, "kind": "job"}, "kind: must be 'sweep', got 'job'"),
    ({"method": "grid", "parameters": X, "command": "python"}, "command: must be a list of words, got 'python'"),
    (
        {"method": "grid", "parameters": X, "controller": {"type": "home"}},
        "controller.type: must be 'local' or 'cloud', got 'home'",
    ),
]

PARAMETERS = [
    # no parameter at all
    ({"num_envs": 2048}, 'num_envs: must be an object; for a constant write {"value": 2048}'),
    ({"lr": [0.1, 1]}, 'lr: must be an object; to choose one of these write {"values": [0.1, 1]}'),
    ({"lr": "adam"}, 'lr: must be an object; for a constant write {"value": "adam"}'),
    ({"lr": [None, "adam"]}, 'lr: must be an object; to choose one of these write {"values": [null, "adam"]}'),
    ({"lr": None}, 'lr: must be an object; for a constant write {"value": null}'),
    ({"x": {}}, 'x: needs "value", "values", "min" and "max", or a "distribution"'),
    (
        {"lr": {"vales": [1]}},
        (
            'lr: needs "value", "values", "min" and "max", or a "distribution"; unknown key \'vales\', '
            "did you mean 'values'? "
            "(value, values, min, max, distribution, probabilities, q, mu, sigma, a, b, parameters)"
        ),
    ),
    # names
    (
        {"learning rate": {"value": 1}},
        (
            "learning rate: a parameter name must start with a letter or _ and contain only "
            "letters, digits, _, - and ., got 'learning rate'"
        ),
    ),
    (
        {1: {"value": 1}},
        "1: a parameter name must start with a letter or _ and contain only letters, digits, _, - and ., got 1",
    ),
    # nesting
    (
        {"optimizer": {"lr": {"value": 1}, "name": {"values": ["a"]}}},
        'optimizer: nested parameters belong under "parameters": {"parameters": {"lr": ..., "name": ...}}',
    ),
    (
        {"optimizer": {"parameters": {"lr": {"min": 2, "max": 1}}}},
        "optimizer.parameters.lr.min: must be below max 1, got 2; swap the two",
    ),
    (
        {"optimizer": {"parameters": {"lr": {"value": 1}}, "value": 3}},
        'optimizer.value: must not appear beside "parameters"; remove it',
    ),
    ({"optimizer": {"parameters": 3}}, "optimizer.parameters: must be an object of parameters, got 3"),
    (
        {"optimizer": {"parameters": {}}},
        'optimizer.parameters: is empty; declare a parameter: {"learning_rate": {"min": ..., "max": ...}}',
    ),
    (
        {"a": {"parameters": {"b": {"value": 1}}}, "a.b": {"value": 2}},
        "a.b: is declared twice, nested and with a dot in its name; keep one",
    ),
    # distributions
    (
        {"lr": {"distribution": "loguniform", "min": 1, "max": 2}},
        (
            "lr.distribution: unknown distribution 'loguniform'; did you mean 'log_uniform'? (constant, categorical, "
            "categorical_w_probabilities, int_uniform, uniform, q_uniform, log_uniform_values, log_uniform, "
            "q_log_uniform_values, q_log_uniform, inv_log_uniform_values, inv_log_uniform, normal, q_normal, "
            "log_normal, q_log_normal, beta, q_beta)"
        ),
    ),
    (
        {"lr": {"distribution": "uniform", "min": 0, "max": 1, "q": 0.1}},
        (
            "lr.q: unknown key 'q' in uniform, which takes min and max; these keys together belong to q_uniform, "
            "q_log_uniform_values, q_log_uniform"
        ),
    ),
    (
        {"lr": {"distribution": "uniform", "values": [1, 2]}},
        (
            "lr.values: unknown key 'values' in uniform, which takes min and max; these keys together belong to "
            "categorical"
        ),
    ),
    (
        {"lr": {"min": 0, "max": 1, "q": 0.1}},
        'lr: needs a "distribution"; min, max, q fit q_uniform, q_log_uniform_values, q_log_uniform',
    ),
    (
        {"lr": {"mu": 0, "sigma": 1}},
        'lr: needs a "distribution"; mu, sigma fit normal, q_normal, log_normal, q_log_normal',
    ),
    (
        {"lr": {"distribution": "uniform", "min": 0, "mx": 1, "max": 2}},
        "lr.mx: unknown key 'mx' in uniform; did you mean 'max'? (min, max)",
    ),
    ({"lr": {"min": 0}}, "lr.max: is missing; int_uniform requires it"),
    (
        {"lr": {"value": 1, "values": [1]}},
        "lr.value: unknown key 'value' in categorical, which takes values",
    ),
    # bounds
    ({"lr": {"min": 3, "max": 3}}, 'lr.min: must be below max 3, got 3; for a constant write {"value": 3}'),
    ({"lr": {"min": "low", "max": 3.5}}, "lr.min: must be a number, got 'low'"),
    ({"lr": {"min": True, "max": 3.5}}, "lr.min: must be a number, got true"),
    ({"lr": {"min": math.nan, "max": 3.5}}, "lr.min: must be a finite number, got NaN"),
    ({"lr": {"min": 0.5, "max": 10**400}}, "lr.max: must be a finite number, got " + "1" + "0" * 56 + "..."),
    (
        {"n": {"distribution": "int_uniform", "min": 0.5, "max": 3}},
        "n.min: must be an integer, got 0.5",
    ),
    (
        {"lr": {"distribution": "log_uniform_values", "min": 0, "max": 1}},
        "lr.min: must be above 0 on a log scale, got 0",
    ),
    (
        {"lr": {"distribution": "log_uniform", "min": 0, "max": 5000}},
        (
            "lr.max: must be a base-e exponent between -700 and 700, got 5000; "
            "for bounds that are values use log_uniform_values"
        ),
    ),
    (
        {"x": {"distribution": "normal", "sigma": -1}},
        "x.sigma: must be above 0, got -1",
    ),
    ({"x": {"distribution": "q_normal", "q": 0}}, "x.q: must be above 0, got 0"),
    (
        {"x": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 2}},
        "x.q: must not exceed the range from 0.0 to 1.0, got 2",
    ),
    ({"x": {"distribution": "beta", "a": 0}}, "x.a: must be above 0 and at most 1e+06, got 0"),
    # lists
    ({"x": {"values": 3}}, 'x.values: must be a list, got 3; for a single value write {"value": 3}'),
    (
        {"x": {"values": {"a": 1}}},
        'x.values: must be a list, got {"a": 1}; for a single value write {"value": {"a": 1}}',
    ),
    (
        {"x": {"values": [{1: 2, "a": 1.0}, {"a": 1, "1": 2}], "probabilities": [0.5, 0.5]}},
        'x.values: must list each value once, got {"a": 1, "1": 2} more than once',
    ),
    ({"x": {"values": []}}, "x.values: must list at least one value"),
    ({"x": {"values": [1, math.inf]}}, "x.values: must be finite, got inf"),
    ({"x": {"value": {"deep": [math.nan]}}}, "x.value: must be finite, got NaN"),
    (
        {"x": {"values": [1, 2], "probabilities": [0.5, 0.6]}},
        "x.probabilities: must sum to 1, got 1.1",
    ),
    (
        {"x": {"values": [1, 2], "probabilities": [1]}},
        "x.probabilities: must have one entry per value, got 1 for 2 values",
    ),
    (
        {"x": {"values": [1, 1], "probabilities": [0.5, 0.5]}},
        "x.values: must list each value once, got 1 more than once",
    ),
    ({"x": {"values": [1, 2], "probabilities": 0.5}}, "x.probabilities: must be a list of numbers, got 0.5"),
    ({"x": {"values": [1, 2], "probabilities": [0.5, "a"]}}, "x.probabilities: must be a number, got 'a'"),
    (
        {"x": {"distribution": "categorical", "values": [1, 2], "probabilities": [0.5, 0.5]}},
        (
            "x.probabilities: unknown key 'probabilities' in categorical, which takes values; "
            "these keys together belong to categorical_w_probabilities"
        ),
    ),
]


@pytest.mark.parametrize(("file", "problem"), FILES, ids=[problem for _, problem in FILES])
def test_a_mistake_in_the_file_is_named_with_its_cure(file, problem):
    assert problem in problems_of(file)


@pytest.mark.parametrize(("parameters", "problem"), PARAMETERS, ids=[problem for _, problem in PARAMETERS])
def test_a_mistake_in_a_parameter_is_named_with_its_path_and_cure(parameters, problem):
    assert f"parameters.{problem}" in problems_of({"method": "random", "parameters": parameters})


GRIDS = [
    {"distribution": "uniform", "min": 0.0, "max": 1.0},
    {"distribution": "log_uniform_values", "min": 1, "max": 10},
    {"distribution": "normal"},
    {"distribution": "q_normal"},
    {"distribution": "q_log_normal"},
    {"distribution": "beta"},
]


@pytest.mark.parametrize("declared", GRIDS, ids=lambda declared: declared["distribution"])
def test_a_grid_over_what_has_no_end_is_refused(declared):
    assert problems_of({"method": "grid", "parameters": {"a": {"parameters": {"x": declared}}}}) == [
        (
            f"parameters.a.parameters.x: a grid cannot enumerate {declared['distribution']}; use another method, or a "
            'form with finitely many values ("value", "values", int_uniform, q_uniform, q_log_uniform_values, q_beta)'
        )
    ]


def test_every_mistake_of_a_file_is_said_at_once():
    file = {
        "method": "baies",
        "metric": {"name": "eval/loss", "goal": "down"},
        "early_terminate": {"type": "hyperband", "min_iter": 0, "eta": 0.5},
        "parameters": {
            "learning_rate": {"min": 0.1, "max": 0.01, "distribution": "log_uniform_values"},
            "epochs": 3,
            "batch": {"distribution": "q_log_uniform_values", "min": -1, "max": 8, "q": -2},
        },
        "sed": 1,
    }
    assert [problem.split(": ")[0] for problem in problems_of(file)] == [
        "method",
        "metric.goal",
        "early_terminate.min_iter",
        "early_terminate.eta",
        "sed",
        "parameters.learning_rate.min",
        "parameters.epochs",
        "parameters.batch.q",
        "parameters.batch.min",
    ]


def test_warnings_do_not_keep_a_file_from_being_used_and_are_no_part_of_the_error():
    file = {"method": "random", "parameters": {"x": {"value": [1]}, "y": 3}}
    assert problems_of(file) == ['parameters.y: must be an object; for a constant write {"value": 3}']


def test_the_error_lists_a_problem_a_line_below_the_files_name():
    with pytest.raises(SweepConfigError) as caught:
        parse_sweep_config({"method": "grid", "parameters": {"x": 1, "y": 2}}, source="sweep.json")
    assert str(caught.value) == (
        "sweep.json cannot be used:\n"
        '  parameters.x: must be an object; for a constant write {"value": 1}\n'
        '  parameters.y: must be an object; for a constant write {"value": 2}'
    )
    assert caught.value.source == "sweep.json"


def test_the_error_is_a_value_error_that_survives_pickling():
    error = SweepConfigError([Problem("a", "is odd"), Problem("b", "is even")], source="sweep.json")
    again = pickle.loads(pickle.dumps(error))
    assert isinstance(again, ValueError)
    assert (again.problems, again.source, str(again)) == (error.problems, error.source, str(error))


SECRET = "hf_abcdefghijklmnopqrstuvwxyz"


@pytest.mark.parametrize(
    "parameters",
    [
        {"hub_token": SECRET},
        {"hub_token": {"min": SECRET, "max": 1}},
        {"hub_token": {"values": [SECRET], "probabilities": [2]}},
        {"training_args": {"parameters": {"hub_token": SECRET}}},
        {"training_args": {"hub_token": SECRET, "seed": 1}},
        {"WANDB_API_KEY": [SECRET]},
        {"password": {"distribution": SECRET}},
        {"training_args": [SECRET]},
    ],
)
def test_a_secret_is_not_repeated(parameters):
    said = problems_of({"method": "random", "parameters": parameters})
    assert said
    assert SECRET not in "".join(said)


def test_what_is_wrong_beside_a_secret_is_said_all_the_same():
    with_token = {"hub_token": {"value": SECRET}, "seed": {"min": 3, "max": 1}}
    assert problems_of({"method": "random", "parameters": with_token}) == problems_of(
        {"method": "random", "parameters": {"seed": with_token["seed"]}}
    )
