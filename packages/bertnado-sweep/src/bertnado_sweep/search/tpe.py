"""Model-based proposals: Optuna's tree-structured Parzen estimator over the unit intervals of a space."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from bertnado_config import flatten_parameters, parameter_label, value_key
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.trial import FrozenTrial, TrialState

from .past_trials import space_key
from .quiet import quiet_optuna
from .space import point, varied

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterator, Sequence

    from bertnado_config import Parameter, SweepConfig
    from bertnado_metrics import Goal

    from bertnado_sweep.records.trial import Trial

    from .base import SearchState

_EDGE = 1e-9
"""Keeps the model away from 0 and 1, where an unbounded distribution is infinite."""


def model_points(state: SearchState) -> Iterator[dict[str, Any]]:
    """Yield proposals of the model without end, each with another seed, best first.

    Args:
        state: At least one parameter varies, and at least one trial is eligible.
    """
    config = state.config
    space = dict(varied(config))
    dimensions = {parameter_label(path): _dimension(parameter) for path, parameter in space.items()}
    dimensions = dict(sorted(dimensions.items()))
    convert = _converter(config, dimensions)
    past = [convert(trial, loss) for trial, loss in _losses(state.trials, state.goal)]
    attempt = 0
    while True:
        sampler_seed = int(np.random.SeedSequence([state.seed, state.number, attempt]).generate_state(1)[0])
        chosen = _ask(past, dimensions, sampler_seed)
        yield point(config, {path: _unit_of(p, chosen[parameter_label(path)]) for path, p in space.items()})
        attempt += 1


def _dimension(parameter: Parameter) -> BaseDistribution:
    """Return the dimension for the model: the unit interval, or the indices of unordered choices."""
    if parameter.is_ordered or parameter.choices is None:
        return FloatDistribution(_EDGE, 1 - _EDGE)
    return CategoricalDistribution(range(len(parameter.choices)))


def _unit_of(parameter: Parameter, chosen: float) -> float:
    if parameter.is_ordered or parameter.choices is None:
        return chosen
    return parameter.to_unit(parameter.choices[int(chosen)])


def _chosen_of(parameter: Parameter, value: Any) -> float:
    if parameter.is_ordered or parameter.choices is None:
        return min(max(parameter.to_unit(value), _EDGE), 1 - _EDGE)
    return [value_key(choice) for choice in parameter.choices].index(value_key(value))


_converted: dict[str, dict[tuple[str, float | None], FrozenTrial]] = {}
"""Past trials for Optuna, by space, id and loss: a long sweep asks for the same ones at each step."""


def _converter(
    config: SweepConfig, dimensions: dict[str, BaseDistribution]
) -> Callable[[Trial, float | None], FrozenTrial]:
    """Return the function from a trial and its loss to Optuna's view of it."""
    space = space_key(config)
    if space not in _converted:
        _converted.clear()  # the trials of another sweep are not asked for again
    known = _converted.setdefault(space, {})
    parameters = varied(config)

    def convert(trial: Trial, loss: float | None) -> FrozenTrial:
        if (trial.id, loss) not in known:
            values = flatten_parameters(config, trial.parameters)
            coordinates = {parameter_label(path): _chosen_of(p, values[path]) for path, p in parameters}
            known[trial.id, loss] = _to_optuna(trial.number + 1, coordinates, loss, dimensions)
        return known[trial.id, loss]

    return convert


def _losses(trials: Sequence[Trial], goal: Goal) -> list[tuple[Trial, float | None]]:
    """Return the trials by number, each with its loss: lower is better.

    A trial that failed, or has no value, has the loss of the worst one. A trial whose value is still to come has None
    (interrupted trials are attempted again): the model avoids its parameters.
    """
    sign = -1.0 if goal == "maximize" else 1.0
    known = {trial.number: sign * trial.value for trial in trials if trial.is_eligible and trial.value is not None}
    worst = max(known.values())
    return [
        (trial, None if not trial.is_counted else known.get(trial.number, worst))
        for trial in sorted(trials, key=lambda trial: trial.number)
    ]


def _to_optuna(
    number: int, parameters: dict[str, Any], loss: float | None, dimensions: dict[str, BaseDistribution]
) -> FrozenTrial:
    return FrozenTrial(
        number=number,
        trial_id=number,
        state=TrialState.RUNNING if loss is None else TrialState.COMPLETE,
        value=loss,
        datetime_start=None,
        datetime_complete=None,
        params=parameters,
        distributions=dimensions,
        user_attrs={},
        system_attrs={},
        intermediate_values={},
    )


class _PastTrials(InMemoryStorage):
    """The storage of a study whose past trials are given, and not copied one by one as `add_trial` does."""

    def __init__(self, past: Sequence[FrozenTrial]) -> None:
        super().__init__()
        self._past = past

    def get_all_trials(
        self, study_id: int, deepcopy: bool = True, states: Container[TrialState] | None = None
    ) -> list[FrozenTrial]:
        """Return the past trials; nothing that the sampler does changes them."""
        return [trial for trial in self._past if states is None or trial.state in states]


def _ask(past: Sequence[FrozenTrial], dimensions: dict[str, BaseDistribution], seed: int) -> dict[str, Any]:
    with quiet_optuna():
        sampler = TPESampler(seed=seed, multivariate=True, constant_liar=True, n_startup_trials=0)
        storage = _PastTrials(past)
        study = optuna.create_study(storage=storage, sampler=sampler, direction="minimize")
        trial = storage.create_new_trial(storage.get_study_id_from_name(study.study_name))
        return sampler.sample_relative(study, storage.get_trial(trial), dimensions)
