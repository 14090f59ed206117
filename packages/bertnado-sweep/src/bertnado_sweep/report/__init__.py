"""The report of a sweep: one HTML file that is read offline, and the table of its trials.

Importing this package does not load Plotly; writing a report does.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bertnado_config import ArgumentProblem, InvalidInputError, path_problem, replaced_atomically

from .material import Material, gather
from .page import page
from .trials_table import trials_csv

if TYPE_CHECKING:
    from bertnado_sweep.status import SweepStatus

REPORT_FILE = "report.html"
TRIALS_FILE = "trials.csv"

_SUFFIXES = (".html", ".htm")

__all__ = ["write_report", "WrittenReport", "Material", "gather", "page", "trials_csv"]


@dataclass(frozen=True)
class WrittenReport:
    """The files of a report."""

    report_path: Path
    trials_path: Path
    """The table of trials, beside the report."""
    warnings: tuple[str, ...] = ()
    """Damaged parts of the record, and files that the report does not show."""


def write_report(
    status: SweepStatus, to: str | Path | None = None, *, model: str | Path | None = None
) -> WrittenReport:
    """Write the report of a sweep, and the table of its trials beside it.

    Both files are replaced atomically.

    Args:
        status: The state of the sweep.
        to: The file of the report, `report.html` in the output directory by default; its directory is created.
        model: The directory of the final model; by default that of the last look at the test split.

    Raises:
        InvalidInputError: The sweep has no trial yet, there is no final model in `model`, Plotly is not installed, or
            the file cannot be written.
    """
    path = _target(status, to)
    if not status.trials:
        message = f"no trial is recorded yet in {status.source}; run the command again once the first one has begun"
        raise InvalidInputError([ArgumentProblem("", message)])
    plotly = _plotly_script()
    material = gather(status, model)
    table = path.with_name(TRIALS_FILE)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _write(table, trials_csv(material))
        _write(path, page(material, plotly))
    except OSError as error:
        reason = error.strerror or error
        message = f"{error.filename or path} cannot be written ({reason}); choose another file with {{to}}"
        raise InvalidInputError([ArgumentProblem("to", message)]) from None
    return WrittenReport(path, table, material.warnings)


def _target(status: SweepStatus, to: str | Path | None) -> Path:
    """Return the file to write.

    Raises:
        InvalidInputError: No file can have that name, or it is not named like a page.
    """
    if to is None:
        if status.output_dir is None:
            raise InvalidInputError([ArgumentProblem("to", "{to} or {output_dir} is required for a sweep at W&B")])
        return status.output_dir / REPORT_FILE
    problem = path_problem(to, "the file of the report")
    if problem is not None:
        raise InvalidInputError([ArgumentProblem("to", f"{{to}} {problem}")])
    path = Path(to)
    if path.is_dir():
        raise InvalidInputError(
            [ArgumentProblem("to", f"{{to}} must be a file, got the directory {path}; write {path / REPORT_FILE}")]
        )
    if path.suffix.lower() not in _SUFFIXES:
        raise InvalidInputError([ArgumentProblem("to", f"{{to}} must be a file whose name ends in .html, got {path}")])
    return path


def _plotly_script() -> str:
    try:
        from plotly.offline import get_plotlyjs  # pyright: ignore[reportMissingTypeStubs] (plotly has none)
    except ImportError:
        message = "a report needs plotly, which is not installed; run pip install 'bertnado-sweep[report]'"
        raise InvalidInputError([ArgumentProblem("", message)]) from None
    return get_plotlyjs()


def _write(path: Path, text: str) -> None:
    """Write a text atomically."""
    with replaced_atomically(path) as scratch:
        scratch.write_text(text, encoding="utf-8", newline="")
