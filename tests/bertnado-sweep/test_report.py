"""The report of a sweep: one file that reads well in a real browser, and a table for other programs."""

import csv
import json
import re
import sys
from dataclasses import replace

import plotly.graph_objects
import pytest
from bertnado_config import InvalidInputError, write_json
from bertnado_sweep import recorded_status, run_sweep, service_status
from bertnado_sweep.report import gather, page, write_report
from bertnado_sweep.report.html import Html, name_of, script_json, tag
from bertnado_sweep.testing.wandb_server import ENTITY
from support.browser import chromium, find_chromium
from support.confirming import confirmation_record
from support.hostile_sweep import FORMULA, KINDS, LONG, SCRIPT, TRIALS, run_hostile_sweep
from support.trainers import CurveTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 3, 2]}},
}
DRAWN = "document.documentElement.dataset.drawn"
SECTIONS = (
    *("summary", "confirmation", "baselines", "history", "curves", "importance", "slices", "parallel", "trials"),
    *("failures", "early-termination", "setup", "methods"),
)


@pytest.fixture(scope="module")
def hostile(tmp_path_factory):
    """A sweep with hostile names, and its report."""
    output = tmp_path_factory.mktemp("report") / "sweep"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WANDB_MODE", "disabled")
        result = run_hostile_sweep(output)
    return result, write_report(recorded_status(output))


@pytest.fixture(scope="module")
def browser():
    if find_chromium() is None:
        pytest.skip("needs Chromium; install Debian's package chromium")
    with chromium() as page:
        yield page


@pytest.fixture
def shown(browser, hostile):
    """The report with hostile names, in a browser."""
    browser.open(hostile[1].report_path)
    browser.wait_for(DRAWN)
    return browser


class TestInABrowser:
    """A real Chromium without a network."""

    def test_nothing_is_wrong_nothing_is_asked_for_and_no_name_became_code(self, shown, hostile):
        assert shown.complaints == []
        assert shown.requests == [hostile[1].report_path.resolve().as_uri()]
        assert shown.evaluate("document.title") == f"Sweep {hostile[0].sweep_id}"
        assert shown.evaluate("document.querySelectorAll('main img, main script:not(.figure)').length") == 0

    def test_every_section_is_there_and_every_plot_is_drawn(self, shown):
        assert shown.evaluate("[...document.querySelectorAll('main > section')].map((one) => one.id)") == list(SECTIONS)
        plots = "[...document.querySelectorAll('.plot')]"
        empty = f"{plots}.filter((one) => !one.querySelector('.trace, .bars .point, .scatterlayer path'))"
        assert shown.evaluate(f"{plots}.length") == int(shown.evaluate(DRAWN)) >= 11
        assert shown.evaluate(f"{empty}.map((one) => one.id)") == []
        assert shown.evaluate(f"{plots}.every((one) => one.getAttribute('aria-label').length > 20)")

    def test_a_click_sorts_the_trials_and_another_one_turns_them_round(self, shown, hostile):
        def click(place):
            table = "document.querySelector('#trials table')"
            shown.evaluate(f"{table}.querySelectorAll('th button')[{place}].click()")
            column = f"[...{table}.tBodies[0].rows].map((row) => row.cells[{place}].dataset.value || '')"
            sorted_by = shown.evaluate(f"{table}.querySelectorAll('thead th')[{place}].getAttribute('aria-sort')")
            return sorted_by, [float(value) if value else None for value in shown.evaluate(column)]

        values = sorted(trial.value for trial in hostile[0].trials if trial.value is not None)
        without = [None] * (TRIALS - len(values))
        assert without
        assert click(2) == ("ascending", values + without)
        assert click(2) == ("descending", values[::-1] + without)
        assert click(0) == ("ascending", list(range(1, TRIALS + 1)))

    @pytest.mark.parametrize("width", [360, 1200])
    def test_it_fits_a_phone_and_a_screen(self, browser, hostile, width):
        browser.resize(width, 800)
        browser.open(hostile[1].report_path)
        browser.wait_for(DRAWN)
        assert browser.evaluate("document.documentElement.scrollWidth") <= width

    def test_it_is_dark_where_the_reader_wants_it_and_light_in_print(self, shown):
        background = "getComputedStyle(document.body).backgroundColor"
        paper = "document.getElementById('plot-history')._fullLayout.paper_bgcolor"
        assert shown.evaluate(background) == "rgb(255, 255, 255)"
        shown.emulate(prefers_color_scheme="dark")
        shown.wait_for(f"{paper} !== '#ffffff'")
        assert shown.evaluate(background) == "rgb(21, 23, 26)"
        assert shown.print().startswith(b"%PDF")
        shown.wait_for(f"{paper} === '#15171a'")
        shown.emulate()
        shown.wait_for(f"{paper} === '#ffffff'")
        assert shown.complaints == []

    def test_a_sweep_of_one_trial_without_a_value_has_a_page_too(self, browser, tmp_path):
        with pytest.raises(RuntimeError):
            run_sweep(lambda p, report: None, GRID, output_dir=tmp_path / "s", backend="local", sweep_count=1)
        browser.open(write_report(recorded_status(tmp_path / "s")).report_path)
        browser.wait_for(DRAWN)
        assert (browser.complaints, browser.evaluate(DRAWN)) == ([], "0")
        assert "No trial has a value yet." in browser.evaluate("document.body.innerText")


class TestThePage:
    def test_it_has_plotlys_script_once_and_no_address(self, hostile):
        text = hostile[1].report_path.read_text(encoding="utf-8")
        assert text.count("plotly.js v") == 1
        own = re.sub(r"<script>/\*\*.*?</script>", "", text, flags=re.DOTALL)
        assert not re.search(r'(src|href)="(?!#)', own)

    def test_every_figure_is_one_that_plotly_knows(self, hostile):
        text = hostile[1].report_path.read_text(encoding="utf-8")
        figures = [json.loads(found) for found in re.findall(r'class="figure">(.*?)</script>', text)]
        assert len({figure["id"] for figure in figures}) == len(figures) > 10
        for figure in figures:
            plotly.graph_objects.Figure(figure["data"], figure["layout"])  # raises an error for an unknown property

    def test_what_is_not_markup_is_escaped_and_json_ends_no_script(self):
        assert tag("p", SCRIPT, Html("<b>x</b>"), title='"') == (
            '<p title="&quot;">&lt;/script&gt;&lt;script&gt;document.title=&#x27;owned&#x27;&lt;/script&gt;<b>x</b></p>'
        )
        assert name_of("a\x00\ud800") == "<bdi>a\\x00\\ud800</bdi>"
        assert "</" not in script_json([SCRIPT])
        assert json.loads(script_json([SCRIPT])) == [SCRIPT]

    def test_damaged_and_foreign_files_beside_the_sweep_are_left_out_with_a_warning(self, tmp_path):
        run_sweep(CurveTrainer(), GRID, output_dir=tmp_path, backend="local")
        objective = {"name": "score", "goal": "maximize"}
        another = confirmation_record(
            "another", [{"trial": 1, "mean": 0.5, "standard_error": 0.1}], objective=objective
        )
        write_json(tmp_path / "confirmation.json", another)
        (tmp_path / "baselines.json").write_text("{")
        *_, first, second = gather(recorded_status(tmp_path)).warnings
        assert first == "confirmation.json is left out: it belongs to sweep another"
        assert second.startswith("baselines.json is left out: line 1")
        (tmp_path / "confirmation.json").unlink()
        write_json(tmp_path / "baselines.json", {"format": 1, "objective": {}})
        written = write_report(recorded_status(tmp_path))
        assert written.warnings == ("baselines.json is left out: objective.name: Field required",)
        assert written.warnings[0] in written.report_path.read_text(encoding="utf-8")

    def test_a_sweep_that_runs_has_a_report_that_says_so(self, tmp_path):
        result = run_sweep(CurveTrainer(), GRID, output_dir=tmp_path, backend="local")
        status = recorded_status(tmp_path)
        running = replace(result.trials[2], state="running", value=None, ended=None, history=())
        shown = page(gather(replace(status, trials=(*result.trials[:2], running))), "")
        assert "still running when this report was made" in shown


class TestTheTable:
    def test_it_has_a_row_for_each_trial_and_a_column_for_each_parameter(self, hostile):
        result, written = hostile
        with written.trials_path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        assert list(rows[0]) == [
            *("number", "id", "state", "value", "step", "attempts", "seconds", "seed", "started", "ended", "error"),
            *("learning_rate", "parameters.seed", "kind", "target", "optimizer.beta", "optimizer.eps"),
        ]
        for row, trial in zip(rows, result.trials, strict=True):
            assert (int(row["number"]), row["id"], row["state"]) == (trial.number + 1, trial.id, trial.state)
            assert row["value"] == ("" if trial.value is None else repr(trial.value))
            assert float(row["learning_rate"]) == trial.parameters["learning_rate"]
            assert float(row["optimizer.beta"]) == trial.parameters["optimizer"]["beta"]
            assert int(row["parameters.seed"]) == trial.parameters["seed"]
            assert json.loads(row["target"]) == trial.parameters["target"]
            kind = trial.parameters["kind"]
            assert row["kind"] == (f"'{kind}" if kind == FORMULA else kind)
        assert {row["kind"].removeprefix("'") for row in rows} <= set(KINDS)
        assert all(SCRIPT in row["error"] and LONG in row["error"] for row in rows if row["state"] == "failed")

    def test_no_cell_is_a_formula_for_a_spreadsheet(self, tmp_path):
        def fail(parameters, report):
            raise RuntimeError(parameters["x"])

        values = ["=1+1", "+1+1", "@SUM(A1)", "-1-1", "\t=1", "-x", "plain"]
        grid = GRID | {"parameters": {"x": {"values": values}}}
        with pytest.raises(RuntimeError):
            run_sweep(fail, grid, output_dir=tmp_path / "s", backend="local", max_failures=20)
        written = write_report(recorded_status(tmp_path / "s"))
        with written.trials_path.open(encoding="utf-8", newline="") as file:
            found = [row["x"] for row in csv.DictReader(file)]
        assert found == ["'=1+1", "'+1+1", "'@SUM(A1)", "'-1-1", "'\t=1", "'-x", "plain"]


class TestMistakes:
    @pytest.fixture
    def done(self, hostile):
        return recorded_status(hostile[0].output_dir)

    @pytest.mark.parametrize(
        ("name", "message"),
        [
            ("sweep.json", "to must be a file whose name ends in .html, got .*sweep.json"),
            (".", "to must be a file, got the directory .*; write .*report.html"),
            ("sweep.json/report.html", "cannot be written .*; choose another file with to"),
            ("a\x00.html", "to must name the file of the report, got .* with an invalid character"),
        ],
    )
    def test_a_file_that_cannot_be_the_report_is_refused(self, done, name, message):
        before = (done.output_dir / "sweep.json").read_bytes()
        with pytest.raises(InvalidInputError, match=message):
            write_report(done, f"{done.output_dir}/{name}")
        assert (done.output_dir / "sweep.json").read_bytes() == before

    def test_a_sweep_without_a_trial_has_no_report_yet(self, done):
        with pytest.raises(InvalidInputError, match=r"no trial is recorded yet in .*sweep; run the command again once"):
            write_report(replace(done, trials=()))

    def test_without_plotly_it_says_what_to_install(self, done, monkeypatch):
        monkeypatch.setitem(sys.modules, "plotly.offline", None)
        with pytest.raises(InvalidInputError, match=r"run pip install 'bertnado-sweep\[report\]'"):
            write_report(done)


def test_a_sweep_at_wandb_has_the_curves_that_it_logged(server, tmp_path):
    result = run_sweep(CurveTrainer(), GRID, output_dir=tmp_path / "sweep", backend="wandb", project_name="dna")
    status = service_status(f"{ENTITY}/dna/{result.sweep_id}", curves=True)
    assert [[row["score"] for row in trial.history] for trial in status.trials] == [[1, 0.5], [3, 1.5], [2, 1]]
    assert [len(trial.training_log) for trial in status.trials] == [20, 20, 20]
    with pytest.raises(InvalidInputError, match="to or output_dir is required for a sweep at W&B"):
        write_report(status)
    written = write_report(status, tmp_path / "new" / "wandb.html")
    assert written.trials_path == tmp_path / "new" / "trials.csv"
    assert "plot-losses" in written.report_path.read_text(encoding="utf-8")
    assert server.unsupported == set()
