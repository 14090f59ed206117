"""Whatever command works in a directory, the files that a person keeps there stay as they are."""

import shlex

import pytest
from bertnado.cli import main
from click.testing import CliRunner
from support.persons_files import fill, tree


@pytest.fixture
def invoke(material, tmp_path):
    """Run a command line in which OUT, DATA and NEW stand for the directory, dataset and model, and a new sweep."""
    data = f"--dataset {material / 'dataset'} --model-name {material / 'model'}"
    new = f"--config-path {material / 'sweep.json'} {data} --backend local"

    def run(line):
        words = shlex.split(line.replace("OUT", str(tmp_path / "out")).replace("DATA", data).replace("NEW", new))
        return CliRunner().invoke(main, words)

    return run


COMMANDS = [
    "check NEW --output-dir OUT_2",
    "run-sweep --resume --output-dir OUT",
    "run-sweep --resume --output-dir OUT --sweep-count 3",
    "run-sweep --join OUT",
    "run-sweep NEW --output-dir OUT",
    "sweep-status --output-dir OUT",
    "sweep-status --output-dir OUT --export",
    "full-train DATA --best-config-path OUT/best_sweep_config.json --output-dir OUT/trained",
    "full-train DATA --best-config-path OUT/best_sweep_config.json --output-dir OUT",
]


@pytest.mark.slow
def test_every_command_leaves_them(invoke, tmp_path):
    output = tmp_path / "out"
    output.mkdir()
    first = fill(output)
    done = invoke("run-sweep NEW --output-dir OUT --sweep-count 2")
    assert done.exit_code == 0, done.output
    fill(output / "sweep_2026-01-01_00-00-00")
    persons = {name: content for name, content in tree(output).items() if name in first or "2026-01-01_00" in name}
    for command in COMMANDS:
        done = invoke(command)
        assert done.exit_code in (0, 2), (command, done.output)
        now = tree(output)
        assert {name: now.get(name) for name in persons} == persons, command


def test_the_directory_of_another_sweep_is_not_touched(invoke, tmp_path):
    assert invoke("run-sweep NEW --output-dir OUT --sweep-count 1").exit_code == 0
    before = tree(tmp_path / "out")
    for command in COMMANDS[4:6]:
        invoke(command)
        assert tree(tmp_path / "out") == before
