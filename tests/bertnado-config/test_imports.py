"""Reading a sweep file is light: it needs no machine-learning library."""

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import bertnado_config
import pytest
from support.modules import import_every_module

CONFIG = Path(__file__).parents[2] / "configs" / "sweep_config.json"
HEAVY = ("torch", "transformers", "datasets", "wandb", "optuna", "sklearn", "scipy", "bertnado_train", "bertnado_sweep")


def loaded_after(code):
    script = f"{code}\nimport sys\nprint(*sys.modules)"
    return set(
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    )


@pytest.mark.parametrize(
    "code",
    [
        "import bertnado_config",
        f"import bertnado_config; bertnado_config.load_sweep_config({str(CONFIG)!r})",
    ],
    ids=["import", "load"],
)
def test_nothing_heavy_is_loaded(code):
    assert loaded_after(code).isdisjoint(HEAVY)


def test_every_module_can_be_imported():
    assert "bertnado_config.trial_parameters" in import_every_module("bertnado_config")


def test_every_public_name_exists():
    assert [name for name in bertnado_config.__all__ if not hasattr(bertnado_config, name)] == []


SOURCE = Path(bertnado_config.__file__).parent


def module_of(file):
    return ".".join(file.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


def imports_of(file, modules):
    """Name the modules of the package that a file imports, for type checking alone too."""
    package = module_of(file) if file.name == "__init__.py" else module_of(file).rpartition(".")[0]
    for node in ast.walk(ast.parse(file.read_text())):
        if not isinstance(node, ast.ImportFrom):
            continue
        above = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
        imported = ".".join([*above, *([node.module] if node.module else [])])
        for name in (f"{imported}.{alias.name}" for alias in node.names):
            yield name if name in modules else imported


def test_no_file_imports_another_in_a_circle():
    files = {module_of(file): file for file in SOURCE.rglob("*.py")}
    graph = {name: set(imports_of(file, files)) & files.keys() for name, file in files.items()}
    assert {"bertnado_config.errors", "bertnado_config.sweep_file"} <= graph["bertnado_config.sweep_config"]
    assert set(TopologicalSorter(graph).static_order()) == files.keys()
