"""The quickstart: a simulated dataset, a small model, a sweep, the best configuration."""

from __future__ import annotations

import json
import shlex
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from bertnado_config import InvalidInputError, Problem
from bertnado_train.simulated import write_dataset, write_model

from bertnado import api
from bertnado.display import Display

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

TRIALS = 5


def run_quickstart(directory: str | None) -> None:
    """Create everything in `directory`, or in a new numbered one, and run a sweep.

    Raises:
        InvalidInputError: The directory is not empty.
        NoEligibleTrialError: No trial has a value.
    """
    root = Path(directory) if directory else _fresh_directory()
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise InvalidInputError([Problem("", f"{root} must be a new or an empty directory; choose another one")])
    root.mkdir(parents=True, exist_ok=True)
    click.echo(f"Simulating DNA with a planted binding site, a tokenizer and a small BERT in {root}/ ...", err=True)
    write_model(root / "model", write_dataset(root / "dataset"))
    (root / "sweep_config.json").write_text(files("bertnado").joinpath("quickstart.json").read_text("utf-8"), "utf-8")
    flags = {
        "config-path": f"{root}/sweep_config.json",
        "output-dir": f"{root}/sweep",
        "model-name": f"{root}/model",
        "dataset": f"{root}/dataset",
        "sweep-count": str(TRIALS),
        "project-name": "bertnado-quickstart",
        "metric-name": "eval/roc_auc",
        "metric-goal": "maximize",
        "task-type": "binary_classification",
        "backend": "local",
    }
    with _resumable(root), Display() as display:
        found = api.run_sweep(
            config_path=flags["config-path"],
            output_dir=flags["output-dir"],
            model_name=flags["model-name"],
            dataset=flags["dataset"],
            sweep_count=TRIALS,
            project_name=flags["project-name"],
            metric_name=flags["metric-name"],
            metric_goal="maximize",
            task_type=flags["task-type"],
            backend="local",
            observer=display,
        )
    click.echo(_summary(root, flags, found))


@contextmanager
def _resumable(root: Path) -> Generator[None]:
    """Print the command that continues the sweep if it is interrupted."""
    try:
        yield
    except KeyboardInterrupt:
        output = shlex.quote(f"{root}/sweep")
        click.echo(f"continue with\n  bertnado run-sweep --resume --output-dir {output}", err=True)
        raise


def _summary(root: Path, flags: Mapping[str, str], found: Mapping[str, Any]) -> str:
    words = [f"--{name} {shlex.quote(value)}" for name, value in flags.items()]
    data = shlex.quote(str(root))
    return "\n".join(
        [
            "",
            f"Best configuration ({found['metric_name']} {found['metric_value']:.4f} on validation):",
            json.dumps(found["best_config"], indent=2),
            "",
            "The data is simulated: the numbers show that everything works, but mean nothing biologically.",
            f"  dataset             {root}/dataset",
            f"  model               {root}/model",
            f"  sweep file          {root}/sweep_config.json",
            f"  best configuration  {root}/sweep/best_sweep_config.json",
            f"  trials              {root}/sweep/sweep_*/trial.json",
            "",
            "The sweep was this command (run it again with another --output-dir):",
            "  bertnado run-sweep " + " \\\n    ".join(words),
            "",
            "Train the final model with the best configuration:",
            f"  bertnado full-train --best-config-path {data}/sweep/best_sweep_config.json \\",
            f"    --model-name {data}/model --dataset {data}/dataset --output-dir {data}/train",
        ]
    )


def _fresh_directory() -> Path:
    number = 1
    while (directory := Path("quickstart" if number == 1 else f"quickstart_{number}")).exists():
        number += 1
    return directory
