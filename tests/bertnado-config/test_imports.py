"""Reading a sweep file is light: it needs no machine-learning library."""

import subprocess
import sys
from pathlib import Path

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
    assert "bertnado_config.sampling" in import_every_module("bertnado_config")


def test_every_public_name_exists():
    import bertnado_config

    assert [name for name in bertnado_config.__all__ if not hasattr(bertnado_config, name)] == []
