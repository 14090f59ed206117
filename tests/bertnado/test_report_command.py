"""`bertnado report` and `bertnado.api.report`, with a sweep of a real model."""

import csv
import json
import re
import shutil
from pathlib import Path

import pytest
from bertnado import api
from bertnado.cli import main
from click.testing import CliRunner
from sklearn.metrics import roc_auc_score
from support.browser import chromium, find_chromium


def run(*words):
    return CliRunner().invoke(main, ["report", *map(str, words)])


@pytest.fixture(scope="module")
def sweep(swept, tmp_path_factory):
    """A copy of a finished sweep: (its output directory, what the API returned)."""
    return shutil.copytree(swept[0], tmp_path_factory.mktemp("reported") / "sweep"), swept[1]


@pytest.fixture(scope="module")
def written(sweep):
    """The report of the sweep, as the command writes it."""
    done = run("--output-dir", sweep[0])
    assert (done.exit_code, done.stderr) == (0, "")
    return json.loads(done.stdout)


def test_it_lies_in_the_output_directory_with_the_table_beside_it(sweep, written):
    assert written == {
        "report_path": str(sweep[0] / "report.html"),
        "trials_path": str(sweep[0] / "trials.csv"),
    }
    with Path(written["trials_path"]).open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row["number"]) for row in rows] == [1, 2, 3]
    assert max(float(row["value"]) for row in rows) == sweep[1]["metric_value"]
    assert {row["training_args.max_grad_norm"] for row in rows} <= {"0.5", "2.0"}


def test_it_tells_what_the_sweep_has_recorded(sweep, written):
    text = re.sub(
        r"<(?:script|style)\b.*?</(?:script|style)>", "", Path(written["report_path"]).read_text(), flags=re.S
    )
    text = re.sub(r"<[^>]+>", " ", text).replace("&#x27;", "'")
    assert f"{sweep[1]['metric_value']:.4f}" in text
    details = json.loads((sweep[0] / "best_sweep_details.json").read_text())
    assert details["details"]["dataset"]["fingerprint"] in text
    assert details["versions"]["torch"] in text
    assert "Each trial was trained on 160 sequences and judged by eval/roc_auc on 60 validation sequences" in " ".join(
        text.split()
    ).replace("_ ", "_").replace("/ ", "/")


def test_every_plot_is_drawn_with_the_training_loss_at_each_evaluation(written):
    if find_chromium() is None:
        pytest.skip("needs Chromium; install Debian's package chromium")
    with chromium() as page:
        page.open(written["report_path"])
        page.wait_for("document.documentElement.dataset.drawn")
        assert page.complaints == []
        steps = (
            "document.getElementById('plot-losses').data.flatMap((trace) => trace.x).filter((step) => step !== null)"
        )
        assert sorted(page.evaluate(steps)) == [2, 2, 2, 4, 4, 4, 6, 6, 6]


def test_another_file_may_be_named_and_python_does_the_same(sweep, tmp_path):
    found = api.report(sweep[0], to=tmp_path / "new" / "page.html")
    assert found == {
        "report_path": str(tmp_path / "new" / "page.html"),
        "trials_path": str(tmp_path / "new" / "trials.csv"),
        "warnings": [],
    }
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == ["page.html", "trials.csv"]
    done = run("--output-dir", sweep[0], "--to", tmp_path / "another.htm")
    assert json.loads(done.stdout)["report_path"] == str(tmp_path / "another.htm")


def test_what_is_left_out_is_said(sweep, tmp_path):
    baselines = sweep[0] / "baselines.json"
    baselines.write_text("[]")
    try:
        done = run("--output-dir", sweep[0], "--to", tmp_path / "page.html")
    finally:
        baselines.unlink()
    assert done.exit_code == 0
    assert done.stderr.startswith("Warning: baselines.json is left out: ")


def test_the_final_model_that_looked_at_the_test_split_is_found_and_shown(sweep, tmp_path):
    output = shutil.copytree(sweep[0], tmp_path / "sweep")
    api.train_model(tmp_path / "train", None, output / "best_sweep_config.json", from_sweep=True)
    assert run("--output-dir", output).exit_code == 0
    text = (output / "report.html").read_text()
    with (tmp_path / "train" / "predictions.tsv").open(newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    truth = [row["true_label"] == "positive" for row in rows]
    area = roc_auc_score(truth, [float(row["probability_positive"]) for row in rows])
    figures = [json.loads(found) for found in re.findall(r'class="figure">(.*?)</script>', text)]
    [roc] = [figure for figure in figures if figure["id"] == "plot-roc"]
    assert roc["data"][1]["name"] == f"positive (AUC {area:.4f})"
    tested = json.loads((tmp_path / "train" / "metrics.json").read_text())
    assert tested["test"]["roc_auc"] == pytest.approx(area)
    assert f"evaluated on {len(rows)} test rows." in text
    moved = (tmp_path / "train").rename(tmp_path / "elsewhere")
    done = run("--output-dir", output)
    assert done.stderr.startswith("Warning: the final model is not in ")
    assert 'id="plot-roc"' not in (output / "report.html").read_text()
    assert run("--output-dir", output, "--model", moved / "model").stderr == ""
    assert 'id="plot-roc"' in (output / "report.html").read_text()
    done = run("--output-dir", output, "--model", tmp_path)
    assert done.exit_code == 2
    assert "--model must be the output directory of full-train" in done.stderr
