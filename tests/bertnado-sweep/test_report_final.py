"""The final model in the report: each number is that of its predictions, and what is missing is said."""

import json
import re
import shutil
from pathlib import Path

import numpy as np
import plotly.graph_objects
import pytest
from bertnado_config import InvalidInputError, write_json
from bertnado_sweep import recorded_status, run_sweep
from bertnado_sweep.report import gather, page, write_report
from bertnado_sweep.report.final_figures import MOST_CURVES, MOST_POINTS, drawn_rows
from bertnado_sweep.report.final_model import find_finals
from bertnado_sweep.report.predictions import UnfitPredictionsError, read_predictions
from bertnado_sweep.report.sections import final_model, methods
from scipy import stats
from sklearn import metrics
from support.browser import chromium, find_chromium
from support.final_models import (
    look,
    metrics_of,
    per_class,
    write_binary,
    write_labelled,
    write_table,
)
from support.trainers import CurveTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 3, 2]}},
}
CLASSES = ("one", "two", "<b>three</b>")


@pytest.fixture(scope="module")
def sweep(tmp_path_factory):
    output = tmp_path_factory.mktemp("final") / "sweep"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        run_sweep(CurveTrainer(), GRID, output_dir=output, backend="local")
    return output


@pytest.fixture
def directory(tmp_path):
    (tmp_path / "train").mkdir()
    return tmp_path / "train"


def shown(sweep, model):
    """The section of a final model: (its words, its figures by name)."""
    section = final_model.section(gather(recorded_status(sweep), model))
    html = section.to_html()
    figures = [json.loads(found) for found in re.findall(r'class="figure">(.*?)</script>', html)]
    for figure in figures:
        plotly.graph_objects.Figure(figure["data"], figure["layout"])  # raises an error for an unknown property
    words = re.sub(r"<[^>]+>", " ", re.sub(r"<script.*?</script>", "", html, flags=re.DOTALL))
    return " ".join(words.split()), {figure["id"]: figure["data"] for figure in figures}


def trace(figure, name):
    [found] = [one for one in figure if one.get("name", "").startswith(name)]
    return found


class TestABinaryModel:
    @pytest.fixture
    def found(self, sweep, directory):
        truth, scores = write_binary(directory)
        return (*shown(sweep, directory), truth, scores)

    def test_the_curves_are_those_of_scikit_learn_and_the_point_is_the_threshold(self, found):
        _, figures, truth, scores = found
        area = metrics.roc_auc_score(truth, scores)
        roc = trace(figures["plot-roc"], "site")
        assert roc["name"] == f"site (AUC {area:.4f})"
        assert metrics.auc(roc["x"], roc["y"]) == pytest.approx(area, abs=1e-4)
        precision = metrics.average_precision_score(truth, scores)
        curve = trace(figures["plot-recall"], "site")
        assert curve["name"] == f"site (AP {precision:.4f})"
        assert np.diff(curve["x"]) @ curve["y"][1:] == pytest.approx(precision, abs=1e-4)
        decided = scores > 0.35
        point = trace(figures["plot-roc"], "at the threshold")
        assert point["x"] == pytest.approx([decided[~truth].mean()])
        assert point["y"] == pytest.approx([metrics.recall_score(truth, decided)])
        assert trace(figures["plot-recall"], "at the threshold")["y"] == pytest.approx(
            [metrics.precision_score(truth, decided)]
        )

    def test_each_bin_of_the_calibration_has_its_rows(self, found):
        _, figures, truth, scores = found
        points, bars = figures["plot-calibration"][1:]
        place = np.minimum((scores * 10).astype(int), 9)
        rows = np.bincount(place, minlength=10)
        known = np.flatnonzero(rows)
        assert bars["y"] == rows[known].tolist()
        assert bars["x"] == pytest.approx((known + 0.5) / 10)
        assert points["x"] == pytest.approx([scores[place == one].mean() for one in known])
        assert points["y"] == pytest.approx([truth[place == one].mean() for one in known])
        interval = stats.binomtest(int(truth[place == known[0]].sum()), int(rows[known[0]])).proportion_ci(
            method="wilson"
        )
        low, high = points["y"][0] - points["error_y"]["arrayminus"][0], points["y"][0] + points["error_y"]["array"][0]
        assert (low, high) == pytest.approx((interval.low, interval.high))

    def test_confusions_are_counted_at_the_threshold(self, found):
        _, figures, truth, scores = found
        [drawn] = figures["plot-confusion"]
        expected = metrics.confusion_matrix(truth, scores > 0.35)
        assert drawn["text"] == [[str(count) for count in row] for row in expected]
        assert np.array(drawn["z"]) == pytest.approx(expected / expected.sum(axis=1, keepdims=True), abs=1e-5)

    def test_words_and_tables_have_the_value_its_interval_the_threshold_and_the_classes(self, found):
        words, _, truth, scores = found
        assert "trained on train with seed 1, and evaluated on 300 test rows." in words
        assert re.search(r"eval/ ?roc_ ?auc : 0.8500 \(95% interval 0.8000 to 0.9000, bootstrap over rows\)", words)
        assert "above a probability of 0.35, chosen on validation by youden (it is best)." in words
        assert "roc_auc 0.9100 0.8500 0.8000 to 0.9000" in words
        assert f"site {truth.sum()} {(scores > 0.35).sum()}" in words
        assert "The test split was evaluated once, at 2026-11-26T10:00:00+00:00." in words

    def test_a_baseline_that_is_ahead_is_named(self, sweep, directory):
        write_binary(directory, baselines={"test": {"constant": 0.5, "k-mers": 0.86, "broken": None}})
        assert "is NOT ahead of the strongest baseline on test, k-mers : 0.8600." in shown(sweep, directory)[0]

    def test_the_methods_paragraph_has_it(self, sweep, directory):
        write_binary(directory)
        assert (
            "On the test split (300 sequences), which was evaluated once, the final model reached "
            "eval/roc_auc = 0.8500 (95% interval 0.8000 to 0.9000, bootstrap over rows)."
        ) in methods.paragraph_of(gather(recorded_status(sweep), directory))

    def test_a_large_split_has_few_points_and_the_report_says_so(self, sweep, directory):
        truth, scores = write_binary(directory, rows=20_000)
        words, figures = shown(sweep, directory)
        roc = trace(figures["plot-roc"], "site")
        assert len(roc["x"]) < 2_100
        assert metrics.auc(roc["x"], roc["y"]) == pytest.approx(metrics.roc_auc_score(truth, scores), abs=2e-3)
        assert "Curves are drawn to within 0.001 of their values; areas are those of all rows." in words


class TestOtherTasks:
    def test_classes_have_curves_against_the_rest_and_confusions(self, sweep, directory):
        chance = np.random.default_rng(1)
        classes = chance.integers(3, size=200)
        truth = classes[:, np.newaxis] == np.arange(3)
        powers = np.exp(chance.normal(truth * 1.0, 1))
        scores = (powers / powers.sum(axis=1, keepdims=True)).round(9)
        predicted = scores.argmax(axis=1)[:, np.newaxis] == np.arange(3)
        write_labelled(directory, CLASSES, scores, truth, predicted)
        expected = metrics.confusion_matrix(classes, scores.argmax(axis=1)).tolist()
        known = {"per_class": per_class(CLASSES, truth, predicted)}
        confusion = {"classes": CLASSES, "rows": expected}
        write_json(directory / "metrics.json", metrics_of({"f1": 0.5}, confusion=confusion, **known))
        _, figures = shown(sweep, directory)
        assert [one["name"] for one in figures["plot-roc"][1:]] == [
            f"{name} (AUC {metrics.roc_auc_score(truth[:, column], scores[:, column]):.4f})"
            for column, name in enumerate(("one", "two", "&lt;b&gt;three&lt;/b&gt;"))
        ]
        assert figures["plot-confusion"][0]["text"] == [[str(count) for count in row] for row in expected]

    def test_of_many_labels_those_with_the_most_rows_have_curves(self, sweep, directory):
        chance = np.random.default_rng(2)
        names = [f"label {number}" for number in range(15)]
        truth = chance.random((120, 15)) < np.linspace(0.1, 0.9, 15)
        scores = chance.random((120, 15)).round(9)
        write_labelled(directory, names, scores, truth, scores > 0.5)
        known = {"per_class": per_class(names, truth, scores > 0.5), "threshold": {"values": [0.5] * 15}}
        write_json(directory / "metrics.json", metrics_of({"roc_auc": 0.5}, **known))
        words, figures = shown(sweep, directory)
        most = sorted(np.argsort(-truth.sum(axis=0), kind="stable")[:MOST_CURVES])
        assert [one["name"] for one in figures["plot-roc"][1:]] == [
            f"{names[column]} (AUC {metrics.roc_auc_score(truth[:, column], scores[:, column]):.4f})" for column in most
        ]
        assert "Of 15 classes, the 12 with the most rows have curves." in words
        assert "above a probability of those in the table of labels, the default" in words

    def test_a_regression_has_its_values_and_their_residuals(self, sweep, directory):
        chance = np.random.default_rng(3)
        truth = chance.normal(size=50).round(6)
        found = (truth + chance.normal(size=50) / 2).round(6)
        write_table(directory, ["id", "value", "true_value"], zip(range(50), found, truth, strict=True))
        write_json(directory / "metrics.json", metrics_of({"r2": metrics.r2_score(truth, found)}))
        words, figures = shown(sweep, directory)
        assert (figures["plot-values-0"][0]["x"], figures["plot-values-0"][0]["y"]) == (truth.tolist(), found.tolist())
        assert figures["plot-residuals-0"][0]["x"] == found.tolist()
        assert figures["plot-residuals-0"][0]["y"] == pytest.approx(truth - found)
        assert f"{metrics.r2_score(truth, found):.4f}" in words

    def test_of_many_rows_evenly_spaced_ones_are_drawn(self):
        found = drawn_rows(100_000)
        assert (len(found), found[0], found[-1]) == (MOST_POINTS, 0, 99_999)
        assert set(np.diff(found)) <= {25, 26}
        assert drawn_rows(3).tolist() == [0, 1, 2]


class TestWhatIsMissing:
    def test_a_model_that_was_not_tested_yet_is_asked_for(self, sweep, tmp_path):
        copied = shutil.copytree(sweep, tmp_path / "a sweep")
        assert final_model.section(gather(recorded_status(copied))) is None
        record = json.loads((copied / "sweep.json").read_text())
        inputs = {"model_name": "gena", "dataset": "/data/set", "task_type": "regression"}
        write_json(copied / "sweep.json", record | {"application": inputs})
        words = " ".join(final_model.section(gather(recorded_status(copied))).parts)
        assert "Nobody has looked at the test split yet." in words
        assert f"bertnado full-train --best-config-path &#x27;{copied}/best_sweep_config.json&#x27; " in words
        assert "--output-dir output/train --model-name gena --dataset /data/set --task-type regression" in words

    @pytest.fixture
    def tested(self, sweep, tmp_path):
        """A sweep beside a final model, in a directory that is moved afterwards."""
        shutil.copytree(sweep, tmp_path / "before" / "sweep")
        directory = tmp_path / "before" / "train"
        seen = look(directory, relative_output_dir="../train")
        write_binary(directory, test_looks=[seen])
        write_json(tmp_path / "before" / "sweep" / "test_looks.json", {"format": 1, "looks": [seen]})
        return (tmp_path / "before").rename(tmp_path / "after")

    def test_a_model_that_was_moved_with_its_sweep_is_found(self, tested):
        finals = find_finals(tested / "sweep")
        assert (finals.model.directory, finals.problems) == (tested / "train", ())

    def test_a_model_that_is_gone_is_said_to_be(self, tested):
        shutil.rmtree(tested / "train")
        found = gather(recorded_status(tested / "sweep"))
        assert re.match(
            "the final model is not in .*train any more; name its directory with --model if it was moved",
            found.warnings[-1],
        )
        text = page(found, "")
        assert "any more; name its directory with --model" in text
        assert "The test split was evaluated once, at 2026-11-26T10:00:00+00:00." in text

    def test_another_model_in_its_place_is_not_taken_for_it(self, tested):
        write_binary(tested / "train", test_looks=[look(tested / "train", time="2026-11-27T10:00:00+00:00")])
        [problem] = find_finals(tested / "sweep").problems
        assert re.match(r".*train holds another final model than the one that was evaluated at 2026-11-26", problem)

    def test_several_looks_are_counted_with_their_configurations(self, tested):
        looks = [look("/a", configuration="a"), look("/b", time="2026-11-26T11:00:00+00:00", configuration="b")]
        write_binary(tested / "train", test_looks=looks)
        words, _ = shown(tested / "sweep", tested / "train" / "model")
        assert "The test split was evaluated 3 times, with 3 configurations." in words
        assert re.search(r"2026-11-26T11:00:00\+00:00 b / ?b", words)

    def test_a_directory_without_a_final_model_is_refused(self, sweep, tmp_path):
        with pytest.raises(InvalidInputError, match=r"model must be the output directory of full-train, got .*no metr"):
            write_report(recorded_status(sweep), tmp_path / "x.html", model=tmp_path / "nothing")

    @pytest.mark.parametrize("content", ["[", '{"objective": {"name": "f1"}}', '{"objective": 1e999}'])
    def test_damaged_metrics_are_said(self, tested, content):
        (tested / "train" / "metrics.json").write_text(content)
        [problem] = find_finals(tested / "sweep").problems
        assert re.match(r".*metrics.json is damaged: ", problem)
        with pytest.raises(InvalidInputError, match=r"metrics.json is damaged"):
            find_finals(None, tested / "train")

    def test_a_damaged_record_of_looks_is_said(self, tested):
        (tested / "sweep" / "test_looks.json").write_text('{"looks": [{}]}')
        [problem] = find_finals(tested / "sweep").problems
        assert problem == "test_looks.json is damaged (looks.0.time: Field required); remove it"

    def test_predictions_of_other_rows_are_left_out(self, sweep, directory):
        write_binary(directory)
        lines = (directory / "predictions.tsv").read_text().splitlines()
        (directory / "predictions.tsv").write_text("\n".join(lines[:200]))
        words, figures = shown(sweep, directory)
        assert "predictions.tsv is left out: it has 199 rows, and metrics.json was made of 300" in words
        assert list(figures) == ["plot-confusion"]
        (directory / "predictions.tsv").unlink()
        assert "predictions.tsv is left out: the file is missing" in shown(sweep, directory)[0]


class TestHostilePredictions:
    HEADER = ("id", "probability_a", "probability_b", "label", "true_label")

    def test_rows_without_a_usable_number_are_counted_and_not_drawn(self, tmp_path):
        bad = [["nan", "nan"], ["", ""], ["0.5", "inf"], ["x", "0.5"], ["-0.1", "1.1"], ["1e999", "0"], ["0.5"]]
        rows = [[number, *cells, "a", "b"] for number, cells in enumerate([["0.25", "0.75"], *bad])]
        write_table(tmp_path, self.HEADER, rows)
        found = read_predictions(tmp_path / "predictions.tsv")
        assert (found.count, found.left_out) == (8, 7)
        assert (found.numbers.tolist(), found.truth.tolist()) == ([[0.25, 0.75]], [[0, 1]])

    @pytest.mark.parametrize(
        ("header", "row", "reason"),
        [
            (HEADER, [0, 0.5, 0.5, "a", "c"], "a true label that is not in its header"),
            (HEADER, [0, "nan", "nan", "a", "b"], "none of its 1 rows has numbers"),
            (("id", "value"), [0, 1.5], "header is not that of a test split"),
            (("id",), [0], "header is not that of a test split"),
            (
                ("id", "probability_a;b", "label", "true_label"),
                [0, 1.5, "", ""],
                "contains ';', which separates labels",
            ),
            (HEADER, ["x" * 200_000], "is damaged"),
        ],
    )
    def test_a_table_that_cannot_be_drawn_says_why(self, tmp_path, header, row, reason):
        write_table(tmp_path, header, [row])
        with pytest.raises(UnfitPredictionsError, match=reason):
            read_predictions(tmp_path / "predictions.tsv")


def test_the_section_is_drawn_in_a_browser_and_no_name_becomes_code(sweep, directory, tmp_path):
    if find_chromium() is None:
        pytest.skip("needs Chromium; install Debian's package chromium")
    write_binary(directory, names=("</script><script>document.title='owned'</script>", "<img src=x onerror=alert(1)>"))
    written = write_report(recorded_status(sweep), tmp_path / "report.html", model=directory)
    with chromium() as browser:
        browser.open(written.report_path)
        browser.wait_for("document.documentElement.dataset.drawn")
        assert browser.complaints == []
        assert browser.evaluate("document.title") != "owned"
        plots = "[...document.querySelectorAll('#final-model .plot')]"
        empty = f"{plots}.filter((one) => !one.querySelector('.trace, .scatterlayer path, .heatmaplayer image'))"
        assert browser.evaluate(f"{plots}.map((one) => one.id)") == [
            *("plot-roc", "plot-recall", "plot-calibration", "plot-confusion")
        ]
        assert browser.evaluate(f"{empty}.map((one) => one.id)") == []
        browser.resize(360, 800)
        browser.open(written.report_path)
        browser.wait_for("document.documentElement.dataset.drawn")
        assert browser.evaluate("document.documentElement.scrollWidth") <= 360
    assert Path(written.trials_path).is_file()
