"""`docs/models.md` lists the models that are tested, and shows what `bertnado check` says of some."""

import re
from importlib.util import find_spec

import pytest
import torch
from checked_models import DOCUMENT, SHOWN, section, set_up
from support.dna_models import STAND_INS

FLAGS = {"head": "--head {}"}


@pytest.fixture(scope="session")
def scene(tmp_path_factory):
    """A directory with the models that are shown."""
    directory = tmp_path_factory.mktemp("models")
    set_up(directory)
    return directory


def rows_of_the_table():
    table = re.search(r"^\| model \|.*?\n\n", DOCUMENT.read_text(), re.MULTILINE | re.DOTALL).group()
    lines = re.findall(r"^\| (?!model \|)(.*) \|$", table, re.MULTILINE)
    return [[cell.strip() for cell in line.split("|")] for line in lines]


def test_the_table_lists_the_models_that_have_a_stand_in_and_no_other():
    assert [model for model, *_ in rows_of_the_table()] == [stand_in.model for stand_in in STAND_INS.values()]


@pytest.mark.parametrize("name", STAND_INS)
def test_the_flags_of_a_model_are_those_that_its_stand_in_is_trained_with(name):
    stand_in = STAND_INS[name]
    flags = ["--trust-remote-code"] if stand_in.needs_trust else []
    flags += [FLAGS[option].format(value) for option, value in stand_in.inputs.items()]
    (shown,) = [cells[3] for cells in rows_of_the_table() if cells[0] == stand_in.model]
    assert shown.strip("`") == " ".join(flags)


@pytest.mark.models
@pytest.mark.skipif(torch.cuda.is_available(), reason="the document shows the arguments of a machine without a GPU")
@pytest.mark.parametrize("name", SHOWN)
def test_the_document_shows_what_check_says(name, scene):
    if name == "dnabert2" and find_spec("triton") is None:
        pytest.skip("the kernel that check mentions needs Triton")
    assert section(name, scene) in DOCUMENT.read_text()


def test_nothing_of_the_machine_is_in_the_document():
    assert re.findall(r"/(?:home|root|tmp|Users|var)/", DOCUMENT.read_text()) == []
