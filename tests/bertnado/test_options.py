"""An option of a sweep is one field: flag, help, keyword, record and README follow from it."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import bertnado_sweep
import pytest
import record_options
from bertnado import cli
from bertnado.flags import given_words
from bertnado_config import TrainingInputs
from bertnado_sweep import SweepOptions
from bertnado_sweep.options import check_options
from click.testing import CliRunner

README_OF_SUBMIT = re.compile(r"`bertnado submit` takes the flags of.*?\n\n", re.DOTALL)

ADDED = '''
    patience_of_users: Annotated[int, Field(ge=1), OptionDetails(recorded_as="patience_of_users")] = 3
    """How often a user may ask when the sweep is done."""
'''
RUN = """
import json, sys
from bertnado_sweep import run_sweep
from bertnado_config import InvalidInputError
sweep = {"method": "grid", "metric": {"name": "score", "goal": "maximize"}, "parameters": {"x": {"values": [1]}}}
try:
    run_sweep(max, sweep, output_dir="out", patience_of_users=0)
except InvalidInputError as error:
    print(error)
run_sweep(lambda p, report: 1.0, sweep, output_dir="out", backend="local", patience_of_users=5)
print(json.load(open("out/sweep.json"))["patience_of_users"])
run_sweep(lambda p, report: 1.0, sweep, output_dir="out", resume=True)
print(json.load(open("out/sweep.json"))["patience_of_users"])
"""


def test_an_option_that_is_added_as_a_field_is_found_everywhere(tmp_path):
    source = Path(bertnado_sweep.__file__).parent
    shutil.copytree(source, tmp_path / "bertnado_sweep")
    options = tmp_path / "bertnado_sweep" / "options.py"
    text = options.read_text()
    options.write_text(text.replace("\n    @classmethod", f"{ADDED}\n    @classmethod", 1))
    assert options.read_text() != text
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "WANDB_MODE": "disabled", "COLUMNS": "200"}

    def python(*words):
        done = subprocess.run(
            [sys.executable, *words], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    shown = python("-c", "from bertnado.cli import main; main(['run-sweep', '--help'])")
    assert "--patience-of-users" in shown
    assert "How often a user may ask when the sweep is done. [default: 3]" in " ".join(shown.split())
    assert python("-c", RUN).splitlines() == ["patience_of_users must be at least 1, got 0", "5", "5"]
    table = python(
        "-c",
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r}); "
        "import record_options; print(record_options.table())",
    )
    assert "| `--patience-of-users` | How often a user may ask when the sweep is done. Default: 3. |" in table


def test_the_tables_of_the_readme_are_those_of_the_fields():
    readme = record_options.README.read_text()
    assert [readme.count(table) for table in (record_options.table(), record_options.jobs_table())] == [1, 1]


def test_submit_takes_the_flags_of_run_sweep_but_those_that_its_jobs_decide():
    run_sweep, submit = ({parameter.opts[0] for parameter in command.params} for command in (cli.run_sweep, cli.submit))
    decided = {"--time-limit", "--resume", "--join", "--join-or-begin", "--dry-run"}
    assert run_sweep - submit == decided
    assert all(f"`{flag}`" in README_OF_SUBMIT.search(record_options.README.read_text()).group() for flag in decided)


@pytest.mark.parametrize("name", SweepOptions.model_fields)
def test_every_option_has_a_flag_with_its_doc_string(name):
    flags = {parameter.name: parameter for parameter in cli.run_sweep.params}
    words = SweepOptions.model_fields[name].description.split()[:3]
    assert flags[name].help.split()[:3] == words
    assert flags[name].default is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"sweep_count": 0}, "sweep_count must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
        ({"seed": 2**32}, "seed must be at most 4294967295, got 4294967296"),
        ({"workers": "two"}, "workers must be an integer, got 'two'"),
        ({"resume": "maybe"}, "resume must be true or false, got 'maybe'"),
        ({"keep_checkpoints": "last"}, "unknown keep_checkpoints 'last'; choose from best, all, none"),
        ({"metric_goal": "max"}, "unknown metric_goal 'max'; choose from maximize, minimize"),
        ({"worker": 2}, "unknown option 'worker'; did you mean 'workers'?"),
        ({"storage": 3}, "storage must be text, got 3"),
    ],
)
def test_a_value_that_an_option_cannot_have_is_named_with_the_rule(given, message):
    options, (problem,) = check_options(given)
    assert str(problem).startswith(message)
    assert options == SweepOptions()


def test_the_command_line_shows_options_as_flags(tmp_path):
    words = ["check", "--output-dir", tmp_path, "--dataset", tmp_path, "--config-path", "x.json", "--study", "a"]
    shown = CliRunner().invoke(cli.main, [str(word) for word in words], env={"BERTNADO_STORAGE": None})
    assert "--study requires --storage" in shown.output
    assert shown.exit_code == 2


def test_what_is_recorded_is_what_was_given(tmp_path):
    sweep = {"method": "grid", "metric": {"name": "s", "goal": "maximize"}, "parameters": {"x": {"values": [1]}}}
    bertnado_sweep.run_sweep(lambda p, report: 1.0, sweep, output_dir=tmp_path, backend="local", seed=3, max_failures=7)
    record = json.loads((tmp_path / "sweep.json").read_text())
    assert {key: record[key] for key in ("seed", "max_failures", "keep_checkpoints", "storage", "study")} == {
        "seed": 3,
        "max_failures": 7,
        "keep_checkpoints": "best",
        "storage": None,
        "study": None,
    }


def test_what_was_asked_for_becomes_words_of_a_command():
    inputs = TrainingInputs(dataset="d", uppercase=True, max_length=512, seed=7)
    assert given_words(inputs, {"--dataset", "--seed"}) == ["--uppercase", "--max-length", "512"]
