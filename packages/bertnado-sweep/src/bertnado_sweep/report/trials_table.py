"""The table of trials as CSV, for pandas, R or a spreadsheet."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING, Any

from bertnado_sweep.status import trial_seconds

from .html import plain

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bertnado_sweep.records.trial import Trial

    from .material import Material

COLUMNS = (*("number", "id", "state", "value", "step", "attempts", "seconds", "seed", "started", "ended", "error"),)
"""The columns before those of the parameters; `number` is the one that is shown, from 1."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""Beginnings of texts that a spreadsheet takes for formulas."""


def trials_csv(material: Material) -> str:
    """Return one row for each trial, with a column for each parameter.

    A parameter with the name of another column has the column `parameters.NAME`. Lists and objects are JSON. What a
    spreadsheet would take for a formula begins with an apostrophe.
    """
    names = material.parameter_names
    written = io.StringIO()
    table = csv.writer(written, lineterminator="\n")
    heads = [f"parameters.{name}" if name in COLUMNS else name for name in names]
    table.writerow([_cell(head) for head in (*COLUMNS, *heads)])
    for trial in material.trials:
        values = [_parameter(material.parameters[trial.number], name) for name in names]
        table.writerow([_cell(value) for value in (*_fields(trial), *values)])
    return written.getvalue()


def _fields(trial: Trial) -> tuple[Any, ...]:
    seconds = trial_seconds(trial)
    rounded = None if seconds is None else round(seconds, 3)
    place = (trial.number + 1, trial.id, trial.state, trial.value, trial.step, trial.attempt)
    return (*place, rounded, trial.seed, trial.started, trial.ended, trial.error)


def _parameter(row: Mapping[str, Any], name: str) -> Any:
    value = row.get(name, "")
    is_plain = isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool))
    return value if is_plain else json.dumps(value, ensure_ascii=False)


def _cell(value: Any) -> Any:
    if not isinstance(value, str):
        return "" if value is None else repr(value)
    text = plain(value)
    return f"'{text}" if text.startswith(_FORMULA) and not _is_number(text) else text


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
