"""What a sweep relies on in every search method."""

from __future__ import annotations

import math
import pickle
from dataclasses import replace
from itertools import islice
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
from bertnado_config import InvalidInputError, parameter_place, parse_sweep_config

from bertnado_sweep.search import SearchMethod, SearchState, registered_methods
from bertnado_sweep.search.propose import propose
from bertnado_sweep.search.space import space_size

from .spaces import FINITE_SPACES, SPACES, config_of, keys_of, points_of, require_inside, search

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bertnado_config import Problem, SweepConfig
    from bertnado_metrics import Goal

    from bertnado_sweep.records.trial import Trial, TrialState

_STATES: tuple[TrialState, ...] = ("completed", "stopped", "failed", "interrupted", "running")
_SEEDS = (*range(12), 2**31, 2**32 - 1)

_PAST = 12
"""Number of earlier trials: more than the methods of this package need before they use a model."""


class SearchMethodSuite:
    """Conformance tests for a `bertnado_sweep.SearchMethod`.

    A subclass provides the fixture `method`.
    """

    uses_seed: ClassVar[bool] = True
    """False for a method that goes through a space in the same order whatever the seed is."""

    spaces: ClassVar[Sequence[str]] = tuple(SPACES)
    """The spaces that the method can search, by their names in `SPACES`. It must refuse the others."""

    @pytest.fixture
    def method(self) -> SearchMethod:
        """The search method to test."""
        raise NotImplementedError("provide the fixture method: the search method to test")

    @pytest.fixture
    def config(self, method: SearchMethod, request: pytest.FixtureRequest) -> SweepConfig:
        """A sweep file; a test that asks for it is run once for each space."""
        return config_of(method, SPACES[request.param])

    @pytest.fixture
    def finite_config(self, method: SearchMethod, request: pytest.FixtureRequest) -> SweepConfig:
        """A sweep file; a test that asks for it is run once for each finite space."""
        return config_of(method, SPACES[request.param])

    @pytest.fixture
    def largest(self, method: SearchMethod) -> SweepConfig:
        """The sweep file with the largest of the spaces."""
        configs = [config_of(method, SPACES[name]) for name in self.spaces]
        return max(configs, key=lambda config: space_size(config) or math.inf)

    @pytest.fixture
    def trials(self, method: SearchMethod, config: SweepConfig) -> list[Trial]:
        """Earlier trials, some in each state."""
        completed = search(method, config, _PAST)
        return [_in_state(trial, _STATES[trial.number % len(_STATES)]) for trial in completed]

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        """Run a test that asks for a sweep file once for each space that the method can search."""
        if "config" in metafunc.fixturenames:
            metafunc.parametrize("config", self.spaces, indirect=True)
        if "finite_config" in metafunc.fixturenames:
            finite = [name for name in self.spaces if name in FINITE_SPACES]
            metafunc.parametrize("finite_config", finite, indirect=True)

    def test_it_is_registered_under_its_name(self, method: SearchMethod) -> None:
        assert type(registered_methods().get(method.name)) is type(method)
        assert isinstance(method.is_exhaustive, bool)

    @pytest.mark.parametrize("name", SPACES)
    def test_a_space_that_it_cannot_search_is_refused_by_path(self, method: SearchMethod, name: str) -> None:
        space = config_of(method, SPACES[name]).space
        problems = tuple(method.check_space(space))
        assert (not problems) is (name in self.spaces)
        assert {problem.path for problem in problems} <= {parameter_place(path) for path in space}
        assert all(problem.message and problem.severity == "error" for problem in problems)
        assert _problems_of_file(method, SPACES[name]) == problems

    def test_a_pickled_copy_gives_the_same_candidates(
        self, method: SearchMethod, config: SweepConfig, trials: Sequence[Trial]
    ) -> None:
        copy: SearchMethod = pickle.loads(pickle.dumps(method))  # noqa: S301 (from the line itself)
        state = SearchState(config, "maximize", trials, len(trials), 0)
        assert _candidates(copy, state) == _candidates(method, state)

    @pytest.mark.parametrize("goal", ["maximize", "minimize"])
    def test_the_same_state_gives_the_same_candidates(
        self, method: SearchMethod, config: SweepConfig, trials: Sequence[Trial], goal: Goal
    ) -> None:
        for past in ((), trials):
            state = SearchState(config, goal, past, len(past), 0)
            assert _candidates(method, state) == _candidates(method, state)

    def test_the_same_seed_gives_the_same_trials_and_another_seed_others(
        self, method: SearchMethod, largest: SweepConfig
    ) -> None:
        first = points_of(search(method, largest, _PAST))
        assert points_of(search(method, largest, _PAST)) == first
        assert (points_of(search(method, largest, _PAST, seed=1)) != first) is self.uses_seed

    def test_the_order_of_the_trials_does_not_matter(
        self, method: SearchMethod, config: SweepConfig, trials: Sequence[Trial]
    ) -> None:
        state = SearchState(config, "maximize", trials, len(trials), 0)
        assert _candidates(method, replace(state, trials=trials[::-1])) == _candidates(method, state)

    def test_the_order_of_the_file_does_not_matter(
        self, method: SearchMethod, config: SweepConfig, trials: Sequence[Trial]
    ) -> None:
        reordered = replace(config, space=dict(reversed(list(config.space.items()))))
        state = SearchState(config, "maximize", trials, len(trials), 0)
        assert _candidates(method, replace(state, config=reordered)) == _candidates(method, state)

    @pytest.mark.parametrize("goal", ["maximize", "minimize"])
    def test_candidates_are_points_of_the_space(
        self, method: SearchMethod, config: SweepConfig, trials: Sequence[Trial], goal: Goal
    ) -> None:
        for past in ((), trials):
            for candidate in islice(method.candidates(SearchState(config, goal, past, len(past), 0)), 10):
                require_inside(config, candidate)

    @pytest.mark.parametrize("state", _STATES)
    def test_a_sweep_goes_on_whatever_became_of_its_trials(
        self, method: SearchMethod, config: SweepConfig, state: TrialState
    ) -> None:
        trials = search(method, config, _PAST, state=state)
        assert len(trials) == min(_PAST, space_size(config) or _PAST)
        for trial in trials:
            require_inside(config, trial.parameters)

    def test_workers_that_begin_together_begin_at_different_points(
        self, method: SearchMethod, largest: SweepConfig
    ) -> None:
        for seed in _SEEDS:
            starts = [propose(largest, "maximize", [], number, seed, method=method) or {} for number in range(6)]
            assert len(set(keys_of(starts))) == 6, f"with the seed {seed}"

    def test_no_point_is_tried_twice(self, method: SearchMethod, config: SweepConfig) -> None:
        points = points_of(search(method, config, 2 * _PAST))
        assert len(set(points)) == len(points)

    def test_a_finite_space_is_tried_to_its_last_point(self, method: SearchMethod, finite_config: SweepConfig) -> None:
        size = space_size(finite_config) or 0
        points = points_of(search(method, finite_config, size + 1))
        assert len(set(points)) == len(points) == size

    @pytest.mark.parametrize("state", _STATES)
    def test_a_trial_counts_as_tried_whatever_became_of_it(
        self, method: SearchMethod, finite_config: SweepConfig, state: TrialState
    ) -> None:
        size = space_size(finite_config) or 0
        *trials, last = [_in_state(trial, state) for trial in search(method, finite_config, size)]
        proposal = propose(finite_config, "maximize", trials, last.number, 0, method=method)
        assert proposal == last.parameters
        assert propose(finite_config, "maximize", [*trials, last], size, 0, method=method) is None


def _in_state(trial: Trial, state: TrialState) -> Trial:
    return replace(trial, state=state, value=trial.value if state in ("completed", "stopped") else None)


def _candidates(method: SearchMethod, state: SearchState) -> list[str]:
    return keys_of(islice(method.candidates(state), 5))


def _problems_of_file(method: SearchMethod, parameters: Mapping[str, Any]) -> tuple[Problem, ...]:
    try:
        parse_sweep_config({"method": method.name, "parameters": dict(parameters)})
    except InvalidInputError as error:
        return error.problems
    return ()
