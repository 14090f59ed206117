"""The forecast of a sweep's trials: what was measured, and what follows for each of them."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

from bertnado_config import Forecast, InvalidInputError, Problem, TrialForecast

from bertnado_train.batch_size_limit import BatchSizeLimit, OutOfMemoryError
from bertnado_train.other_process import OtherProcess
from bertnado_train.possible_trials import distinct_trials

from .at_once import measure_at_once, places_on_one_device
from .kinds import ExpectedTrial, Kind, KindKey, find_kinds, kind_key
from .measuring import Measured, MeasuredKind, Request
from .workload import RowLengths

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bertnado_config import SweepConfig
    from bertnado_metrics import Objective

    from bertnado_train.huggingface_trainer import HuggingFaceTrainer
    from bertnado_train.training_setup import TrainingSetup

_log = logging.getLogger(__name__)

_TOO_MUCH, _ENOUGH = 0.5, 0.1
"""The share of a trial that is evaluation above which there is a warning, and the one that the warning aims at."""

_GPU_CONTEXT = 600 * 2**20
"""About the bytes that CUDA itself takes for each process on a GPU."""

_MOST_POSSIBLE = 128
"""The most trials among which the shortest and the longest are looked for."""


def forecast_trials(
    trainer: HuggingFaceTrainer,
    config: SweepConfig,
    objective: Objective,
    trials: Sequence[Mapping[str, Any]],
    places: Sequence[Mapping[str, str]],
    directory: Path,
    *,
    first_process: OtherProcess,
) -> tuple[Forecast, BatchSizeLimit]:
    """Measure, and return the forecast with the batch sizes that fit; see `bertnado_config.ForecastingTrainer`.

    Args:
        trainer: The trainer of the sweep.
        config: The sweep file.
        objective: The objective by which trials are judged.
        trials: The parameters of trials that the sweep will probably run.
        places: The environment variables of each worker.
        directory: A directory on the disk that checkpoints are written to.
        first_process: A process of the trainer, perhaps one that has read dataset and model; it is closed.

    Raises:
        InvalidInputError: Not even a batch of one row fits into memory.
        Exception: It cannot be measured.
    """
    begin = time.monotonic()
    _log.info("measuring training steps, an evaluation and a checkpoint")
    work = _Work(trainer.setup, objective)
    kinds = find_kinds([work.expect(parameters) for parameters in trials])
    at_once = places_on_one_device(places)
    processes = [first_process, *(OtherProcess(trainer) for _ in at_once[1:])]
    try:
        measured = measure_at_once(processes, Request(kinds, objective, {}, directory), at_once)
    except OutOfMemoryError as error:
        raise InvalidInputError([Problem("parameters.per_device_train_batch_size", str(error))]) from None
    costs = _Costs(work, measured, kinds)
    expected = costs.forecast_in_order(trials)
    possible = [costs.forecast(parameters) for parameters in _some(distinct_trials(config)[0])]
    by_length = sorted([*possible, *expected], key=lambda trial: trial.seconds)
    longest, median, *_ = measured.kinds[0].batches
    optimiser = measured.kinds[0].cost.optimiser
    forecast = Forecast(
        trials=expected,
        shortest=by_length[0],
        longest=by_length[-1],
        measured=_describe(measured, kinds, len(at_once), costs.unmeasured),
        took=time.monotonic() - begin,
        batch=measured.batch,
        median_step=median.seconds + optimiser,
        longest_step=longest.seconds + optimiser,
        evaluation=measured.kinds[0].evaluation.seconds,
        checkpoint_bytes=max(measured.checkpoint_bytes, trainer.checkpoint_bytes),
        memory_bytes=measured.memory_bytes,
        trials_per_gpu=_trials_per_gpu(measured),
        problems=[*_memory_problems(measured), *_evaluation_problems(costs, expected, trials)],
    )
    return forecast, measured.limit


@dataclass(frozen=True)
class _Work:
    """The work of trials."""

    setup: TrainingSetup
    objective: Objective

    @cached_property
    def lengths(self) -> RowLengths:
        """The lengths of the training rows."""
        return RowLengths(self.setup.train.lengths)

    def expect(self, parameters: Mapping[str, Any], limit: BatchSizeLimit | None = None) -> ExpectedTrial:
        """Return a trial with its work, with the batches that fit into memory."""
        arguments = self.setup.training_arguments(parameters, self.objective, "unused")
        (limit or BatchSizeLimit()).apply(arguments, len(self.setup.train))
        return ExpectedTrial(parameters, arguments, self.lengths.workload(arguments))


class _Costs:
    """The length of trials that follows from what was measured."""

    def __init__(self, work: _Work, measured: Measured, kinds: Sequence[Kind]) -> None:
        self.work = work
        self.measured = measured
        self.unmeasured: set[str] = set()
        """The kinds that were taken for the most frequent one."""
        self._kinds = {kind.key: found for kind, found in zip(kinds, measured.kinds, strict=True)}

    def forecast_in_order(self, trials: Sequence[Mapping[str, Any]]) -> list[TrialForecast]:
        """Return the expected lengths of trials; the first one of a kind computes the features that the others use."""
        computed: set[KindKey] = set()
        expected: list[TrialForecast] = []
        for parameters in trials:
            key, trial = kind_key(parameters), self.forecast(parameters)
            features = 0.0 if key in computed else self._measured_kind(parameters).features
            computed.add(key)
            expected.append(replace(trial, seconds=trial.seconds + features))
        return expected

    def forecast(self, parameters: Mapping[str, Any]) -> TrialForecast:
        """Return the expected length of a trial."""
        trial, measured = self.work.expect(parameters, self.measured.limit), self.measured
        work = trial.work
        evaluating = work.evaluations * self.seconds_an_evaluation(parameters)
        training = self._measured_kind(parameters).cost.seconds(work.steps, work.batches, work.tokens)
        return TrialForecast(measured.prepare + training + evaluating + measured.save, work.evaluations, evaluating)

    def _measured_kind(self, parameters: Mapping[str, Any]) -> MeasuredKind:
        """Return what was measured of trials of a kind, or of the most frequent kind."""
        key = kind_key(parameters)
        if key not in self._kinds:
            self.unmeasured.add(", ".join(f"{name} {value}" for name, value in key) or "the defaults")
        return self._kinds.get(key) or next(iter(self._kinds.values()))

    def seconds_an_evaluation(self, parameters: Mapping[str, Any]) -> float:
        """Return the seconds of an evaluation of which every other one is the best so far, whose weights are kept."""
        return self._measured_kind(parameters).evaluation.seconds + self.measured.keep / 2


def _some(trials: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    """Return at most `_MOST_POSSIBLE` of many trials, evenly spread; they come in the order of their schedules."""
    return [*trials[:: math.ceil(len(trials) / _MOST_POSSIBLE)], trials[-1]]


def _trials_per_gpu(measured: Measured) -> int | None:
    if measured.gpu_bytes is None:
        return None
    return max(measured.gpu_bytes // (measured.memory_bytes + _GPU_CONTEXT), 1)


def _memory_problems(measured: Measured) -> list[Problem]:
    failed, evaluation = measured.limit.smallest_failed, measured.limit.evaluation
    found: list[Problem] = []
    if failed is not None:
        message = (
            f"batches of {failed} rows do not fit into memory; trials accumulate batches of fewer, at most "
            f"{measured.batch} here, to the same effective size"
        )
        found.append(Problem("parameters.per_device_train_batch_size", message, "warning"))
    if evaluation is not None:
        message = f"larger batches than {evaluation} rows do not fit into memory in evaluations, which use these"
        found.append(Problem("parameters.per_device_eval_batch_size", message, "warning"))
    return found


def _evaluation_problems(
    costs: _Costs, expected: Sequence[TrialForecast], trials: Sequence[Mapping[str, Any]]
) -> list[Problem]:
    """Warn if the trial of median length is mostly evaluation."""
    length, parameters = sorted(zip(expected, trials, strict=True), key=lambda pair: pair[0].seconds)[len(trials) // 2]
    steps = costs.work.expect(parameters).work.steps
    share = length.evaluation_seconds / length.seconds
    if share <= _TOO_MUCH or length.evaluations < 2:
        return []
    rest, each = length.seconds - length.evaluation_seconds, costs.seconds_an_evaluation(parameters)
    interval = math.ceil(steps / max(int(rest * _ENOUGH / (1 - _ENOUGH) / each), 1))
    aim = each * math.ceil(steps / interval)
    message = (
        f"evaluations take {share:.0%} of a trial of median length ({length.evaluations:,} of {each:.2g} s each); with "
        f"eval_steps {interval} they would take {aim / (aim + rest):.0%}"
    )
    return [Problem("parameters.eval_steps", message, "warning")]


def _describe(measured: Measured, kinds: Sequence[Kind], processes: int, unmeasured: set[str]) -> str:
    """Return in words what was measured."""
    steps = sum(batch.steps for kind in measured.kinds for batch in kind.batches)
    share = measured.kinds[0].evaluation.share
    of_rows = "" if share == 1 else f" of {share:.1%} of the rows"
    text = f"{steps} training steps with batches of up to {measured.batch} rows, an evaluation{of_rows}, a checkpoint"
    if processes > 1:
        text += f", in {processes} processes at once"
    if len(kinds) > 1 or unmeasured:
        text += f"; with {'; '.join(kind.name or 'the defaults' for kind in kinds)}"
    if unmeasured:
        text += f"; taken for the first of these: {'; '.join(sorted(unmeasured))}"
    return text
