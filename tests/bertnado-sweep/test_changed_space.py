"""A sweep that goes on with another sweep file: what its earlier trials still mean, and how many more there are."""

import pytest
from bertnado_config import parse_sweep_config, read_best_config, read_json
from bertnado_metrics import Objective
from bertnado_sweep import recorded_status, register_method, run_sweep
from bertnado_sweep.running.events import SweepStarted, TrialStarted
from bertnado_sweep.search import base
from bertnado_sweep.search.past_trials import is_point, projected
from bertnado_sweep.search.propose import propose
from bertnado_sweep.search.random import RandomSearch
from bertnado_sweep.testing.suites.spaces import trial_of

X = {"min": 0.0, "max": 1.0}
B = {"values": [8, 16, 32]}
SPACE = {"x": X, "b": B}
CHANGES = {
    "a range narrowed": {"x": {"min": 0.2, "max": 0.5}, "b": B},
    "a range widened": {"x": {"min": -1.0, "max": 2.0}, "b": B},
    "a range moved": {"x": {"min": 2.0, "max": 3.0}, "b": B},
    "one choice less": {"x": X, "b": {"values": [16, 32]}},
    "one choice more": {"x": X, "b": {"values": [8, 16, 32, 64]}},
    "one parameter less": {"x": X},
    "one parameter more": {**SPACE, "layers": {"min": 1, "max": 4}},
    "one constant more": {**SPACE, "layers": {"value": 4}},
    "a parameter fixed": {"x": X, "b": {"value": 16}},
    "a choice made a range": {"x": X, "b": {"min": 8, "max": 64}},
    "a float made an integer": {"x": {"min": 0, "max": 9}, "b": B},
    "another scale": {"x": {"distribution": "log_uniform_values", "min": 0.1, "max": 1.0}, "b": B},
    "no bounds": {"x": {"distribution": "normal", "mu": 0.5, "sigma": 1.0}, "b": B},
    "steps": {"x": {"distribution": "q_uniform", "min": 0.0, "max": 1.0, "q": 0.01}, "b": B},
    "words": {"x": {"values": ["low", None, True, [1], {"a": 1}]}, "b": B},
    "nested": {"x": X, "b": {"parameters": {"c": X}}},
    "other parameters": {"y": X},
}


def file_of(parameters, method="random", **more):
    return {"method": method, "metric": {"name": "score", "goal": "maximize"}, "parameters": parameters, **more}


def score(parameters, report=None):
    return parameters["x"] if isinstance(parameters.get("x"), float) else 0.5


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


@pytest.fixture
def sweep(output):
    """Run a sweep, or go on with it; `events` has what it told."""
    events = []

    def run(config, train=score, **options):
        events.clear()
        given = {"output_dir": output, "backend": "local", "resume": output.exists(), "observer": events.append}
        return run_sweep(train, config, **given | options)

    run.events = events
    return run


@pytest.fixture
def go_on(sweep):
    """Go on with a changed sweep file."""
    return lambda config, **options: sweep(config, allow_config_change=True, **options)


def values(trials, *names):
    return [tuple(trial.parameters[name] for name in names) for trial in trials]


def grid(**choices):
    return file_of({name: {"values": listed} for name, listed in choices.items()}, "grid")


class TestEveryChange:
    """Earlier trials stay in the record and among the candidates for the best; new ones are points of the new space."""

    @pytest.mark.parametrize("method", ["bayes", "random"])
    @pytest.mark.parametrize("change", CHANGES)
    def test_the_sweep_goes_on_in_the_new_space(self, sweep, go_on, output, method, change):
        before = sweep(file_of(SPACE, method), sweep_count=10)
        config = file_of(CHANGES[change], method)
        result = go_on(config, sweep_count=13)
        assert result.trials[:10] == before.trials
        assert [trial.state for trial in result.trials] == ["completed"] * 13
        assert all(is_point(parse_sweep_config(config), trial) for trial in result.trials[10:])
        best = max(result.trials, key=lambda trial: (trial.value, -trial.number))
        assert result.best == best
        assert read_best_config(output / "best_sweep_config.json").parameters == best.parameters
        assert recorded_status(output).trials == result.trials
        assert run_sweep(score, None, output_dir=output, join=True).trials == result.trials

    def test_another_method_searches_the_same_space(self, sweep, go_on):
        sweep(file_of(SPACE), sweep_count=10)
        result = go_on(file_of(SPACE, "bayes"), sweep_count=12)
        assert len(result.trials) == 12
        assert len({trial.parameters_key for trial in result.trials}) == 12

    def test_each_of_several_changes_counts_from_what_was_done(self, sweep, go_on):
        sweep(file_of({"x": X}))
        go_on(file_of({"x": {"min": 2.0, "max": 3.0}}))
        result = go_on(file_of({"x": {"min": 4.0, "max": 5.0}}))
        assert [int(trial.parameters["x"]) for trial in result.trials] == [0] * 10 + [2] * 10 + [4] * 10


class TestNumberOfTrials:
    """Without a number: what was done, and what is new; with one: that number in all."""

    @pytest.mark.parametrize(
        ("new", "expected"),
        [
            pytest.param({"a": [2, 3], "b": [1, 2]}, [(2, 2), (3, 1), (3, 2)], id="overlapping"),
            pytest.param({"a": [1, 2, 3], "b": [0, 1]}, [(3, 0), (3, 1)], id="larger"),
            pytest.param({"a": [1], "b": [0, 1]}, [], id="smaller"),
            pytest.param({"a": [1], "b": [1, 5]}, [(1, 5)], id="smaller, with a new choice"),
            pytest.param({"a": [8, 9], "b": [0, 1]}, [(8, 0), (8, 1), (9, 0), (9, 1)], id="other"),
        ],
    )
    def test_a_grid_trains_the_points_that_were_not_tried(self, sweep, go_on, new, expected):
        sweep(grid(a=[1, 2], b=[0, 1]))
        result = go_on(grid(**new))
        assert sorted(values(result.trials[4:], "a", "b")) == expected
        assert sweep.events[0].budget == 4 + len(expected)

    @pytest.mark.parametrize(("count", "more"), [(4, 0), (5, 1), (7, 3), (8, 3)])
    def test_the_number_that_is_said_is_that_of_all_trials(self, sweep, go_on, count, more):
        sweep(grid(a=[1, 2], b=[0, 1]))
        result = go_on(grid(a=[2, 3], b=[1, 2]), sweep_count=count)
        assert len(result.trials) == 4 + more

    def test_a_parameter_more_or_less_makes_every_point_of_a_grid_new(self, sweep, go_on):
        sweep(grid(a=[1, 2]))
        assert values(go_on(grid(a=[1, 2], b=[0])).trials[2:], "a", "b") == [(1, 0), (2, 0)]
        assert len(go_on(grid(b=[0])).trials) == 5
        assert len(go_on(grid(a=[1, 2])).trials) == 5

    def test_a_grid_that_replaces_random_search_is_run_whole(self, sweep, go_on):
        choices = {"a": {"values": [1, 2, 3]}, "b": {"values": [0, 1]}}
        sweep(file_of(choices), sweep_count=2)
        result = go_on(file_of(choices, "grid"))
        assert len(set(values(result.trials, "a", "b"))) == len(result.trials) == 6

    def test_trials_outside_the_space_are_no_part_of_the_recorded_number(self, sweep, go_on):
        before = sweep(file_of({"x": X}), sweep_count=8)
        inside = sum(trial.parameters["x"] <= 0.5 for trial in before.trials)
        assert 0 < inside < 8
        result = go_on(file_of({"x": {"min": 0.0, "max": 0.5}}))
        assert sum(trial.parameters["x"] <= 0.5 for trial in result.trials) == 8
        assert len(sweep(None).trials) == len(result.trials)

    def test_a_number_that_was_the_size_of_a_space_is_found_anew(self, sweep, go_on):
        sweep(file_of({"a": {"values": [1, 2, 3]}}))
        assert len(go_on(file_of({"a": {"values": list(range(6))}})).trials) == 6
        assert len(go_on(file_of({"a": {"values": list(range(3, 30))}})).trials) == 3 + 10

    @pytest.mark.parametrize(
        ("before", "after", "said"),
        [
            ([1, 2, 3], [1, 2], "sweep_count: every point of the search space has been tried; 3 trials were finished"),
            (X, {"min": -1.0, "max": 1.0}, "sweep_count must be above 10, the number of trials that were finished"),
        ],
    )
    def test_a_change_that_leaves_nothing_to_try_says_so(self, sweep, go_on, before, after, said):
        first, second = ({"x": {"values": x} if isinstance(x, list) else x} for x in (before, after))
        done = sweep(file_of(first)).trials
        assert go_on(file_of(second)).trials == done
        [warning] = sweep.events[0].warnings
        assert str(warning).startswith(said)

    @pytest.mark.parametrize("method", ["random", "bayes"])
    def test_a_finite_space_is_spent_when_each_of_its_points_was_tried(self, sweep, go_on, method):
        sweep(file_of({"a": {"values": [1, 2, 3]}}, method))
        result = go_on(file_of({"a": {"values": [3, 4, 5]}}, method))
        assert sorted(values(result.trials[3:], "a")) == [(4,), (5,)]


class TestRunCap:
    """`run_cap`, name and description may change without a word; the limit that ends a sweep is named."""

    CAPPED = file_of({"x": X}, "bayes", run_cap=4)

    def warnings(self, sweep):
        return [str(warning) for warning in sweep.events[0].warnings]

    @pytest.mark.parametrize("run_cap", [6, None])
    def test_one_that_was_raised_or_removed_counts(self, sweep, run_cap):
        sweep(self.CAPPED)
        result = sweep({**self.CAPPED, "run_cap": run_cap})
        assert len(result.trials) == (run_cap or 10)
        assert self.warnings(sweep) == []

    def test_one_that_was_raised_below_what_is_asked_for_is_the_limit(self, sweep):
        sweep(self.CAPPED)
        assert len(sweep({**self.CAPPED, "run_cap": 6}, sweep_count=8).trials) == 6

    def test_one_below_the_number_that_is_asked_for_is_named(self, sweep):
        expected = "run_cap 4 is below sweep_count 8, so the sweep ends after 4 trials; raise run_cap in the sweep file"
        for _ in range(2):  # new, and resumed
            assert len(sweep(self.CAPPED, sweep_count=8).trials) == 4
            assert self.warnings(sweep) == [expected]

    def test_one_that_leaves_nothing_for_a_changed_space_is_named(self, sweep, go_on):
        sweep(self.CAPPED)
        assert len(go_on(file_of({"x": {"min": 2.0, "max": 3.0}}, run_cap=4)).trials) == 4
        assert self.warnings(sweep) == ["run_cap: 4 is reached: 4 trials were finished; raise it to add more"]

    def test_a_number_below_what_was_done_is_named_and_takes_nothing_away(self, sweep):
        sweep(self.CAPPED)
        assert len(sweep(self.CAPPED, sweep_count=2).trials) == 4
        assert sweep.events[0].budget == 4
        assert self.warnings(sweep) == ["sweep_count 2 is below the 4 trials that were finished, so none is added"]

    def test_a_space_with_fewer_points_than_are_asked_for_is_named(self, sweep, go_on):
        sweep(grid(a=[1, 2]), sweep_count=3)
        few = "sweep_count 3 is more than the 2 trials that there can be: the search space has 2 points"
        assert self.warnings(sweep) == [few]
        go_on(grid(a=[2, 3]), sweep_count=9)
        few = "sweep_count 9 is more than the 3 trials that there can be: the search space has 2 points"
        assert self.warnings(sweep) == [f"{few} (trials outside it: 1)"]

    def test_name_and_description_are_no_change_of_the_search(self, sweep, output):
        sweep(self.CAPPED, sweep_count=2)
        result = sweep({**self.CAPPED, "name": "promoters", "description": "of yeast"}, sweep_count=3)
        assert len(result.trials) == 3
        assert read_json(output / "sweep.json")["config"]["name"] == "promoters"

    @pytest.mark.parametrize(
        "x", [{"min": "0.0", "max": "1.0"}, {"min": 0, "max": 1.0}, {"distribution": "uniform", "min": 0, "max": 1}]
    )
    def test_the_same_space_in_other_words_is_no_change(self, sweep, x):
        sweep(self.CAPPED, sweep_count=2)
        assert len(sweep({**self.CAPPED, "parameters": {"x": x}}, sweep_count=3).trials) == 3


class TestInterruptedTrials:
    """They are tried again if the new space contains them."""

    @pytest.fixture
    def broken_off(self, sweep):
        """The parameters of an interrupted trial, the second of four."""
        seen = []

        def train(parameters, report):
            seen.append(parameters)
            if len(seen) == 2:
                raise KeyboardInterrupt
            return score(parameters)

        with pytest.raises(KeyboardInterrupt):
            sweep(file_of(SPACE), train, sweep_count=4)
        return seen[1]

    @pytest.mark.parametrize("change", ["one choice more", "a range widened"])
    def test_one_inside_is_tried_again(self, sweep, go_on, broken_off, change):
        result = go_on(file_of(CHANGES[change]))
        assert [(trial.number, trial.state) for trial in result.trials] == [(n, "completed") for n in range(4)]
        assert (result.trials[1].attempt, result.trials[1].parameters) == (2, broken_off)
        assert "interrupted, and tried again: 1" in sweep.events[0].notes[-1]

    @pytest.mark.parametrize("change", ["a range moved", "one parameter more", "one parameter less", "words"])
    @pytest.mark.parametrize("method", ["bayes", "random"])
    def test_one_outside_stays_as_it_is_and_takes_no_place(self, sweep, go_on, broken_off, change, method):
        result = go_on(file_of(CHANGES[change], method), sweep_count=4)
        assert sum(trial.state == "completed" for trial in result.trials) == 4
        [left] = [trial for trial in result.trials if trial.state == "interrupted"]
        assert (left.number, left.attempt, left.parameters) == (1, 1, broken_off)
        started = [event.number for event in sweep.events if isinstance(event, TrialStarted)]
        assert started == [2, 3, 4]
        assert sweep.events[0].notes[-1].endswith("in the record, outside the present search space: 2")

    def test_one_outside_is_tried_again_when_its_space_returns(self, sweep, go_on, broken_off):
        go_on(file_of(CHANGES["a range moved"]), sweep_count=3)
        result = go_on(file_of(SPACE), sweep_count=4)
        assert [trial.state for trial in result.trials] == ["completed"] * 4
        assert (result.trials[1].attempt, result.trials[1].parameters) == (2, broken_off)


class FailingSearch(RandomSearch):
    """Fails for a space with `y`."""

    def candidates(self, state):
        if ("y",) in state.config.space:
            raise ZeroDivisionError
        return super().candidates(state)


def test_a_file_that_the_search_fails_with_is_not_recorded(sweep, go_on, output, monkeypatch):
    monkeypatch.setattr(base, "_methods", dict(base.registered_methods()))
    register_method(FailingSearch("failing"))
    before = sweep(file_of(SPACE, "failing"), sweep_count=2)
    record = read_json(output / "sweep.json")
    with pytest.raises(ZeroDivisionError):
        go_on(file_of(CHANGES["other parameters"], "failing"), sweep_count=4)
    assert read_json(output / "sweep.json") == record
    assert recorded_status(output).trials == before.trials
    assert len(sweep(None, sweep_count=4).trials) == 4


class TestPastTrials:
    """A search sees the trials that lie in its space, projected onto it."""

    CONFIG = parse_sweep_config(file_of({"x": X, "n": {"min": 1, "max": 9}, "c": {"value": 3}}))

    @pytest.mark.parametrize(
        ("parameters", "seen"),
        [
            pytest.param({"x": 0.5, "n": 2, "c": 3}, {"x": 0.5, "n": 2, "c": 3}, id="a point"),
            pytest.param({"x": 0.5, "n": 2.0, "c": 3}, {"x": 0.5, "n": 2, "c": 3}, id="an integer as a float"),
            pytest.param({"x": 0.5, "n": 2, "c": 3, "old": 1}, {"x": 0.5, "n": 2, "c": 3}, id="a parameter removed"),
            pytest.param({"x": 0.5, "n": 2, "c": 7}, {"x": 0.5, "n": 2, "c": 3}, id="a parameter fixed"),
            pytest.param({"x": 0.5, "n": 2}, {"x": 0.5, "n": 2, "c": 3}, id="a constant added"),
            pytest.param({"x": 1.5, "n": 2, "c": 3}, None, id="out of range"),
            pytest.param({"x": 0.5, "n": 2.5, "c": 3}, None, id="no integer"),
            pytest.param({"x": "a", "n": 2, "c": 3}, None, id="a word"),
            pytest.param({"x": None, "n": True, "c": 3}, None, id="not a number"),
            pytest.param({"x": {"y": 0.5}, "n": 2, "c": 3}, None, id="nested"),
            pytest.param({"x": 0.5, "c": 3}, None, id="a parameter added"),
        ],
    )
    def test_a_trial_is_projected_or_left_out(self, parameters, seen):
        trial = trial_of(0, parameters, 1.0)
        assert [found.parameters for found in projected(self.CONFIG, [trial])] == ([seen] if seen else [])
        assert is_point(self.CONFIG, trial) is (seen is not None and parameters == seen)

    def test_a_model_learns_from_trials_whose_parameter_was_removed(self):
        config = parse_sweep_config(file_of({"x": X}, "bayes"))
        points = [{"x": (number + 0.5) / 20} for number in range(20)]
        plain = [trial_of(n, point, -abs(point["x"] - 0.3)) for n, point in enumerate(points)]
        wider = [trial_of(n, {**point, "b": n}, -abs(point["x"] - 0.3)) for n, point in enumerate(points)]
        assert propose(config, "maximize", wider, 20, 0) == propose(config, "maximize", plain, 20, 0)

    def test_a_model_begins_anew_with_evenly_spread_points_where_it_knows_nothing(self):
        config = parse_sweep_config(file_of({"x": {"min": 2.0, "max": 3.0}}, "bayes"))
        trials = [trial_of(number, {"x": number / 10}, number) for number in range(10)]
        for number in range(10, 18):
            trials.append(trial_of(number, propose(config, "maximize", trials, number, 0), 0.0))
        assert sorted(int((trial.parameters["x"] - 2) * 8) for trial in trials[10:]) == list(range(8))


def test_bayes_says_when_it_has_too_few_trials_for_a_model(tmp_path):
    def notes(name, count, method="bayes"):
        events = []
        config = file_of({"x": X}, method)
        run_sweep(
            *(score, config),
            output_dir=tmp_path / name,
            backend="local",
            sweep_count=count,
            observer=events.append,
            objective=Objective("score", "maximize"),
        )
        return next(event for event in events if isinstance(event, SweepStarted)).notes[1:]

    said = "bayes spreads its first 8 trials evenly, without a model; the model proposes from trial 9 on"
    assert notes("few", 8) == (said,)
    assert notes("enough", 9) == ()
    assert notes("random", 8, "random") == ()
