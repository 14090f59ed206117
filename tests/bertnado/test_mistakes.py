"""Whatever a person gets wrong ends in one message and an exit code, and `docs/mistakes.md` shows both."""

import re

import pytest
from bertnado import cli
from mistakes import DOCUMENT, MISTAKES, make, row, set_up

USE = re.compile(r"(Usage: .*\nTry '.* --help' for help\.\n\n)?")


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """What all scenes share."""
    directory = tmp_path_factory.mktemp("shared")
    set_up(directory)
    return directory


def rows_of_the_document():
    return [line for line in DOCUMENT.read_text().splitlines() if re.fullmatch(r"\| .* \| [0-9]+ \|", line)]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: f"{mistake.group}: {mistake.done}")
def test_a_mistake_ends_in_the_message_and_the_exit_code_of_the_document(mistake, shared, tmp_path):
    answer = make(mistake, tmp_path, shared)
    assert answer.crash is None
    assert answer.code == mistake.code
    assert answer.message
    assert "Traceback" not in answer.before + answer.message
    assert mistake.code == 1 or USE.fullmatch(answer.before)
    assert row(mistake, answer) in rows_of_the_document()


def test_the_document_has_a_row_for_each_mistake_and_no_other():
    assert len(rows_of_the_document()) == len(MISTAKES) >= 60
    assert len({(mistake.group, mistake.done) for mistake in MISTAKES}) == len(MISTAKES)


def test_nothing_of_the_machine_is_in_the_document():
    assert re.findall(r"/(?:home|root|tmp|Users|var)/", DOCUMENT.read_text()) == []


def test_every_command_has_mistakes():
    made = {tuple(mistake.command.split()[:2]) for mistake in MISTAKES}
    assert {("bertnado", name) for name in cli.main.commands} <= made
    assert {program for program, _ in made} == {"bertnado", "bertnado-sweep", "bertnado-train"}
