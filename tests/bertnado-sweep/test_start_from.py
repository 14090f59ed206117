"""A search that begins with known settings: of a file, or the best trials of another sweep."""

import json

import pytest
from bertnado_config import InvalidInputError, TrialResult, parse_sweep_config
from bertnado_sweep import plan_sweep, run_sweep
from bertnado_sweep.running.events import Note, SweepStarted
from bertnado_sweep.search.start_points import fit_to_space

METRIC = {"name": "eval/roc_auc", "goal": "maximize"}
RATE = {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-3}
SPACE = {"learning_rate": RATE, "batch": {"values": [4, 8, 16]}, "scheduler": {"values": ["linear", "cosine"]}}
KNOWN = {"learning_rate": 3e-5, "batch": 8, "scheduler": "cosine"}


def train(parameters, report):
    value = -parameters["learning_rate"]
    report(1, value)
    return TrialResult(value, 1)


def file(method="random", **parameters):
    return {"method": method, "metric": METRIC, "parameters": SPACE | parameters}


@pytest.fixture
def sweep(tmp_path):
    """Run a sweep, and return the parameters of its trials in their order."""

    def run(name, config=None, observer=None, **options):
        asked = {"backend": "local", "workers": 1, "sweep_count": 4, "observer": observer} | options
        result = run_sweep(train, config or file(), output_dir=tmp_path / name, **asked)
        return [trial.parameters for trial in sorted(result.trials, key=lambda trial: trial.number)]

    return run


@pytest.fixture
def known(tmp_path):
    """The best configuration of another sweep."""
    path = tmp_path / "best_sweep_config.json"
    path.write_text(json.dumps(KNOWN | {"metric_for_best_model": "roc_auc"}))
    return path


@pytest.mark.parametrize("method", ["random", "bayes"])
def test_the_settings_of_a_file_are_tried_first(sweep, known, method):
    heard = []
    first, second, *_ = sweep("out", file(method), heard.append, start_from=str(known))
    assert first == KNOWN
    assert second != KNOWN
    (started,) = (event for event in heard if isinstance(event, SweepStarted))
    assert f"the search begins with 1 point from {known}" in started.notes


def test_a_grid_begins_there_and_tries_no_point_twice(sweep, known):
    grid = file("grid", learning_rate={"values": [1e-5, 3e-5]})
    points = sweep("out", grid, start_from=str(known), sweep_count=None)
    assert points[0] == KNOWN
    assert len(points) == len({json.dumps(point, sort_keys=True) for point in points}) == 12


def test_of_another_sweep_the_best_five_are_tried_in_their_order(sweep, tmp_path):
    best = sorted(sweep("first", sweep_count=8), key=lambda point: point["learning_rate"])[:5]
    assert sweep("second", sweep_count=6, seed=7, start_from=str(tmp_path / "first"))[:5] == best


def test_a_resumed_sweep_goes_on_with_the_points_that_are_left(sweep, tmp_path, known):
    other = sweep("other", sweep_count=3)
    best = sorted(other, key=lambda point: point["learning_rate"])
    sweep("out", start_from=str(tmp_path / "other"), sweep_count=1)
    known.unlink()
    assert sweep("out", resume=True, sweep_count=5)[:3] == best


def test_a_directory_with_an_export_alone_will_do(sweep, known):
    assert sweep("out", start_from=str(known.parent))[0] == KNOWN


def test_what_lies_outside_is_moved_into_the_space_and_said(sweep, known):
    known.write_text(json.dumps({"learning_rate": 0.02, "batch": 12, "scheduler": "constant", "epochs": 3}))
    heard = []
    first, *_ = sweep("out", None, heard.append, start_from=str(known))
    assert first["learning_rate"] == 1e-3
    assert first["batch"] in (8, 16)
    said = [problem.message for event in heard if isinstance(event, SweepStarted) for problem in event.warnings]
    assert "{start_from}: learning_rate 0.02 is not in the space and starts at 0.001" in said
    assert any("scheduler 'constant' is not in the space" in message for message in said)
    assert not any("epochs" in message for message in said)
    assert not any(isinstance(event, Note) and "Traceback" in event.text for event in heard)


@pytest.mark.parametrize(
    ("form", "given", "fitted"),
    [
        (RATE, 1e-9, 1e-5),
        ({"min": 1, "max": 9}, 20, 9),
        ({"values": [4, 8, 16]}, 100, 16),
        ({"value": 3}, 8, 3),
        ({"distribution": "normal", "mu": 1.0, "sigma": 1.0}, 4.5, 4.5),
        ({"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.25}, 0.4, 0.5),
        ({"min": 1, "max": 9}, "many", 5),
        ({"min": 1, "max": 9}, True, 5),
    ],
)
def test_each_form_has_a_nearest_value(form, given, fitted):
    point, remarks = fit_to_space(parse_sweep_config({"method": "random", "parameters": {"x": form}}), {"x": given})
    assert point == {"x": fitted}
    assert len(remarks) == (fitted != given)


def test_a_parameter_that_is_not_given_starts_in_the_middle():
    config = parse_sweep_config({"method": "random", "parameters": {"x": {"min": 1, "max": 9}, "y": {"value": 2}}})
    assert fit_to_space(config, {}) == ({"x": 5, "y": 2}, ["x is not given and starts at 5, in the middle"])


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "which does not exist"),
        ("[1]", "{start_from} cannot be used: "),
        ("directory", "contains neither a sweep"),
    ],
)
def test_what_cannot_be_used_is_said_before_the_start(tmp_path, content, reason):
    path = tmp_path / "known"
    if content == "directory":
        path.mkdir()
    elif content:
        path.write_text(content)
    with pytest.raises(InvalidInputError) as error:
        plan_sweep(train, file(), output_dir=tmp_path / "out", backend="local", start_from=str(path))
    assert any(reason in problem.message for problem in error.value.problems)


def test_only_the_local_backend_can_do_it(tmp_path, known):
    asked = {"output_dir": tmp_path / "out", "start_from": str(known)}
    assert plan_sweep(train, file(), **asked).backend.name == "local"
    with pytest.raises(InvalidInputError, match="start_from requires backend local or auto"):
        plan_sweep(train, file(), backend="wandb", **asked)
