"""A drafted sweep file for a model, a dataset and a number of trials, with the commands that check and run it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import ArgumentProblem, InvalidInputError, TrainingInputs, path_problem, replaced_atomically
from bertnado_metrics import resolve_objective
from bertnado_sweep.drafting import DraftInputs, draft_sweep
from bertnado_sweep.options import check_options
from bertnado_train.pretrained import read_stored_config
from bertnado_train.training_setup import read_dataset

from bertnado.flags import given_words

if TYPE_CHECKING:
    from bertnado_metrics import Objective

_SUFFIXES = (".yaml", ".yml")
_OUTPUT = "output/sweep"


def write_draft(
    inputs: TrainingInputs,
    to: Path | str,
    *,
    sweep_count: int,
    metric_name: str | None = None,
) -> dict[str, Any]:
    """Draft a sweep file; see `bertnado.api.init_sweep`.

    Raises:
        InvalidInputError: Something is wrong; nothing was written.
        OSError: The file cannot be written.
    """
    objective = _checked(inputs, to, sweep_count, metric_name)
    splits = read_dataset(inputs).dataset.splits
    config = read_stored_config(inputs.model_name)
    rows = (len(splits["train"]), len(splits["validation"]))
    draft = draft_sweep(DraftInputs(config, *rows, objective, sweep_count))
    begin = () if draft.family is None else ("--start-from", "preset")
    check, run = _command("check", inputs, to), _command("run-sweep", inputs, to, *begin)
    path = Path(to)
    path.parent.mkdir(parents=True, exist_ok=True)
    with replaced_atomically(path) as scratch:
        scratch.write_text(_header(inputs, rows, sweep_count, check, run) + draft.text, "utf-8")
    return {"path": str(to), "family": draft.family, "trials": sweep_count, "check": check, "run": run}


def _checked(inputs: TrainingInputs, to: Path | str, sweep_count: int, metric_name: str | None) -> Objective:
    """Return the objective, if everything that was given can be used.

    Raises:
        InvalidInputError: It cannot; every problem is in it.
    """
    given = {"sweep_count": sweep_count, "metric_name": metric_name}
    problems = [*check_options(given)[1], *filter(None, [_file_problem(to)])]
    try:
        objective = resolve_objective(inputs.task_type, metric_name)
    except ValueError as error:
        raise InvalidInputError([*problems, ArgumentProblem("metric_name", str(error))]) from None
    if problems:
        raise InvalidInputError(problems)
    return objective


def _file_problem(to: Path | str) -> ArgumentProblem | None:
    """Return why the file cannot be written, if that can be known; comments need YAML."""
    problem = path_problem(to, "a new file")
    if problem is None and Path(to).suffix.lower() not in _SUFFIXES:
        problem = f"must end in {' or '.join(_SUFFIXES)}, got {str(to)!r}"
    if problem is None and (Path(to).exists() or Path(to).is_symlink()):
        problem = f"must be a new file, got {to}, which exists; choose another name, or remove it"
    return ArgumentProblem("to", f"{{to}} {problem}") if problem else None


def _command(name: str, inputs: TrainingInputs, to: Path | str, *more: str) -> str:
    words = ["bertnado", name, "--config-path", str(to), "--output-dir", _OUTPUT, "--dataset", str(inputs.dataset)]
    words += ["--model-name", inputs.model_name, "--task-type", inputs.task_name, *more]
    return shlex.join([*words, *given_words(inputs, leave_out=words)])


def _header(inputs: TrainingInputs, rows: tuple[int, int], trials: int, *commands: str) -> str:
    """Return the first comments: what the file is for, and how it is used."""
    title = (
        f"A sweep of {trials} trial{'s' * (trials > 1)}: {inputs.model_name} on {inputs.dataset}, "
        f"{inputs.task_name}, {rows[0]} training and {rows[1]} validation rows."
    )
    lines = [title, "Drafted by bertnado init: change what you know better.", *(f"  {line}" for line in commands)]
    return "".join(f"# {_printable(line)}\n" for line in lines) + "#\n"


def _printable(text: str) -> str:
    """Return a text without what would end a comment, or may not be in a YAML file."""
    return "".join(character if character.isprintable() else "?" for character in text)
