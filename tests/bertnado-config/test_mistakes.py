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
    ([], "a sweep file holds one object, not []"),
    ({"method": "grid"}, 'parameters: is missing; write "parameters": {"learning_rate": {"min": ..., "max": ...}}'),
    (
        {"method": "grid", "parameters": {}},
        'parameters: is empty; declare a parameter: {"learning_rate": {"min": ..., "max": ...}}',
    ),
    (
        {"method": "grid", "parameters": ["lr"]},
        'parameters: must be an object, not ["lr"]; write "parameters": {"learning_rate": {"min": ..., "max": ...}}',
    ),
    # unknown sections
    (
        {"method": "grid", "parameters": X, "early_stopping": {"min_iter": 3}},
        (
            "early_stopping: 'early_stopping' is no key of a sweep file; did you mean 'early_terminate'? (name, "
            "description, method, metric, parameters, early_terminate, run_cap, project, entity, program, command, "
            "controller, job, image_uri, kind, apiVersion, $schema)"
        ),
    ),
    (
        {"method": "grid", "parameters": X, "metrc": "loss"},
        (
            "metrc: 'metrc' is no key of a sweep file; did you mean 'metric'? (name, description, method, metric, "
            "parameters, early_terminate, run_cap, project, entity, program, command, controller, job, image_uri, "
            "kind, apiVersion, $schema)"
        ),
    ),
    (
        {"method": "grid", "parameters": X, "learning_rate": {"min": 0, "max": 1}},
        "learning_rate: 'learning_rate' is no key of a sweep file; a parameter is written below \"parameters\"",
    ),
    (
        {"method": "grid", "parameters": X, "count": 5},
        'count: is no key of a sweep file; give --sweep-count, or "run_cap" in the file',
    ),
    (
        {"method": "grid", "parameters": X, "seed": 1},
        'seed: is no key of a sweep file; give --seed, or vary it as a parameter below "parameters"',
    ),
    (
        {"method": "grid", "parameters": X, "metrics": [{"name": "a"}, {"name": "b"}]},
        (
            "metrics: belongs to W&B's own multi-objective and custom scheduling, which is not supported here; "
            'name one metric under "metric"'
        ),
    ),
    (
        {"method": "grid", "parameters": X, "scheduler": {"engine": "optuna"}},
        (
            "scheduler: belongs to W&B's own multi-objective and custom scheduling, which is not supported here; "
            "take it out"
        ),
    ),
    # the method
    ({"parameters": X}, 'method: is missing; write "method": "grid", "random" or "bayes"'),
    (
        {"method": "bayesian", "parameters": X},
        "method: must be 'grid', 'random' or 'bayes', not 'bayesian'; did you mean 'bayes'?",
    ),
    (
        {"method": "custom", "parameters": X},
        "method: 'custom' is for W&B's own schedulers, which are not supported here; use 'grid', 'random' or 'bayes'",
    ),
    ({"method": None, "parameters": X}, "method: must be 'grid', 'random' or 'bayes', not null"),
    # the metric
    (
        {"method": "grid", "parameters": X, "metric": "eval/loss"},
        'metric: must be an object, not \'eval/loss\'; write {"name": "eval/roc_auc", "goal": "maximize"}',
    ),
    (
        {"method": "grid", "parameters": X, "metric": {"goal": "minimize"}},
        'metric.name: is missing; write {"name": "eval/roc_auc", "goal": "maximize"}',
    ),
    ({"method": "grid", "parameters": X, "metric": {"name": ""}}, "metric.name: is empty"),
    (
        {"method": "grid", "parameters": X, "metric": {"name": "loss", "goal": "maximum"}},
        "metric.goal: goal 'maximum' is neither 'maximize' nor 'minimize'; did you mean 'maximize'?",
    ),
    (
        {"method": "grid", "parameters": X, "metric": {"name": "loss", "gaol": "minimize"}},
        (
            "metric.gaol: 'gaol' is no key of metric; did you mean 'goal'? "
            "(name, goal, target, impute, impute_while_running)"
        ),
    ),
    (
        {"method": "grid", "parameters": X, "metric": {"name": "loss", "impute": "last"}},
        "metric.impute: must be 'latest', 'best' or 'worst', not 'last'; did you mean 'latest'?",
    ),
    (
        {"method": "grid", "parameters": X, "metric": {"name": "loss", "target": math.nan}},
        "metric.target: must be a finite number, not NaN",
    ),
    # early termination
    (
        {"method": "grid", "parameters": X, "early_terminate": "hyperband"},
        'early_terminate: must be an object, not \'hyperband\'; write {"type": "hyperband", "min_iter": 3}',
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "median", "min_iter": 3}},
        "early_terminate.type: must be 'hyperband', not 'median'",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband"}},
        'early_terminate: needs "min_iter", or "max_iter" and "s"',
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "max_iter": 27}},
        'early_terminate: max_iter needs "s", the number of bands below it; or give "min_iter" alone',
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "max_iter": 2, "s": 2}},
        "early_terminate: max_iter 2 with eta 3 has no band; raise max_iter or lower eta",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iter": 0}},
        "early_terminate.min_iter: must be 1 or more, not 0",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iter": 1.5}},
        "early_terminate.min_iter: must be a whole number, not 1.5",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 1}},
        "early_terminate.eta: must be at least 1.01, not 1",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iter": 1, "strict": 1}},
        "early_terminate.strict: must be true or false, not 1",
    ),
    (
        {"method": "grid", "parameters": X, "early_terminate": {"type": "hyperband", "min_iters": 1, "min_iter": 1}},
        (
            "early_terminate.min_iters: 'min_iters' is no key of early_terminate; did you mean 'min_iter'? "
            "(type, min_iter, max_iter, s, eta, strict)"
        ),
    ),
    # the other sections
    ({"method": "grid", "parameters": X, "run_cap": 0}, "run_cap: must be 1 or more, not 0"),
    ({"method": "grid", "parameters": X, "run_cap": True}, "run_cap: must be a number, not true"),
    ({"method": "grid", "parameters": X, "name": 5}, "name: must be a string, not 5"),
    ({"method": "grid", "parameters": X, "kind": "job"}, "kind: must be 'sweep', not 'job'"),
    ({"method": "grid", "parameters": X, "command": "python"}, "command: must be a list of words, not 'python'"),
    (
        {"method": "grid", "parameters": X, "controller": {"type": "home"}},
        "controller.type: must be 'local' or 'cloud', not 'home'",
    ),
]

PARAMETERS = [
    # no parameter at all
    ({"num_envs": 2048}, 'num_envs: a parameter is an object; for a constant write {"value": 2048}'),
    ({"lr": [0.1, 1]}, 'lr: a parameter is an object; to choose one of these write {"values": [0.1, 1]}'),
    ({"lr": "adam"}, 'lr: a parameter is an object; for a constant write {"value": "adam"}'),
    ({"lr": [None, "adam"]}, 'lr: a parameter is an object; to choose one of these write {"values": [null, "adam"]}'),
    ({"lr": None}, 'lr: a parameter is an object; for a constant write {"value": null}'),
    ({"x": {}}, 'x: needs "value", "values", "min" and "max", or a "distribution"'),
    (
        {"lr": {"vales": [1]}},
        (
            'lr: needs "value", "values", "min" and "max", or a "distribution"; \'vales\' is no key of a parameter, '
            "did you mean 'values'? "
            "(value, values, min, max, distribution, probabilities, q, mu, sigma, a, b, parameters)"
        ),
    ),
    # names
    (
        {"learning rate": {"value": 1}},
        (
            "learning rate: 'learning rate' is no name of a parameter; "
            "one starts with a letter or _ and goes on with letters, digits, _, - and ."
        ),
    ),
    (
        {1: {"value": 1}},
        "1: 1 is no name of a parameter; one starts with a letter or _ and goes on with letters, digits, _, - and .",
    ),
    # nesting
    (
        {"optimizer": {"lr": {"value": 1}, "name": {"values": ["a"]}}},
        'optimizer: parameters inside a parameter go below "parameters": {"parameters": {"lr": ..., "name": ...}}',
    ),
    (
        {"optimizer": {"parameters": {"lr": {"min": 2, "max": 1}}}},
        "optimizer.parameters.lr.min: 2 is above max 1; swap the two",
    ),
    (
        {"optimizer": {"parameters": {"lr": {"value": 1}}, "value": 3}},
        "optimizer.value: 'value' has no place beside \"parameters\"; take it out",
    ),
    ({"optimizer": {"parameters": 3}}, "optimizer.parameters: must be an object of parameters, not 3"),
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
            "lr.distribution: 'loguniform' is no distribution; did you mean 'log_uniform'? (constant, categorical, "
            "categorical_w_probabilities, int_uniform, uniform, q_uniform, log_uniform_values, log_uniform, "
            "q_log_uniform_values, q_log_uniform, inv_log_uniform_values, inv_log_uniform, normal, q_normal, "
            "log_normal, q_log_normal, beta, q_beta)"
        ),
    ),
    (
        {"lr": {"distribution": "uniform", "min": 0, "max": 1, "q": 0.1}},
        (
            "lr.q: 'q' has no place in uniform, which has min and max; these keys together belong to q_uniform, "
            "q_log_uniform_values, q_log_uniform"
        ),
    ),
    (
        {"lr": {"distribution": "uniform", "values": [1, 2]}},
        "lr.values: 'values' has no place in uniform, which has min and max; these keys together belong to categorical",
    ),
    (
        {"lr": {"min": 0, "max": 1, "q": 0.1}},
        'lr: "distribution" is missing; min, max, q can belong to q_uniform, q_log_uniform_values, q_log_uniform',
    ),
    (
        {"lr": {"mu": 0, "sigma": 1}},
        'lr: "distribution" is missing; mu, sigma can belong to normal, q_normal, log_normal, q_log_normal',
    ),
    (
        {"lr": {"distribution": "uniform", "min": 0, "mx": 1, "max": 2}},
        "lr.mx: 'mx' is no key of uniform; did you mean 'max'? (min, max)",
    ),
    ({"lr": {"min": 0}}, "lr.max: is missing; int_uniform needs it"),
    (
        {"lr": {"value": 1, "values": [1]}},
        "lr.value: 'value' has no place in categorical, which has values",
    ),
    # bounds
    ({"lr": {"min": 3, "max": 3}}, 'lr.min: 3 equals max; for a constant write {"value": 3}'),
    ({"lr": {"min": "low", "max": 3.5}}, "lr.min: must be a number, not 'low'"),
    ({"lr": {"min": True, "max": 3.5}}, "lr.min: must be a number, not true"),
    ({"lr": {"min": math.nan, "max": 3.5}}, "lr.min: must be a finite number, not NaN"),
    ({"lr": {"min": 0.5, "max": 10**400}}, "lr.max: must be a finite number, not " + "1" + "0" * 56 + "..."),
    (
        {"n": {"distribution": "int_uniform", "min": 0.5, "max": 3}},
        "n.min: must be a whole number, not 0.5",
    ),
    (
        {"lr": {"distribution": "log_uniform_values", "min": 0, "max": 1}},
        "lr.min: 0 has no logarithm; on a log scale min must be above 0",
    ),
    (
        {"lr": {"distribution": "log_uniform", "min": 0, "max": 5000}},
        (
            "lr.max: 5000 is a base-e exponent here and must lie between -700 and 700; "
            "for bounds that are the values use log_uniform_values"
        ),
    ),
    (
        {"x": {"distribution": "normal", "sigma": -1}},
        "x.sigma: -1 is no standard deviation; sigma must be above 0",
    ),
    ({"x": {"distribution": "q_normal", "q": 0}}, "x.q: 0 is no step; q must be above 0"),
    (
        {"x": {"distribution": "q_uniform", "min": 0, "max": 1, "q": 2}},
        "x.q: 2 is larger than the range from 0.0 to 1.0",
    ),
    ({"x": {"distribution": "beta", "a": 0}}, "x.a: 0 is out of range; a must be above 0 and at most 1e+06"),
    # lists
    ({"x": {"values": 3}}, 'x.values: must be a list, not 3; for a single value write {"value": 3}'),
    (
        {"x": {"values": {"a": 1}}},
        'x.values: must be a list, not {"a": 1}; for a single value write {"value": {"a": 1}}',
    ),
    (
        {"x": {"values": [{1: 2, "a": 1.0}, {"a": 1, "1": 2}], "probabilities": [0.5, 0.5]}},
        'x.values: {"a": 1, "1": 2} is listed more than once',
    ),
    ({"x": {"values": []}}, "x.values: is empty; list at least one value"),
    ({"x": {"values": [1, math.inf]}}, "x.values: must be finite, not inf"),
    ({"x": {"value": {"deep": [math.nan]}}}, "x.value: must be finite, not NaN"),
    (
        {"x": {"values": [1, 2], "probabilities": [0.5, 0.6]}},
        "x.probabilities: the sum is 1.1; it must be 1",
    ),
    (
        {"x": {"values": [1, 2], "probabilities": [1]}},
        "x.probabilities: has 1 entries for 2 values; write one for each value",
    ),
    (
        {"x": {"values": [1, 1], "probabilities": [0.5, 0.5]}},
        "x.values: 1 is listed more than once",
    ),
    ({"x": {"values": [1, 2], "probabilities": 0.5}}, "x.probabilities: must be a list of numbers, not 0.5"),
    ({"x": {"values": [1, 2], "probabilities": [0.5, "a"]}}, "x.probabilities: must be a number, not 'a'"),
    (
        {"x": {"distribution": "categorical", "values": [1, 2], "probabilities": [0.5, 0.5]}},
        (
            "x.probabilities: 'probabilities' has no place in categorical, which has values; "
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
            f"parameters.a.parameters.x: a grid cannot enumerate {declared['distribution']}; use method random or "
            'bayes, or a finite form ("values", "value", int_uniform, or with a step q q_uniform, '
            "q_log_uniform_values and q_beta)"
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
    assert problems_of(file) == ['parameters.y: a parameter is an object; for a constant write {"value": 3}']


def test_the_error_lists_a_problem_a_line_below_the_files_name():
    with pytest.raises(SweepConfigError) as caught:
        parse_sweep_config({"method": "grid", "parameters": {"x": 1, "y": 2}}, source="sweep.json")
    assert str(caught.value) == (
        "sweep.json cannot be used:\n"
        '  parameters.x: a parameter is an object; for a constant write {"value": 1}\n'
        '  parameters.y: a parameter is an object; for a constant write {"value": 2}'
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
