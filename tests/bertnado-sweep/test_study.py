"""The record of a sweep is an Optuna study that Optuna's own tools read."""

import json
import socketserver
import subprocess
import sys
import time
import urllib.request
import warnings
from pathlib import Path

import optuna
import pytest
from bertnado_config import TrialResult, parse_sweep_config, read_best_config, read_json, sample_parameters
from bertnado_sweep import run_sweep
from bertnado_sweep.backends.local.distributions import StudySpace
from hypothesis import given
from hypothesis import strategies as st
from numpy.random import default_rng
from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

PARAMETERS = {
    "rate": {"distribution": "log_uniform_values", "min": 1e-6, "max": 1.0},
    "layers": {"min": 1, "max": 12},
    "kind": {"values": ["linear", "cosine"]},
    "flag": {"values": [True, 1, "one"]},
    "target": {"values": [{"modules": ["query", "key"]}, {"modules": ["value"]}]},
    "optimizer": {"parameters": {"beta": {"min": 0.8, "max": 0.999}, "eps": {"value": 1e-8}}},
}
CONFIG = {"method": "random", "metric": {"name": "score", "goal": "maximize"}, "parameters": PARAMETERS}


def train(parameters, report):
    value = -abs(parameters["rate"] - 0.01) + parameters["layers"] / 100
    for step in range(1, 4):
        report(step, value * step / 3)
    return TrialResult(value, step=3)


@pytest.fixture
def output(tmp_path):
    return tmp_path / "sweep"


def load(output, name=None):
    """Load a study as a person does."""
    storage = JournalStorage(JournalFileBackend(str(output / "journal.log")))
    return optuna.load_study(study_name=name or read_json(output / "sweep.json")["sweep_id"], storage=storage)


def flat(parameters):
    """Name the parameters by their labels; objects and lists as JSON, and the choices of `flag` too."""
    return {
        "rate": parameters["rate"],
        "layers": parameters["layers"],
        "kind": parameters["kind"],
        "flag": json.dumps(parameters["flag"]),
        "target": json.dumps(parameters["target"]),
        "optimizer.beta": parameters["optimizer"]["beta"],
        "optimizer.eps": parameters["optimizer"]["eps"],
    }


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A sweep of twelve trials."""
    output = tmp_path_factory.mktemp("study") / "sweep"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        return run_sweep(train, CONFIG, output_dir=output, backend="local", sweep_count=12)


class TestOptunaReadsIt:
    """Whatever Optuna offers for a study works with that of a sweep."""

    def test_the_best_parameters_are_the_exported_ones(self, finished):
        study = load(finished.output_dir)
        assert study.best_params == flat(read_best_config(finished.best_config_path).parameters)
        assert study.best_value == finished.best.value
        assert study.direction.name == "MAXIMIZE"

    def test_every_trial_has_parameters_distributions_value_and_evaluations(self, finished):
        trials = load(finished.output_dir).trials
        assert [trial.state.name for trial in trials] == ["COMPLETE"] * 12
        assert [trial.params for trial in trials] == [flat(trial.parameters) for trial in finished.trials]
        assert [trial.value for trial in trials] == [trial.value for trial in finished.trials]
        assert [trial.intermediate_values for trial in trials] == [
            {number: row["score"] for number, row in enumerate(trial.history, start=1)} for trial in finished.trials
        ]
        assert trials[0].distributions == {
            "rate": FloatDistribution(1e-6, 1.0, log=True),
            "layers": IntDistribution(1, 12),
            "kind": CategoricalDistribution(("linear", "cosine")),
            "flag": CategoricalDistribution(("true", "1", '"one"')),
            "target": CategoricalDistribution(('{"modules": ["query", "key"]}', '{"modules": ["value"]}')),
            "optimizer.beta": FloatDistribution(0.8, 0.999),
            "optimizer.eps": CategoricalDistribution((1e-8,)),
        }

    def test_importances_are_computed(self, finished):
        importances = optuna.importance.get_param_importances(load(finished.output_dir))
        assert importances.keys() == flat(finished.best.parameters).keys()
        assert sum(importances.values()) == pytest.approx(1.0)

    @pytest.mark.parametrize(
        "plot",
        [
            "contour",
            "edf",
            "intermediate_values",
            "optimization_history",
            "parallel_coordinate",
            "param_importances",
            "rank",
            "slice",
            "timeline",
        ],
    )
    def test_plots_show_the_trials(self, finished, plot):
        pytest.importorskip("plotly")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            figure = getattr(optuna.visualization, f"plot_{plot}")(load(finished.output_dir))
        assert len(figure.data) > 0
        if plot == "intermediate_values":
            assert len(figure.data) == 12

    def test_the_dashboard_lists_trials_with_their_parameters(self, finished):
        pytest.importorskip("optuna_dashboard")
        with dashboard(finished.output_dir / "journal.log") as ask:
            [study] = ask("/api/studies")["study_summaries"]
            assert study["study_name"] == finished.sweep_id
            detail = ask(f"/api/studies/{study['study_id']}?after=0")
        shown = [{item["name"]: item["param_external_value"] for item in trial["params"]} for trial in detail["trials"]]
        assert [trial["layers"] for trial in shown] == [str(trial.parameters["layers"]) for trial in finished.trials]
        assert {frozenset(trial) for trial in shown} == {frozenset(flat(finished.best.parameters))}
        assert [trial["state"] for trial in detail["trials"]] == ["Complete"] * 12


class dashboard:  # noqa: N801 (used as a function)
    """Run `optuna-dashboard` on a free loopback port; hands out how to ask it."""

    def __init__(self, journal):
        self._journal = journal

    def __enter__(self):
        with socketserver.TCPServer(("127.0.0.1", 0), None) as probe:
            self._port = probe.server_address[1]
        program = str(Path(sys.executable).with_name("optuna-dashboard"))
        words = [program, str(self._journal), "--host", "127.0.0.1", "--port", str(self._port), "--server", "wsgiref"]
        self._process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self._ask

    def _ask(self, path):
        deadline = time.monotonic() + 60
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{self._port}{path}") as answer:
                    return json.load(answer)
            except OSError:
                assert self._process.poll() is None, "the dashboard ended"
                assert time.monotonic() < deadline, "the dashboard does not answer"
                time.sleep(0.1)

    def __exit__(self, *error):
        self._process.terminate()
        self._process.wait()


def test_a_trial_that_is_stopped_early_is_complete_and_says_so(output):
    def fall_behind(parameters, report):
        for step in range(1, 9):
            if report(step, parameters["x"] / step):
                return TrialResult(parameters["x"], step=1, stopped=True)
        return TrialResult(parameters["x"], step=1)

    config = CONFIG | {
        "method": "grid",
        "parameters": {"x": {"values": [4, 5, 1, 2]}},
        "early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 2},
    }
    result = run_sweep(fall_behind, config, output_dir=output, backend="local")
    assert [trial.state for trial in result.trials] == ["completed", "completed", "stopped", "stopped"]
    trials = load(output).trials
    assert [(trial.state.name, trial.value) for trial in trials] == [("COMPLETE", x) for x in (4, 5, 1, 2)]
    assert [trial.user_attrs.get("stopped_early", False) for trial in trials] == [False, False, True, True]


def test_a_failed_and_an_interrupted_trial_have_failed_and_keep_their_parameters(output):
    def fail(parameters, report):
        report(1, 0.5)
        raise {"a": ValueError, "b": KeyboardInterrupt}[parameters["kind"]]

    config = CONFIG | {"method": "grid", "parameters": {"kind": {"values": ["a", "b"]}}}
    with pytest.raises(KeyboardInterrupt):
        run_sweep(fail, config, output_dir=output, backend="local")
    trials = load(output).trials
    assert [(trial.state.name, trial.value, trial.params) for trial in trials] == [
        ("FAIL", None, {"kind": "a"}),
        ("FAIL", None, {"kind": "b"}),
    ]
    assert [trial.intermediate_values for trial in trials] == [{1: 0.5}, {1: 0.5}]


class TestDistributions:
    """How each form is stored."""

    @pytest.mark.parametrize(
        ("parameter", "distribution"),
        [
            ({"min": 0.0, "max": 1.0}, FloatDistribution(0, 1)),
            ({"min": 1, "max": 7}, IntDistribution(1, 7)),
            ({"min": 10**17, "max": 10**17 + 9}, FloatDistribution(1e17, 1e17 + 9)),
            ({"distribution": "q_uniform", "min": 1, "max": 11, "q": 4}, IntDistribution(4, 8, step=4)),
            ({"distribution": "q_uniform", "min": 0.1, "max": 0.9, "q": 0.1}, FloatDistribution(0.1, 0.9, step=0.1)),
            ({"distribution": "q_uniform", "min": 0.0, "max": 1e6, "q": 0.01}, FloatDistribution(0, 1e6)),
            ({"distribution": "log_uniform", "min": 0, "max": 1}, FloatDistribution(1, 2.71828182846, log=True)),
            ({"distribution": "inv_log_uniform_values", "min": 0.1, "max": 5}, FloatDistribution(0.1, 5, log=True)),
            ({"distribution": "q_log_uniform_values", "min": 8, "max": 512, "q": 8}, IntDistribution(8, 512, log=True)),
            (
                {"distribution": "q_log_uniform_values", "min": 0.5, "max": 4, "q": 0.25},
                FloatDistribution(0.5, 4, log=True),
            ),
            ({"distribution": "beta", "a": 2, "b": 5}, FloatDistribution(0, 1)),
            ({"distribution": "q_beta", "a": 2, "b": 5, "q": 0.1}, FloatDistribution(0, 1, step=0.1)),
            ({"distribution": "q_normal", "mu": 3, "sigma": 1.5}, IntDistribution(-4, 10)),
            ({"values": ["a", 1, 2.5, None]}, CategoricalDistribution(("a", 1, 2.5, None))),
            ({"values": [1, 2, 4]}, CategoricalDistribution((1, 2, 4))),
            ({"values": ["a", [1, 2], {"b": 1}]}, CategoricalDistribution(("a", "[1, 2]", '{"b": 1}'))),
            ({"values": [True, 1, 2]}, CategoricalDistribution(("true", "1", "2"))),
            ({"values": ["[1]", [1]]}, CategoricalDistribution(('"[1]"', "[1]"))),
            ({"value": "linear"}, CategoricalDistribution(("linear",))),
        ],
        ids=str,
    )
    def test_it_is_the_nearest_that_shows_the_values(self, parameter, distribution):
        assert StudySpace.of_section({"x": parameter}).distributions == {"x": distribution}

    @pytest.mark.parametrize("form", ["normal", "log_normal", "q_log_normal"])
    def test_an_unbounded_form_is_stored_as_the_range_that_is_proposed(self, form):
        space = StudySpace.of_section({"x": {"distribution": form, "mu": 0.0, "sigma": 1.0}})
        parameter = parse_sweep_config({"method": "random", "parameters": {"x": {"distribution": form}}}).space["x",]
        stored = space.distributions["x"]
        assert (stored.low, stored.high) == (parameter.from_unit(0.0), parameter.from_unit(1.0))
        assert stored.log == (form == "log_normal")

    @given(seed=st.integers(0, 2**32 - 1), q=st.sampled_from([0.1, 0.25, 1, 3, 0.003]), low=st.integers(-50, 50))
    def test_whatever_is_proposed_lies_in_the_space_and_is_read_back(self, seed, q, low):
        section = {
            "uniform": {"min": low + 0.5, "max": low + 77.0},
            "integer": {"min": low, "max": low + 1000},
            "multiple": {"distribution": "q_uniform", "min": low, "max": low + 100, "q": q},
            "log": {"distribution": "log_uniform_values", "min": 1e-7, "max": 3.0},
            "log_multiple": {"distribution": "q_log_uniform_values", "min": 4, "max": 5000, "q": q},
            "normal": {"distribution": "normal", "mu": low, "sigma": 3.0},
            "multiples_of_normal": {"distribution": "q_normal", "mu": low, "sigma": 30.0, "q": q},
            "log_normal": {"distribution": "log_normal", "mu": 1.0, "sigma": 2.0},
            "beta": {"distribution": "beta", "a": 0.5, "b": 3.0},
            "choice": {"values": ["a", 1, 2.5, None, True, [1], {"a": {"b": 2}}]},
        }
        config = parse_sweep_config({"method": "random", "parameters": section})
        space = StudySpace(config)
        parameters = sample_parameters(config, default_rng(seed))
        values = space.values_of(json.loads(json.dumps(parameters)))
        read = {
            label: distribution.to_external_repr(distribution.to_internal_repr(values[label]))
            for label, distribution in space.distributions.items()
        }
        assert read == {**parameters, "choice": json.dumps(parameters["choice"])}

    def test_what_does_not_lie_in_the_space_has_no_values(self):
        space = StudySpace.of_section({"x": {"min": 0.0, "max": 1.0}, "kind": {"values": ["a", "b"]}})
        assert space.values_of({"x": 0.5, "kind": "b"}) == {"x": 0.5, "kind": "b"}
        for parameters in (
            {"x": 1.5, "kind": "a"},
            {"x": 0.5, "kind": "c"},
            {"x": 0.5},
            {"x": "much", "kind": "a"},
            {},
        ):
            assert space.values_of(parameters) == {}

    def test_true_1_and_one_point_zero_make_different_spaces(self):
        spaces = [StudySpace.of_section({"x": {"values": [value, 2]}}) for value in (True, 1, 1.0)]
        assert [[one.is_same(other) for other in spaces] for one in spaces] == [
            [True, False, False],
            [False, True, False],
            [False, False, True],
        ]
