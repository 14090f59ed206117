"""Who knows about whom: the direction of the imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "transformers", "wandb", "optuna")
MEMBERS = {
    "bertnado_metrics": ("packages/bertnado-metrics", set()),
    "bertnado_config": ("packages/bertnado-config", {"bertnado_metrics"}),
    "bertnado_train": ("packages/bertnado-train", {"bertnado_metrics", "bertnado_config"}),
    "bertnado_sweep": ("packages/bertnado-sweep", {"bertnado_metrics", "bertnado_config"}),
    "bertnado": ("apps/cli", {"bertnado_metrics", "bertnado_config", "bertnado_train", "bertnado_sweep"}),
}
FORBIDDEN = {
    "bertnado_metrics": {"torch", "transformers", "wandb", "optuna", "datasets"},
    "bertnado_config": {"torch", "transformers", "wandb", "optuna", "datasets"},
    "bertnado_train": {"optuna", "wandb"},
    "bertnado_sweep": {"torch", "transformers", "datasets"},
    "bertnado": set(),
}


def imported(member):
    """Name every top-level package that a member's modules import, wherever in the module."""
    for file in (ROOT / MEMBERS[member][0] / "src").rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.split(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                yield node.module.split(".")[0]


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_imports_only_what_stands_above_it(member):
    assert set(imported(member)) & set(MEMBERS) <= MEMBERS[member][1] | {member}


@pytest.mark.parametrize("member", MEMBERS)
def test_a_member_imports_no_library_that_is_not_its_business(member):
    assert set(imported(member)) & FORBIDDEN[member] == set()


@pytest.mark.parametrize("member", ["bertnado_metrics", "bertnado_config"])
def test_configuration_and_metrics_load_nothing_heavy(member):
    code = f"import sys, {member}; print([name for name in {HEAVY} if name in sys.modules])"
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "[]"


LAYERS = [
    {"records"},
    {"search", "running", "options", "start"},
    {"plan"},
    {"backends"},
    {"resume", "retrying", "single_run", "budget", "dry_run"},
    {"start_from", "folding", "drafting"},
    {"planning", "status"},
    {"confirmation"},
    {"cluster", "sweep", "sync", "report"},
    {"sweeper", "testing"},
]
"""The parts of bertnado_sweep, from the ground up."""


def parts_of(file, package):
    """Name the parts of bertnado_sweep that one of its modules imports."""
    here = file.relative_to(package).with_suffix("").parts
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        module = node.module.split(".") if node.module else []
        if node.level:
            yield from [*here[: len(here) - node.level], *module, *(alias.name for alias in node.names)][:1]
        elif module[0] == "bertnado_sweep":
            yield from (module[1:2] or [alias.name for alias in node.names])


def test_a_part_of_bertnado_sweep_imports_only_what_stands_below_it():
    package = ROOT / "packages" / "bertnado-sweep" / "src" / "bertnado_sweep"
    floor = {part: number for number, parts in enumerate(LAYERS) for part in parts}
    upward = []
    for file in sorted(package.rglob("*.py")):
        own = file.relative_to(package).with_suffix("").parts[0]
        if own == "__init__" or own == "testing":
            continue
        upward += [
            f"{file.relative_to(package)} imports {part}"
            for part in parts_of(file, package)
            if part != own and part in floor and floor[part] >= floor[own]
        ]
    assert upward == []
    found = {path.stem for path in package.iterdir() if path.suffix in ("", ".py")}
    assert found - {"__init__", "__pycache__"} == set(floor)
