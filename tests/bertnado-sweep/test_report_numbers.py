"""Each number in a report is the one that an independent computation finds in the records."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from statistics import mean, stdev

import numpy as np
import optuna
import pytest
from bertnado_config import parse_sweep_config, sample_parameters
from bertnado_metrics import Objective
from bertnado_sweep.records.baselines import RecordedBaselines
from bertnado_sweep.records.confirmation import Confirmation, Finalist, Folds
from bertnado_sweep.records.trial import Trial
from bertnado_sweep.report.material import Material
from bertnado_sweep.report.scales import scale_of
from bertnado_sweep.report.sections import (
    baselines,
    confirmation,
    curves,
    early_termination,
    failures,
    history,
    importance,
    methods,
    parallel,
    setup,
    slices,
    summary,
)
from bertnado_sweep.status import SweepStatus
from scipy import stats
from support.confirming import confirmation_record, finalist_record

HIGHER = Objective("score", "maximize")
LOWER = Objective("loss", "minimize")
BEGIN = datetime(2026, 11, 23, 18, 30, tzinfo=UTC)
FILE = {
    "method": "random",
    "metric": {"name": "score", "goal": "maximize"},
    "early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 2},
    "parameters": {
        "rate": {"distribution": "log_uniform_values", "min": 1e-5, "max": 1.0},
        "layers": {"min": 1, "max": 12},
        "kind": {"values": ["linear", "cosine"]},
        "constant": {"value": 3},
    },
}


def trial(number, value=None, state="completed", seconds=60.0, **fields):
    """A trial that begins a minute after the one before it."""
    started = BEGIN + timedelta(minutes=number)
    ended = None if state == "running" else (started + timedelta(seconds=seconds)).isoformat()
    given = {"parameters": {"x": number}, "started": started.isoformat(), "ended": ended, "value": value} | fields
    return Trial(number, f"s-{number}", state, directory=Path(f"/sweep/t{number}"), **given)


def material(*trials, objective=HIGHER, file=None, **further):
    record = {"config": file or {}, **further.pop("record", {})}
    status = SweepStatus("s", "here", objective, trials, record=record, confirmation=further.pop("confirmation", None))
    return Material(status, BEGIN.isoformat(), **further)


def rows(*values, name="score"):
    return [{"step": 10 * number, name: value} for number, value in enumerate(values, start=1)]


@pytest.fixture(scope="module")
def searched():
    """Thirty trials of a function of two parameters; the third one does nothing."""
    config, chance = parse_sweep_config(FILE), np.random.default_rng(3)
    trials = []
    for number in range(30):
        parameters = sample_parameters(config, chance)
        value = -abs(math.log10(parameters["rate"]) + 3) - 0.1 * abs(parameters["layers"] - 6)
        trials.append(trial(number, value, parameters=parameters))
    return material(*trials, file=FILE)


class TestSummary:
    def test_times_are_from_the_first_start_to_the_last_end_and_of_all_trials_together(self):
        found = summary.totals([trial(0, 1.0, seconds=90), trial(1, 2.0, seconds=45), trial(2, state="failed")], "")
        assert found.elapsed == 3 * 60
        assert found.trained == 90 + 45 + 60
        assert found.states == {"completed": 2, "failed": 1}

    def test_a_trial_that_runs_lasts_until_now(self):
        now = (BEGIN + timedelta(hours=2)).isoformat()
        assert summary.totals([trial(0, 1.0), trial(1, state="running")], now).elapsed == 7200

    def test_times_that_nobody_recorded_are_unknown(self):
        assert summary.totals([trial(0, 1.0, started="yesterday", ended=None)], "").elapsed is None

    def test_a_parameter_is_described_by_its_choices_or_its_bounds(self):
        forms = material(file=FILE).space
        assert [summary.describe_form(form) for form in forms.values()] == [
            *("1e-05 to 1", "1 to 12", "linear, cosine", "value 3")
        ]


class TestHistory:
    @pytest.mark.parametrize(("objective", "expected"), [(HIGHER, [0.3, 0.5, 0.5, 0.7]), (LOWER, [0.3, 0.3, 0.2, 0.2])])
    def test_the_best_so_far_is_the_running_extreme_of_trials_that_count(self, objective, expected):
        values = [0.3, 0.5, None, 0.2, 0.7]
        states = ["completed", "stopped", "failed", "completed", "completed"]
        trials = [trial(n, value, state) for n, (value, state) in enumerate(zip(values, states, strict=True))]
        found = history.best_so_far([*trials, trial(5, 9.0, "interrupted")], objective)
        assert [best for _, best in found] == expected
        known = np.array([0.3, 0.5, 0.2, 0.7])
        assert expected == (np.maximum if objective is HIGHER else np.minimum).accumulate(known).tolist()

    def test_one_improvement_is_one_time(self):
        text = history.section(material(trial(0, 0.1), trial(1, 0.2), trial(2, 0.15))).parts[0]
        assert text == "<p>The best value was improved 1 time after the first trial with a value.</p>"


class TestCurves:
    def test_they_are_the_evaluations_and_the_logged_losses_with_gaps_where_they_are_no_numbers(self):
        one = trial(0, 0.5, history=rows(0.1, None, 0.5), training_log=rows(0.9, 0.8, name="train/loss"))
        assert curves.validation_curve(one, "score") == [(10, 0.1), (20, None), (30, 0.5)]
        assert curves.training_curve(one) == [(10, 0.9), (20, 0.8)]

    def test_a_long_one_is_thinned_evenly_and_keeps_its_end(self):
        curve = [(float(step), step / 2) for step in range(1001)]
        found = curves.thinned(curve, 100)
        assert len(found) <= 102
        assert found[-1] == curve[-1]
        assert set(np.diff([step for step, _ in found[:-1]])) == {11}


class TestImportance:
    def test_it_is_what_optuna_computes_for_the_same_trials(self, searched):
        study = optuna.create_study(direction="maximize")
        distributions = {
            "rate": optuna.distributions.FloatDistribution(1e-5, 1.0, log=True),
            "layers": optuna.distributions.IntDistribution(1, 12),
            "kind": optuna.distributions.CategoricalDistribution(("linear", "cosine")),
        }
        for one in searched.trials:
            parameters = {name: one.parameters[name] for name in distributions}
            study.add_trial(optuna.trial.create_trial(value=one.value, params=parameters, distributions=distributions))
        evaluator = optuna.importance.FanovaImportanceEvaluator(n_trees=importance.TREES, seed=0)
        expected = optuna.importance.get_param_importances(study, evaluator=evaluator)
        found = importance.importances(importance.entries_of(searched), "maximize", samples=1)
        assert {one.name: one.value for one in found} == pytest.approx(expected)
        assert found[0].name == "rate"
        assert sum(one.value for one in found) == pytest.approx(1)

    def test_its_spread_is_that_of_bootstrap_samples_and_the_same_each_time(self, searched):
        entries = importance.entries_of(searched)[:12]
        found = importance.importances(entries, "maximize", samples=4)
        drawn = np.random.default_rng(0)
        samples = [[entries[row] for row in drawn.integers(12, size=12)] for _ in range(4)]
        spread = [importance.importances(sample, "maximize", samples=0) for sample in samples]
        for one in found:
            values = [next((other.value for other in sample if other.name == one.name), 0.0) for sample in spread]
            assert (one.low, one.high) == pytest.approx(tuple(np.quantile(values, [0.1, 0.9])))

    def test_trials_of_one_value_or_outside_the_space_have_none(self):
        parameters = {"rate": 0.1, "layers": 3, "kind": "linear", "constant": 3}
        same = [trial(n, 0.5, parameters=parameters | {"layers": n + 1}) for n in range(10)]
        assert importance.importances(importance.entries_of(material(*same, file=FILE)), "maximize") == []
        outside = trial(0, 0.5, parameters=parameters | {"rate": 7.0})
        assert importance.entries_of(material(outside, file=FILE)) == []


class TestSlicesAndParallelCoordinates:
    def test_a_slice_has_each_trial_at_its_parameter_and_its_value(self, searched):
        scale = scale_of(searched, "rate")
        assert scale.kind == "log"
        assert slices.slice_points(searched, "rate", scale) == [
            (one.number, pytest.approx(math.log10(one.parameters["rate"])), one.value) for one in searched.trials
        ]

    def test_choices_stand_in_order_and_numbers_by_size(self):
        mixed = [trial(n, 0.1, parameters={"x": x}) for n, x in enumerate([True, 10, "b", 9, 1, None, [1]])]
        scale = scale_of(material(*mixed), "x")
        assert scale.choices == ("1", "9", "10", "[1]", "b", "null", "true")
        assert [scale.place_of(x) for x in (1, True, 10)] == [0, 6, 2]

    def test_a_height_is_the_share_of_the_way_from_the_smallest_to_the_greatest(self):
        assert parallel.heights([2.0, 4.0, 3.0]) == [0, 1, 0.5]
        assert parallel.heights([7.0, 7.0]) == [0.5, 0.5]

    def test_thirds_are_by_rank(self):
        trials = [trial(n, value) for n, value in enumerate([0.1, 0.9, 0.5, 0.6, 0.2, 0.8])]
        assert parallel.thirds(material(*trials)) == {1: 0, 5: 0, 3: 1, 2: 1, 4: 2, 0: 2}
        assert parallel.thirds(material(*trials, objective=LOWER))[0] == 0


class TestConfirmation:
    def test_an_interval_is_students_around_the_mean_of_the_runs(self):
        values = [0.70, 0.72, 0.71, 0.69, 0.73]
        error = stdev(values) / math.sqrt(len(values))
        finalist = Finalist(**finalist_record(trial=1, mean=mean(values), standard_error=error, n=len(values)))
        expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.95)
        assert confirmation.interval(finalist) == pytest.approx((expected.low, expected.high))

    def test_one_run_has_none(self):
        assert confirmation.interval(Finalist(**finalist_record(trial=1, mean=0.7, n=1))) is None


class TestBaselines:
    FOUND = RecordedBaselines.model_validate(
        {
            "objective": {"name": "eval/roc_auc", "goal": "maximize"},
            "baselines": [
                {"name": "constant", "metrics": {"validation": {"roc_auc": 0.5}}},
                {"name": "6-mers", "metrics": {"validation": {"roc_auc": 0.81}}},
                {"name": "broken", "metrics": {"validation": {"roc_auc": None}}},
            ],
        }
    )

    def test_the_strongest_is_the_best_on_validation_by_either_name_of_the_metric(self):
        found = baselines.strongest(self.FOUND, Objective("eval/roc_auc", "maximize"))
        assert (found[0].name, found[1]) == ("6-mers", 0.81)
        assert baselines.strongest(self.FOUND, Objective("eval/roc_auc", "minimize"))[0].name == "constant"
        assert baselines.strongest(self.FOUND, Objective("eval/f1", "maximize")) is None

    def test_what_stands_against_them_is_the_confirmed_mean_if_there_is_one(self):
        trials = [trial(0, 0.9), trial(1, 0.8)]
        assert baselines.value_to_compare(material(*trials)) == ("trial 1, best of the search", 0.9)
        finalists = [{"trial": 1, "mean": 0.7}, {"trial": 2, "mean": 0.75}]
        confirmed = Confirmation.model_validate(confirmation_record("s", finalists, winner=2))
        assert baselines.value_to_compare(material(*trials, confirmation=confirmed))[1] == 0.75


class TestFailures:
    def test_they_are_counted_by_reason_the_most_frequent_first(self):
        trials = [trial(0, 1.0), *(trial(n, state="failed", error="NaN") for n in (1, 3))]
        found = failures.failures([*trials, trial(4, state="failed", error="memory"), trial(5, state="interrupted")])
        assert [(one.state, one.reason, one.trials) for one in found] == [
            ("failed", "NaN", (1, 3)),
            ("failed", "memory", (4,)),
            ("interrupted", "not recorded", (5,)),
        ]


class TestEarlyTermination:
    BEST = trial(0, 0.9, history=rows(0.2, 0.6, 0.9, 0.8), total_steps=40)
    BEHIND = trial(1, 0.5, "stopped", seconds=30, history=rows(0.1, 0.5), total_steps=40)
    AHEAD = trial(2, 0.7, "stopped", history=rows(0.7, 0.65), total_steps=40, attempts=[{"to_step": 20}])
    SHORT = trial(3, 0.8, history=rows(0.8))

    def test_a_stopped_trial_stands_beside_those_with_as_many_evaluations(self):
        trials = (self.BEST, self.BEHIND, self.AHEAD, self.SHORT)
        behind, ahead = early_termination.stops(trials, self.BEST, HIGHER)
        assert (behind.value, behind.of_best, behind.rank, behind.among) == (0.5, 0.6, 3, 3)
        assert (ahead.value, ahead.of_best, ahead.rank, ahead.among) == (0.7, 0.6, 1, 3)
        assert [one.is_ahead(HIGHER) for one in (behind, ahead)] == [False, True]

    def test_it_saved_the_steps_that_were_not_done_and_their_time(self):
        behind, _ = early_termination.stops((self.BEST, self.BEHIND, self.AHEAD), self.BEST, HIGHER)
        assert (behind.steps, behind.saved_share) == (20, 0.5)
        assert behind.saved_seconds == 30 * (40 - 20) / 20

    def test_without_a_record_of_all_steps_it_is_unknown(self):
        [behind] = early_termination.stops((replace(self.BEHIND, total_steps=None),), None, HIGHER)
        assert (behind.saved_share, behind.saved_seconds, behind.of_best) == (None, None, None)


class TestSetup:
    def test_fingerprints_counts_and_arguments_are_those_of_the_trials(self):
        def details(fingerprint, rate):
            dataset = {"fingerprint": fingerprint, "classes": {"train": [70, 30], "test": []}}
            return {"dataset": dataset, "arguments": {"learning_rate": rate, "bf16": False}}

        trials = [trial(0, 0.1, details=details("a", 1e-4)), trial(1, 0.2, details=details("b", 1e-3))]
        found = material(*trials, trial(2, state="failed"))
        assert setup.fingerprints(found) == ["b", "a"]
        assert setup.class_counts(found.dataset) == {"train": [70, 30]}
        assert setup.differing_arguments(found) == ["learning_rate"]


class TestMethods:
    def test_it_has_nothing_but_what_is_recorded(self):
        assert methods.paragraph_of(material(trial(0, 0.5, parameters={}, seconds=0))) == (
            "We tuned hyperparameters with BertNado. Each trial was trained and judged by score at its best checkpoint "
            "(higher is better). The search comprised 1 trial (1 completed). The best trial reached score = 0.5000. "
            "This value is the best of several noisy ones and thus optimistic; it was not confirmed with fresh seeds."
        )

    def test_it_has_all_that_is_recorded(self):
        details = {"dataset": {"rows": {"train": 2400, "validation": 600}}}
        parameters = {"rate": 0.001, "layers": 3, "kind": "linear", "constant": 3}
        trials = [
            trial(0, 0.91, parameters=parameters, seed=42, details=details),
            trial(1, 0.8, "stopped", parameters=parameters | {"layers": 4, "rate": 0.25}, seed=42),
        ]
        finalists = [{"trial": 1, "mean": 0.88, "standard_error": 0.01, "n": 3}, {"trial": 2, "mean": 0.8}]
        confirmed = Confirmation.model_validate(confirmation_record("s", finalists, seeds=[1, 2, 3]))
        recorded = {"application": {"model_name": "PoetschLab/GROVER"}, "seed": 7, "versions": {"bertnado": "0.1.0"}}
        text = methods.paragraph_of(material(*trials, file=FILE, record=recorded, confirmation=confirmed))
        half = stats.t.ppf(0.975, 2) * 0.01
        assert text == (
            "We tuned 2 hyperparameters of PoetschLab/GROVER (rate and layers) by random search (seed 7) with BertNado "
            "0.1.0. Unpromising trials were stopped early (hyperband: after 1, 2, 4, 8, 16, 32, 64 evaluations, the "
            "best 1 in 2 continue). Each trial was trained on 2,400 sequences and judged by score on 600 validation "
            "sequences at its best checkpoint (higher is better). All trials used the training seed 42. The search "
            "comprised 2 trials (1 completed and 1 stopped early) and took 2 min of training in total. The best trial "
            "reached score = 0.9100, with rate = 0.001 and layers = 3. The 2 best trials were trained anew with 3 "
            "fresh seeds, and ranked by the mean of the fresh values alone. Trial 1 was selected, with a mean of "
            f"0.8800 (standard error 0.0100, n = 3, 95% confidence interval {0.88 - half:.4f} to {0.88 + half:.4f})."
        )
        by_group = confirmed.model_copy(update={"folds": Folds(column="chromosome", groups=("chr1", "chr2"))})
        text = methods.paragraph_of(material(*trials, file=FILE, record=recorded, confirmation=by_group))
        assert "trained anew on 2 folds, the groups of chromosome, each with a fresh seed, and ranked by" in text
