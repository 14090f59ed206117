"""What `bertnado sweep-status` shows."""

import csv
import io
import json
import re

import pytest
from bertnado.cli import main
from bertnado_sweep import run_sweep
from click.testing import CliRunner

SWEEP = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {
        "learning_rate": {"values": [1e-05, 0.001, 0.0001]},
        "epochs": {"value": 3},
        "training_args": {"parameters": {"max_grad_norm": {"value": 0.5}}},
    },
}
LONG = "the loss is nan after step 2; the learning rate, 0.001 at its highest, is likely too high, or the labels are"


def train(parameters, report):
    if parameters["learning_rate"] == 0.001:
        raise RuntimeError(LONG)
    report(1, parameters["learning_rate"])
    return parameters["learning_rate"]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    """A sweep of three trials, of which the second failed and the third is the best."""
    output = tmp_path_factory.mktemp("status") / "sweep"
    return run_sweep(train, SWEEP, output_dir=output, backend="local").trials


def show(sweep, *words):
    done = CliRunner().invoke(main, ["sweep-status", "--output-dir", str(sweep[0].directory.parent), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_each_trial_has_its_directory_duration_and_parameters_and_what_is_constant_is_said_once(sweep):
    lines = show(sweep).splitlines()
    assert re.fullmatch(r"sweep \w+ \(.*\): 3 of 3 trials, maximize score", lines[0])
    assert lines[1] == "the same in all trials: epochs=3 training_args.max_grad_norm=0.5"
    times = [re.sub(r"[ \d]\d s", " 0 s", line) for line in lines[2:]]
    assert times == [
        f"     1 completed      0.0000          0 s  {sweep[0].directory.name}",
        "       learning_rate=1e-05",
        f"     2 failed                         0 s  {sweep[1].directory.name}",
        "       learning_rate=0.001",
        "       RuntimeError: the loss is nan after step 2; the learning rate, 0.001 at",
        "       its highest, is likely too high, or the labels are",
        f"*    3 completed      0.0001          0 s  {sweep[2].directory.name}",
        "       learning_rate=0.0001",
        "best: trial 3, score 0.0001",
    ]
    assert max(map(len, lines[1:])) <= 80


def test_the_best_comes_first_on_request(sweep):
    numbers = re.findall(r"^[* ] +(\d) (?:completed|failed)", show(sweep, "--sort", "value"), re.MULTILINE)
    assert numbers == ["3", "1", "2"]


def test_as_csv_it_is_a_table_with_a_column_for_each_parameter(sweep):
    rows = list(csv.DictReader(io.StringIO(show(sweep, "--format", "csv", "--sort", "value"))))
    assert [row["trial"] for row in rows] == ["3", "1", "2"]
    assert [row["directory"] for row in rows] == [sweep[number].directory.name for number in (2, 0, 1)]
    assert (rows[0]["state"], float(rows[0]["value"]), rows[0]["error"]) == ("completed", 0.0001, "")
    assert (rows[2]["state"], rows[2]["value"], rows[2]["error"]) == ("failed", "", f"RuntimeError: {LONG}")
    assert [row["parameters.learning_rate"] for row in rows] == ["0.0001", "1e-05", "0.001"]
    assert {row["parameters.training_args.max_grad_norm"] for row in rows} == {"0.5"}
    assert all(float(row["seconds"]) >= 0 for row in rows)


def test_as_json_it_has_everything(sweep):
    status = json.loads(show(sweep, "--format", "json", "--export"))
    assert (status["finished"], status["budget"], status["best_trial"]) == (3, 3, 3)
    assert status["objective"] == {"name": "score", "goal": "maximize"}
    assert status["constant_parameters"] == {"epochs": 3, "training_args.max_grad_norm": 0.5}
    first = status["trials"][0]
    assert (first["trial"], first["id"], first["directory"]) == (1, sweep[0].id, sweep[0].directory.name)
    assert first["parameters"] == sweep[0].parameters
    assert status["trials"][1]["error"] == f"RuntimeError: {LONG}"


@pytest.mark.parametrize(("flag", "choices"), [("--sort", "'number', 'value'"), ("--format", "'text', 'csv', 'json'")])
def test_another_choice_is_a_mistake(sweep, flag, choices):
    done = CliRunner().invoke(main, ["sweep-status", "--output-dir", str(sweep[0].directory.parent), flag, "x"])
    assert done.exit_code == 2
    assert f"'x' is not one of {choices}" in done.output
