"""What the READMEs and the documentation show exists and runs."""

import re
import shlex
from pathlib import Path

import pytest
from bertnado import cli

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "apps" / "cli" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = {"bertnado-sweep": cli.run_sweep, "bertnado-train": cli.full_train}


def commands():
    """Find every command line of ours in the pages' code."""
    for page in PAGES:
        text = page.read_text().replace("\\\n", " ")
        for line in re.findall(r"^ {4,}(?:\$ )?(?:uv run )?(bertnado[ -].*)$", text, re.MULTILINE):
            yield pytest.param(line, id=f"{page.name}: {line[:40]}")


@pytest.mark.parametrize("line", list(commands()))
def test_every_command_that_is_shown_exists_with_its_flags(line):
    program, *words = shlex.split(line, comments=True)
    command = PROGRAMS.get(program) or cli.main.commands[words.pop(0)]
    known = {flag for parameter in command.params for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known | {"--help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_to_a_file_leads_somewhere(page):
    links = re.findall(r"\]\((?!http)([^)#]+)", page.read_text())
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_flags_of_the_readme_are_all_the_flags():
    table = re.search(r"\| flag \|.*?\n\n", (ROOT / "README.md").read_text(), re.DOTALL).group()
    described = set(re.findall(r"`(--[a-z-]+)`", table)) | {"--dataset", "--best-config-path"}
    parameters = [parameter for command in PROGRAMS.values() for parameter in command.params]
    used = {flag for parameter in parameters for flag in (*parameter.opts, *parameter.secondary_opts)}
    assert used == described


def test_the_example_of_the_application_runs(material, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("model").symlink_to(material / "model")
    Path("dataset").symlink_to(material / "dataset")
    Path("sweep.json").symlink_to(material / "sweep.json")
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "apps" / "cli" / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(example, {})
    assert re.fullmatch(r"eval/roc_auc 0\.\d\d with .*best_sweep_config\.json\n", capsys.readouterr().out)
