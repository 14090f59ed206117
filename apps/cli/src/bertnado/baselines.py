"""Baselines of a dataset: by themselves, beside a sweep, and beside a final training."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from bertnado_config import ArgumentProblem, InvalidInputError, TrainingInputs, read_json, write_json
from bertnado_metrics import get_task, resolve_objective
from bertnado_sweep import run_plan
from bertnado_sweep.records.baselines import BASELINES_FILE, RecordedBaselines
from bertnado_sweep.running.events import Note, SweepStarted, TrialEnded, log_warnings
from bertnado_train import HuggingFaceTrainer
from bertnado_train.training_setup import read_dataset

from bertnado.baseline_cache import CachedBaselines
from bertnado.baseline_process import BaselineProcess
from bertnado.baseline_text import describe_split, describe_unbeaten

if TYPE_CHECKING:
    from collections.abc import Callable, Generator

    from bertnado_metrics import Objective
    from bertnado_sweep import Plan
    from bertnado_sweep.running.events import Event, Observer
    from bertnado_sweep.sweep import SweepResult

_FIRST_WAIT, _LAST_WAIT = 5.0, 60.0
"""Seconds that the first trial, and the end of a sweep or a training, wait for baselines."""
_VALIDATION, _TEST = "validation", "test"


def find_baselines(inputs: TrainingInputs, *, with_test: bool, output_dir: Path | None) -> RecordedBaselines:
    """Return the baselines of a dataset, from the cache or computed; see `bertnado.api.baselines`.

    Raises:
        InvalidInputError: The dataset or the tokenizer cannot be used.
        OSError: The file cannot be written.
    """
    task = get_task(inputs.task_type)
    if output_dir is not None and output_dir.exists() and not output_dir.is_dir():
        message = f"{{output_dir}} must be a directory, got the file {output_dir}; choose another one"
        raise InvalidInputError([ArgumentProblem("output_dir", message)])
    read = read_dataset(inputs)
    cached = CachedBaselines(read.dataset, read.tokenizer, task)
    found = cached.read()
    if found is None:
        found = cached.data().compute()
        cached.keep(found)
    found = found.for_objective(resolve_objective(task), with_test=with_test)
    if output_dir is not None:
        output_dir.mkdir(parents=True, exist_ok=True)
        found.write(output_dir / BASELINES_FILE)
    return found


def run_beside_baselines(plan: Plan, observer: Observer | None) -> SweepResult:
    """Run a sweep; compare its trials with the baselines of its dataset, which another process computes meanwhile.

    Raises:
        Exception: What `run_plan` raises; baselines never fail a sweep.
    """
    listen = observer or log_warnings
    with _baselines_of(plan.trainer, listen) as baselines:
        watch = _SweepWatch(baselines, plan, listen)
        result = run_plan(plan, observer=watch)
        watch.conclude(result)
        return result


def train_beside_baselines(
    trainer: HuggingFaceTrainer,
    objective: Objective,
    output_dir: Path,
    train: Callable[[], dict[str, Any]],
    observer: Observer | None,
) -> dict[str, Any]:
    """Train a final model, and compare its values with the baselines; they are added to `metrics.json`.

    Args:
        trainer: The trainer, which has read the dataset.
        objective: The metric that is compared.
        output_dir: The directory of `metrics.json`.
        train: Trains, and returns what `bertnado.api.train_model` returns.
        observer: Called with lines about the baselines.

    Returns:
        What `train` returned, with further `notes` if the model does not beat the baselines.
    """
    listen: Observer = observer or _ignore
    with _baselines_of(trainer, listen) as baselines:
        baselines.step_back()
        trained = train()
        with _never_failing(listen):
            found = baselines.wait(_LAST_WAIT)
            if found is not None:
                return _compare(found, objective, output_dir, trained, listen)
        return trained


class _Baselines:
    """The baselines of a trainer's dataset: none, from the cache, or what another process computes."""

    def __init__(self) -> None:
        self._cached: CachedBaselines | None = None
        self._process: BaselineProcess | None = None
        self._found: RecordedBaselines | None = None

    def begin(self, trainer: HuggingFaceTrainer) -> None:
        """Look into the cache, or start to compute them."""
        setup = trainer.setup
        self._cached = CachedBaselines(setup.dataset, setup.tokenizer, setup.task)
        self._found = self._cached.read()
        if self._found is None:
            self._process = BaselineProcess(self._cached.data())

    def wait(self, seconds: float) -> RecordedBaselines | None:
        """Return the baselines when they are there; None if they take longer, or there are none.

        Raises:
            BaselinesFailedError: They could not be computed.
        """
        process, cached = self._process, self._cached
        if self._found is None and process is not None and cached is not None:
            try:
                self._found = process.wait(seconds)
            finally:
                if process.has_ended:
                    self.close()
            if self._found is not None:
                cached.keep(self._found)
        return self._found

    def step_back(self) -> None:
        """Leave the processors to a training that begins."""
        if self._process is not None:
            self._process.step_back()

    @property
    def is_pending(self) -> bool:
        """True if they are being computed."""
        return self._process is not None

    def close(self) -> None:
        """End what computes them."""
        process, self._process = self._process, None
        if process is not None:
            process.close()


@contextmanager
def _baselines_of(trainer: Any, listen: Observer) -> Generator[_Baselines]:
    with closing(_Baselines()) as baselines:
        if isinstance(trainer, HuggingFaceTrainer):
            with _never_failing(listen):
                baselines.begin(trainer)
        yield baselines


@contextmanager
def _never_failing(listen: Observer) -> Generator[None]:
    """Turn any error into a note: baselines are worth less than what they are computed for."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 (whatever it is, the sweep goes on)
        listen(Note(f"the baselines could not be computed: {str(error) or type(error).__name__}"))


class _SweepWatch:
    """Shows the baselines as soon as they are there; an observer of a sweep."""

    def __init__(self, baselines: _Baselines, plan: Plan, listen: Observer) -> None:
        self._baselines, self._plan, self._listen = baselines, plan, listen
        self._shown: RecordedBaselines | None = None

    def __call__(self, event: Event) -> None:
        """Pass an event on; look for the baselines before the first trial and after each one."""
        self._listen(event)
        if isinstance(event, SweepStarted):
            self._show(_FIRST_WAIT)
            self._baselines.step_back()
        elif isinstance(event, TrialEnded):
            self._show(0)

    def conclude(self, result: SweepResult) -> None:
        """Say so if the best trial does not beat the baselines, for which the end of a sweep waits."""
        self._show(0)
        if self._shown is None and self._baselines.is_pending:
            self._listen(Note("waiting for the baselines ..."))
            self._show(_LAST_WAIT)
            if self._baselines.is_pending:
                self._listen(Note("the baselines take longer; bertnado baselines computes them"))
        if self._shown is not None and result.best.value is not None:
            objective = result.objective
            said = describe_unbeaten(self._shown, _VALIDATION, objective, result.best.value, "the best trial")
            if said:
                self._listen(Note(f"Warning: {said}"))

    def _show(self, seconds: float) -> None:
        if self._shown is not None:
            return
        with _never_failing(self._listen):
            found = self._baselines.wait(seconds)
            if found is None:
                return
            self._shown = found
            found.for_objective(self._plan.objective, with_test=False).write(self._plan.output_dir / BASELINES_FILE)
            line = describe_split(found, _VALIDATION, self._plan.objective)
            if line:
                self._listen(Note(line))


def _compare(
    found: RecordedBaselines, objective: Objective, output_dir: Path, trained: dict[str, Any], listen: Observer
) -> dict[str, Any]:
    """Compare a final model with the baselines, on screen and in `metrics.json`."""
    metric = objective.trainer_name
    reached = {_VALIDATION: trained.get("metric_value"), _TEST: trained.get("test_metrics", {}).get(metric)}
    values: dict[str, float] = {name: value for name, value in reached.items() if value is not None}
    found.for_objective(objective, with_test=_TEST in values).write(output_dir / BASELINES_FILE)
    notes: list[str] = []
    for split, value in values.items():
        line = describe_split(found, split, objective)
        unbeaten = describe_unbeaten(found, split, objective, value, "the final model")
        notes += [unbeaten] if unbeaten else []
        for said in filter(None, [line, unbeaten and f"Warning: {unbeaten}"]):
            listen(Note(said))
    compared = {split: found.values(split, objective) for split in values}
    path = Path(trained["metrics_path"])
    metrics = cast("dict[str, Any]", read_json(path))
    all_notes = [*metrics.get("notes", []), *notes]
    noted = {"notes": all_notes} if all_notes else {}
    write_json(path, metrics | {"baselines": compared} | noted)
    return trained | noted


def _ignore(event: Event) -> None:
    del event
