"""Predictions of a final model as a table, its intervals and thresholds, and the one look at the test split."""

import csv
import gzip
import json
import shutil
from pathlib import Path

import datasets
import numpy as np
import pytest
from bertnado import api
from bertnado.cli import main
from bertnado.looks import record_look
from bertnado.prediction_progress import PredictionProgress
from bertnado_config import InvalidInputError, read_json
from bertnado_metrics import choose_thresholds
from click.testing import CliRunner
from rich.console import Console
from sklearn.metrics import confusion_matrix, f1_score, roc_auc_score

CONFIG = "best_sweep_config.json"


@pytest.fixture(scope="module")
def grouped(material, tmp_path_factory):
    """The dataset with a column `chromosome`, and names of classes."""
    stored = datasets.load_from_disk(str(material / "dataset"))
    chromosomes = {name: [f"chr{row % 7}" for row in range(len(split))] for name, split in stored.items()}
    made = {name: split.add_column("chromosome", chromosomes[name]) for name, split in stored.items()}
    directory = tmp_path_factory.mktemp("grouped") / "dataset"
    datasets.DatasetDict(made).save_to_disk(str(directory))
    (directory / "label2id.json").write_text('{"background": 0, "site": 1}')
    return directory


@pytest.fixture(scope="module")
def trained(swept, grouped, tmp_path_factory):
    """A final model that was taken over from a sweep: (its directory, that of the sweep)."""
    root = tmp_path_factory.mktemp("trained")
    sweep = shutil.copytree(swept[0], root / "sweep", ignore=shutil.ignore_patterns("test_looks.json"))
    api.train_model(root / "out", grouped, sweep / CONFIG, from_sweep=True, group_column="chromosome")
    return root / "out", sweep


@pytest.fixture(scope="module")
def metrics(trained):
    return json.loads((trained[0] / "metrics.json").read_text())


def read_table(path, **options):
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", **options))


def column(rows, name):
    return np.array([float(row[name]) for row in rows])


@pytest.fixture(scope="module")
def table(trained):
    return read_table(trained[0] / "predictions.tsv")


@pytest.fixture
def predict(trained, tmp_path):
    """Run the command on some words: (the result, the output)."""

    def run(*words, output="predictions.tsv", model=trained[0] / "model"):
        path = tmp_path / output if output != "-" else output
        command = ["predict", "--model", model, "--output", path, *words]
        return CliRunner().invoke(main, [str(word) for word in command]), path

    return run


def test_the_command_gives_the_test_predictions_that_full_train_wrote(predict, table, grouped, material):
    done, path = predict("--input", grouped, "--split", "test")
    assert done.exit_code == 0, done.output
    rows = read_table(path)
    assert list(rows[0]) == ["id", "probability_background", "probability_site", "label"]
    assert [row["id"] for row in rows] == [row["id"] for row in table] == [str(row) for row in range(60)]
    assert column(rows, "probability_site") == pytest.approx(column(table, "probability_site"), abs=1e-7)
    assert [row["label"] for row in rows] == [row["label"] for row in table]
    labels = datasets.load_from_disk(str(material / "dataset"))["test"]["labels"][:]
    assert [row["true_label"] for row in table] == [("background", "site")[label] for label in labels]
    summary = json.loads(done.stdout)
    assert (summary["rows"], summary["task"], summary["output"]) == (60, "binary_classification", str(path))


def test_the_metrics_are_those_of_the_table(table, metrics):
    truth = np.array([row["true_label"] == "site" for row in table])
    assert metrics["test"]["roc_auc"] == pytest.approx(roc_auc_score(truth, column(table, "probability_site")))
    predicted = np.array([row["label"] == "site" for row in table])
    assert metrics["test_at_threshold"]["f1"] == pytest.approx(f1_score(truth, predicted))
    assert metrics["per_class"][1]["f1"] == pytest.approx(f1_score(truth, predicted))
    assert metrics["per_class"][0]["class"] == "background"
    expected = {"classes": ["background", "site"], "rows": confusion_matrix(truth, predicted).tolist()}
    assert metrics["confusion"] == expected


def test_the_interval_is_that_of_resampled_groups(table, metrics, grouped):
    truth, scores = np.array([row["true_label"] == "site" for row in table]), column(table, "probability_site")
    groups = np.array(datasets.load_from_disk(str(grouped))["test"]["chromosome"][:])
    rng, found = np.random.default_rng(0), []
    for _ in range(1000):
        chosen = rng.integers(7, size=7)
        rows = np.concatenate([np.flatnonzero(groups == f"chr{group}") for group in chosen])
        found.append(roc_auc_score(truth[rows], scores[rows]))
    assert metrics["test_interval"]["roc_auc"] == pytest.approx(np.quantile(found, [0.025, 0.975]), abs=1e-6)
    assert metrics["test_interval_over"] == "chromosome"


def test_the_threshold_is_chosen_on_validation(predict, metrics, grouped, table):
    _, path = predict("--input", grouped, "--split", "validation")
    scores = column(read_table(path), "probability_site")
    labels = datasets.load_from_disk(str(grouped))["validation"]["labels"][:]
    logits = np.log(scores / (1 - scores))[:, None]
    (chosen,) = choose_thresholds("binary_classification", logits, labels, "roc_auc")
    assert metrics["threshold"]["values"] == pytest.approx([chosen.value], abs=1e-6)
    assert metrics["threshold"]["scores"] == pytest.approx([chosen.score])
    assert (metrics["threshold"]["criterion"], metrics["threshold"]["chosen_on"]) == ("youden", "validation")
    above = column(table, "probability_site") > chosen.value
    assert [row["label"] for row in table] == [("background", "site")[number] for number in above.astype(int)]


def test_a_threshold_that_is_given_counts(predict, grouped):
    done, path = predict("--input", grouped, "--split", "test", "--threshold", "0")
    assert json.loads(done.stdout)["threshold"] == [0.0]
    assert {row["label"] for row in read_table(path)} == {"site"}


@pytest.fixture
def fasta(tmp_path, material):
    texts = datasets.load_from_disk(str(material / "dataset"))["test"]["sequence"][:3]
    path = tmp_path / "three.fa"
    path.write_text("".join(f">s{row}\n{text.lower()[:9]}{text[9:]}\n" for row, text in enumerate(texts)))
    return path


def test_the_table_may_be_compressed_or_go_to_the_standard_output(predict, fasta):
    done, path = predict("--input", fasta, "--uppercase", output="x.tsv.gz")
    rows = read_table(path)
    assert [row["id"] for row in rows] == ["s0", "s1", "s2"]
    assert "Warning: lower case in 3 of 3 sequences is written as upper case" in done.stderr
    done, _ = predict("--input", fasta, "--uppercase", output="-")
    assert list(csv.DictReader(done.stdout.splitlines(), delimiter="\t")) == rows


def test_the_api_returns_what_was_found(trained, fasta, tmp_path):
    seen = []
    found = api.predict(
        trained[0] / "model", fasta, tmp_path / "x.tsv", progress=lambda rows, total: seen.append((rows, total))
    )
    assert seen == [(3, None)]
    (note,) = found["notes"]
    assert note.startswith("lower case in 3 of 3 sequences is left as it is, which gives other tokens")
    assert (found["rows"], found["reverse_complement"]) == (3, "none")


def test_what_fails_leaves_the_file_that_was_there(predict, fasta, tmp_path):
    (tmp_path / "predictions.tsv").write_text("before")
    fasta.write_text(fasta.read_text() + ">bad\nAC*GT\n")
    done, path = predict("--input", fasta)
    assert done.exit_code == 2
    assert "three.fa: the sequence 'bad' (line 7) contains the character '*' at position 3" in done.stderr
    assert path.read_text() == "before"
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["predictions.tsv", "three.fa"]


def test_the_look_at_the_test_split_is_recorded(trained, metrics):
    recorded = read_json(trained[1] / "test_looks.json")
    assert recorded["format"] == 1
    (look,) = recorded["looks"]
    assert look["dataset"] == metrics["details"]["dataset"]["fingerprint"]
    assert look["output_dir"] == str(trained[0])
    assert metrics["test_looks"] == [look]


def test_another_look_is_said_only_with_another_configuration(tmp_path):
    path = tmp_path / CONFIG

    def look(rate, fingerprint="f"):
        return record_look(path, {"learning_rate": rate}, fingerprint, tmp_path / "out")

    assert look(1e-3)[1] is None
    assert look(1e-3)[1] is None
    assert look(1e-4, "another dataset")[1] is None
    looks, note = look(1e-4)
    assert len(looks) == 3
    assert note.startswith(
        "Warning: this is look 3 at the test split of this dataset; another configuration was tested"
    )
    (tmp_path / "test_looks.json").write_text("[")
    assert "test_looks.json is damaged" in look(1e-4)[1]


def test_a_second_configuration_is_said_by_full_train(trained, grouped, tmp_path, material):
    sweep = shutil.copytree(trained[1], tmp_path / "sweep")
    said = []
    best = json.loads((sweep / CONFIG).read_text())
    (sweep / "other.json").write_text(json.dumps({**best, "max_steps": 2, "eval_steps": 1}))
    given = {"model_name": str(material / "model"), "observer": lambda event: said.append(getattr(event, "text", ""))}
    final = api.train_model(tmp_path / "out", grouped, sweep / "other.json", **given)
    assert any(text.startswith("Warning: this is look 2 at the test split") for text in said)
    assert len(json.loads(Path(final["metrics_path"]).read_text())["test_looks"]) == 2


def test_an_unknown_group_column_is_an_error_before_anything_is_trained(trained, grouped, tmp_path):
    with pytest.raises(InvalidInputError, match="no column 'chromosom' for group_column; did you mean 'chromosome'"):
        api.train_model(tmp_path / "out", grouped, trained[1] / CONFIG, from_sweep=True, group_column="chromosom")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("is_terminal", "lines"), [(True, 0), (False, 2)])
def test_progress_is_a_line_now_and_then_without_a_terminal(is_terminal, lines, capsys):
    import io

    stream, times = io.StringIO(), iter([0, *np.repeat([5, 11, 12, 25], 2), 25, 25, 25])
    with PredictionProgress(Console(file=stream, force_terminal=is_terminal), lambda: next(times, 30)) as progress:
        for rows in (4096, 8192, 12288, 16384):
            progress(rows, 20000)
    shown = [line for line in stream.getvalue().splitlines() if " of 20,000 rows, " in line]
    assert is_terminal or len(shown) == lines
