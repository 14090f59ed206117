"""What importing the package costs."""

import subprocess
import sys

from support.modules import import_every_module

HEAVY = {"numpy", "scipy", "sklearn", "torch", "transformers", "wandb", "optuna"}


def modules_after(code):
    """Run `code` in a fresh process and return the names of the top-level modules that it loaded."""
    script = f"{code}\nimport sys\nprint(*sorted({{name.partition('.')[0] for name in sys.modules}}))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def test_importing_the_package_loads_no_numerical_library():
    assert modules_after("import bertnado_metrics") & HEAVY == set()


def test_resolving_an_objective_and_naming_a_mistake_load_no_numerical_library():
    code = """
import bertnado_metrics
bertnado_metrics.resolve_objective("regression", "mae")
try:
    bertnado_metrics.resolve_objective("regression", "auc")
except ValueError:
    pass
"""
    assert modules_after(code) & HEAVY == set()


def test_computing_metrics_loads_neither_torch_nor_transformers_nor_wandb_nor_optuna():
    code = "import bertnado_metrics as m; m.compute_metrics('binary_classification', [1.0, -1.0], [1, 0])"
    assert modules_after(code) & HEAVY == {"numpy", "scipy", "sklearn"}


def test_every_module_can_be_imported():
    assert "bertnado_metrics.compute" in import_every_module("bertnado_metrics")


def test_every_name_in_all_can_be_imported():
    import bertnado_metrics

    missing = [name for name in bertnado_metrics.__all__ if not hasattr(bertnado_metrics, name)]
    assert missing == []
