"""Each number on the page is the one that plain Python and numpy find in `trial.json` and the files beside it."""

import csv
import json
import math
import re
from collections import Counter
from datetime import datetime
from statistics import mean, stdev

import numpy as np
import pytest
from bertnado_sweep import recorded_status
from bertnado_sweep.report import write_report
from scipy import stats
from support.hostile_sweep import TRIALS, run_hostile_sweep
from support.pages import Page, points

METRIC = "eval/roc_auc"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    output = tmp_path_factory.mktemp("shown") / "sweep"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        run_hostile_sweep(output)
    return output, write_report(recorded_status(output))


@pytest.fixture(scope="module")
def page(written):
    return Page(written[1].report_path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def trials(written):
    """What each trial has on disk, by number."""
    found = [json.loads(path.read_text(encoding="utf-8")) for path in written[0].glob("sweep_*/trial.json")]
    assert len(found) == TRIALS
    return sorted(found, key=lambda trial: trial["number"])


@pytest.fixture(scope="module")
def known(trials):
    """The trials that may be the best."""
    return [trial for trial in trials if trial["state"] in ("completed", "stopped")]


@pytest.fixture(scope="module")
def best(known):
    return max(known, key=lambda trial: trial["value"])


def seconds(trial):
    return (datetime.fromisoformat(trial["ended"]) - datetime.fromisoformat(trial["started"])).total_seconds()


def spoken(value):
    """Seconds as the report has them, below a hundred."""
    return f"{value:.1f} s" if value < 10 else f"{value:.0f} s"


class TestSummary:
    def test_trials_are_counted_by_state(self, page, trials):
        counts = Counter(trial["state"] for trial in trials)
        assert counts["stopped"]
        assert counts["failed"]
        assert page.facts["trials"] == (
            f"{TRIALS} of {TRIALS}: {counts['completed']} completed, {counts['stopped']} stopped early, "
            f"{counts['failed']} failed"
        )

    def test_the_best_value_and_the_times_are_those_of_the_records(self, page, trials, best):
        assert page.facts["best value"] == f"{best['value']:.4f}"
        starts, ends = (
            [datetime.fromisoformat(trial["started"]) for trial in trials],
            [trial["ended"] for trial in trials],
        )
        elapsed = (max(map(datetime.fromisoformat, ends)) - min(starts)).total_seconds()
        assert page.facts["time from first to last"] == spoken(elapsed)
        assert page.facts["time of all trials together"] == spoken(sum(map(seconds, trials)))
        assert f"The best trial is number {best['number'] + 1}, with {METRIC} {best['value']:.4f}: " in page.words

    def test_the_space_stands_beside_the_best_trial(self, page, best):
        assert page.texts("The search space", 2)[:2] == ["1e-06 to 0.01", "1 to 1000"]
        shown = dict(zip(page.texts("The search space", 0), page.texts("The search space", 3), strict=True))
        assert float(shown["learning_rate"]) == pytest.approx(best["parameters"]["learning_rate"], rel=1e-3)
        assert shown["seed"] == str(best["parameters"]["seed"])
        assert float(shown["optimizer.beta"]) == pytest.approx(best["parameters"]["optimizer"]["beta"], rel=1e-3)


class TestHistory:
    def test_each_trial_is_a_point_and_the_line_is_the_running_maximum(self, page, known):
        completed, stopped, line, *_ = page.figures["plot-history"]
        for trace, state in ((completed, "completed"), (stopped, "stopped")):
            assert points(trace) == [(one["number"] + 1, one["value"]) for one in known if one["state"] == state]
        assert line["y"] == np.maximum.accumulate([one["value"] for one in known]).tolist()

    def test_the_trials_that_improved_it_are_listed(self, page, known):
        values = np.array([one["value"] for one in known])
        records = [place for place in range(len(values)) if place == 0 or values[place] > values[:place].max()]
        title = "Trials that improved the best value"
        assert page.column(title, 0) == [known[place]["number"] + 1 for place in records]
        assert page.texts(title, 1) == [f"{values[place]:.4f}" for place in records]
        times = f"{len(records) - 1} time{'s' * (len(records) != 2)}"
        assert f"The best value was improved {times} after the first trial with a value." in page.words


class TestCurves:
    @pytest.mark.parametrize(
        ("figure", "rows", "metric"),
        [("plot-curves", "history", METRIC), ("plot-losses", "training_log", "train/loss")],
    )
    def test_the_lines_are_the_rows_of_the_trials(self, page, trials, figure, rows, metric):
        drawn = Counter()
        for trace in page.figures[figure]:
            if trace["mode"] != "markers":
                drawn.update(zip(trace["customdata"], trace["x"], trace["y"], strict=True))
        del drawn[None, None, None]
        expected = Counter((one["number"] + 1, row["step"], row[metric]) for one in trials for row in one.get(rows, []))
        assert expected
        assert drawn == expected

    def test_the_best_one_is_the_thick_one_and_crosses_are_where_trials_were_stopped(self, page, trials, best):
        traces = {trace["name"]: trace for trace in page.figures["plot-curves"]}
        assert set(traces["best trial"]["customdata"]) == {best["number"] + 1, None}
        stopped = [one for one in trials if one["state"] == "stopped"]
        assert points(traces["stopped here"]) == [
            (one["history"][-1]["step"], one["history"][-1][METRIC]) for one in stopped
        ]
        assert f"{len(stopped)} trials were stopped early: dashed, with a cross at the end." in page.words


class TestParameters:
    def test_slices_have_each_trial_at_its_parameter(self, page, known):
        drawn = page.figures["plot-slice-0"][0]
        assert drawn["x"] == pytest.approx([one["parameters"]["learning_rate"] for one in known])
        assert drawn["y"] == [one["value"] for one in known]
        assert drawn["customdata"] == [one["number"] + 1 for one in known]
        seeds = page.figures["plot-slice-1"][0]
        assert seeds["x"] == [one["parameters"]["seed"] for one in known]

    def test_lines_across_the_parameters_have_heights_between_the_extremes(self, page, known):
        def heights(values):
            low, high = min(values), max(values)
            return [(value - low) / (high - low) for value in values]

        rates = heights([math.log10(one["parameters"]["learning_rate"]) for one in known])
        values = heights([one["value"] for one in known])
        *thirds, chosen = page.figures["plot-parallel"]
        last = max(x for x in chosen["x"] if x is not None)
        drawn = [point for trace in thirds for point in points(trace)]
        assert sorted(y for x, y in drawn if x == 0) == pytest.approx(sorted(rates))
        assert sorted(y for x, y in drawn if x == last) == pytest.approx(sorted(values))
        assert [y for x, y in points(chosen) if x == last] == [1]
        names = [trace["name"] for trace in thirds]
        sizes = [sum(x == 0 for x in trace["x"]) for trace in thirds]
        assert sum(sizes) == len(known)
        ranked = np.argsort(-np.array([one["value"] for one in known]), kind="stable")
        ahead = sorted(values[place] for place in ranked[: sizes[names.index("best third")]])
        drawn = [y for x, y in points(thirds[names.index("best third")]) if x == last]
        assert sorted(drawn) == pytest.approx(ahead)
        assert max(sizes) - min(sizes) <= 1

    def test_the_table_of_importances_has_the_bars(self, page):
        [bars] = page.figures["plot-importance"]
        title = "Importance of each parameter"
        assert page.column(title, 1) == bars["x"][::-1]
        low = [x - less for x, less in zip(bars["x"], bars["error_x"]["arrayminus"], strict=True)][::-1]
        shown = page.column(title, 2)
        assert all(
            one == pytest.approx(min(other, x)) for one, other, x in zip(low, shown, bars["x"][::-1], strict=True)
        )
        assert sum(bars["x"]) == pytest.approx(1)


class TestTables:
    def test_every_trial_has_its_row(self, page, trials, best):
        states = {"stopped": "stopped early"}
        for row, one in zip(page.tables["All trials"], trials, strict=True):
            number, state, value, step, rate, seed_parameter, *_ = row
            assert number == (one["number"] + 1, f"{one['number'] + 1}{' (best)' * (one is best)}")
            assert state == states.get(one["state"], one["state"])
            assert value == ("" if one["value"] is None else (one["value"], f"{one['value']:.4f}"))
            assert step == ("" if one["step"] is None else (one["step"], str(one["step"])))
            assert rate[0] == one["parameters"]["learning_rate"]
            assert seed_parameter[0] == one["parameters"]["seed"]
            attempts, taken, reason = row[-3:]
            assert attempts[0] == one["attempt"]
            assert taken == (pytest.approx(seconds(one)), spoken(seconds(one)))
            assert bool(reason) == (one["state"] == "failed")

    def test_trials_csv_has_the_times_steps_and_seeds(self, written, trials):
        with written[1].trials_path.open(encoding="utf-8", newline="") as file:
            for row, one in zip(csv.DictReader(file), trials, strict=True):
                assert float(row["seconds"]) == pytest.approx(seconds(one), abs=1e-3)
                assert row["step"] == ("" if one["step"] is None else str(one["step"]))
                assert row["attempts"] == str(one["attempt"])
                assert row["seed"] == ("" if one["seed"] is None else str(one["seed"]))
                assert (row["started"], row["ended"]) == (one["started"], one["ended"])
                assert float(row["optimizer.eps"]) == 1e-8
                assert bool(row["error"]) == (one["state"] == "failed")

    def test_failures_are_counted_by_reason(self, page, trials):
        failed = [one for one in trials if one["state"] == "failed"]
        reasons = Counter(one["error"] for one in failed)
        title = "Trials without a result, by reason"
        assert page.column(title, 0) == sorted(reasons.values(), reverse=True)
        numbers = [int(number) for cell in page.texts(title, 2) for number in cell.split(", ")]
        assert sorted(numbers) == [one["number"] + 1 for one in failed]


class TestConfirmationAndBaselines:
    def test_the_means_and_intervals_are_those_of_the_fresh_runs(self, page, written):
        confirmation = json.loads((written[0] / "confirmation.json").read_text())
        rows = page.tables[f"Finalists, by {METRIC}"]
        for row, finalist in zip(rows, confirmation["finalists"], strict=True):
            values = [run["value"] for run in finalist["runs"]]
            error = stdev(values) / math.sqrt(len(values))
            interval = stats.t.interval(0.95, len(values) - 1, loc=mean(values), scale=error)
            assert row[1][1] == f"{mean(values):.4f}"
            assert row[2] == f"{interval[0]:.4f} to {interval[1]:.4f}"
            assert row[3][0] == pytest.approx(error)
            assert row[4][0] == len(values)
            assert row[6][0] == finalist["search_value"]
        drawn = {trace["name"]: trace for trace in page.figures["plot-confirmation"]}
        values = [run["value"] for finalist in confirmation["finalists"] for run in finalist["runs"]]
        assert drawn["each run"]["y"] == values
        assert drawn["mean and 95% interval"]["error_y"]["array"][0] == pytest.approx(
            stats.t.ppf(0.975, 2) * stdev(values[:3]) / math.sqrt(3)
        )

    def test_baselines_stand_beside_the_confirmed_mean(self, page, best):
        values = page.texts("Baselines and the search", 1)
        assert values == ["0.8100", f"{best['value'] - 0.02:.4f}"]
        assert page.texts("Baselines and the search", 2)[0] == "1.5 s"
        verdict = "is ahead of" if best["value"] - 0.02 > 0.81 else "is NOT ahead of"
        assert f"{verdict} the strongest baseline" in page.words
        assert f": {best['value'] - 0.02:.4f} against 0.8100." in page.words


class TestEarlyTermination:
    TITLE = "Trials that were stopped early"

    def test_a_stopped_trial_stands_beside_the_others_after_as_many_evaluations(self, page, trials, best):
        stopped = [one for one in trials if one["state"] == "stopped"]
        assert page.column(self.TITLE, 0) == [one["number"] + 1 for one in stopped]
        for row, one in zip(page.tables[self.TITLE], stopped, strict=True):
            count = len(one["history"])
            curves = {
                other["number"]: max(entry[METRIC] for entry in other["history"][:count])
                for other in trials
                if len(other["history"]) >= count
            }
            own = curves[one["number"]]
            rank = 1 + sum(value > own for value in curves.values())
            assert row[1][0] == count
            assert row[2] == (own, f"{own:.4f}{' (ahead)' * (own > curves.get(best['number'], math.inf))}")
            assert row[3] == (curves[best["number"]], f"{curves[best['number']]:.4f}")
            assert row[4] == (rank, f"{rank} of {len(curves)}")

    def test_it_saved_the_steps_that_were_not_done(self, page, trials):
        stopped = [one for one in trials if one["state"] == "stopped"]
        shares = [1 - one["history"][-1]["step"] / 40 for one in stopped]
        saved = [seconds(one) * share / (1 - share) for one, share in zip(stopped, shares, strict=True)]
        assert page.column(self.TITLE, 5) == pytest.approx(shares)
        assert page.column(self.TITLE, 6) == pytest.approx(saved)
        assert (
            f"Of {TRIALS} trials, {len(stopped)} were stopped early. On average they did not do {mean(shares):.0%} of "
            f"their steps, which saved about {spoken(sum(saved))}."
        ) in page.words


class TestSetupAndMethods:
    def test_the_dataset_has_its_rows_and_classes(self, page):
        inputs = dict(zip(page.texts("Inputs", 0), page.texts("Inputs", 1), strict=True))
        assert inputs["dataset fingerprint"] == "abc123"
        assert (inputs["rows of train"], inputs["rows of validation"]) == ("2400", "600")
        assert page.column("Rows of each class", 1) == [1200, 300]

    def test_the_paragraph_has_the_numbers_of_the_records(self, page, trials, best):
        [text] = re.findall(r"We tuned .*", page.words)
        counts = Counter(one["state"] for one in trials)
        states = f"{counts['completed']} completed, {counts['stopped']} stopped early and {counts['failed']} failed"
        taken = spoken(sum(map(seconds, trials)))
        assert f"The search comprised {TRIALS} trials ({states}) and took {taken} of training in total." in text
        assert "trained on 2,400 sequences and judged by eval/roc_auc on 600 validation sequences" in text
        assert f"The best trial reached eval/roc_auc = {best['value']:.4f}, with learning_rate = " in text
        half = stats.t.ppf(0.975, 2) * 0.01 / math.sqrt(3)
        centre = best["value"] - 0.02
        assert (
            f"Trial {best['number'] + 1} was selected, with a mean of {centre:.4f} (standard error "
            f"{0.01 / math.sqrt(3):.4g}, n = 3, 95% confidence interval {centre - half:.4f} to {centre + half:.4f})."
        ) in text
