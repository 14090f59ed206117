"""The numbers of baselines agree with plain scikit-learn, and are worth what they say."""

import math
from collections import Counter
from itertools import product

import numpy as np
import pytest
from bertnado_metrics import TASKS, compute_metrics
from bertnado_metrics.baselines import BASELINES, MOST_TRAINED, Rows, compute_baselines, sampled_rows
from bertnado_metrics.baselines import linear as linear_baselines
from sklearn.linear_model import LogisticRegression, Ridge

pytestmark = pytest.mark.filterwarnings("error")

LOGITS = {"binary_classification": 1, "multiclass_classification": 3, "multilabel_classification": 2, "regression": 1}


def made(rows, seed, task="binary_classification", lengths=(30, 31)):
    """Rows whose labels depend on how often CG occurs, and on the first letter."""
    rng = np.random.default_rng(seed)
    sequences = ["".join(rng.choice(list("ACGT"), rng.integers(*lengths))) for _ in range(rows)]
    score = np.array([text.count("CG") + 2 * (text[0] == "A") for text in sequences]) + rng.normal(0, 0.5, rows)
    labels = {
        "binary_classification": score > 2,
        "multiclass_classification": np.digitize(score, [1.5, 3]),
        "multilabel_classification": np.stack([score > 2, score < 1], axis=1).astype(int),
        "regression": 10 * score + 1000,
    }[task]
    words = [[ord(letter) % 7 for letter in text[::2]] for text in sequences]
    starts = np.concatenate([[0], np.cumsum(list(map(len, words)))])
    return Rows(labels, sequences, np.concatenate(words), starts)


def table(task="binary_classification", train=None, lengths=(30, 31), **options):
    train = made(150, 0, task, lengths) if train is None else train
    return compute_baselines(task, train, {"validation": made(80, 1, task, lengths)}, LOGITS[task], **options)


def result(found, name):
    return next(baseline for baseline in found.baselines if baseline.name == name)


def counted(name, rows):
    """The numbers that a baseline predicts from, counted letter by letter: shape (rows, columns)."""
    if name == "composition":
        shares = [[text.count(base) / len(text) for base in "ACGT"] for text in rows.sequences]
        return np.hstack([[[math.log1p(len(text))] for text in rows.sequences], shares])
    if name == "k-mers":
        words = ["".join(letters) for k in range(1, 7) for letters in product("ACGT", repeat=k)]
        found = [Counter(t[i : i + k] for k in range(1, 7) for i in range(len(t) - k + 1)) for t in rows.sequences]
        return np.array([[counter[word] for word in words] for counter in found], dtype=float)
    if name == "tokens":
        return np.array(
            [np.bincount(rows.tokens[a:b], minlength=7) for a, b in zip(rows.starts[:-1], rows.starts[1:], strict=True)]
        )
    return np.array([[letter == base for letter in text for base in "ACGT"] for text in rows.sequences], dtype=float)


def reference_logits(task, name, train, other, penalty):
    """Logits by plain scikit-learn, on columns with a standard deviation of 1."""
    spread = counted(name, train).std(axis=0)
    spread[spread < 1e-9] = np.inf
    matrix, others = counted(name, train) / spread, counted(name, other) / spread
    if task == "regression":
        scale = train.labels.std()
        model = Ridge(alpha=penalty * len(train)).fit(matrix, train.labels / scale)
        return model.predict(others) * scale
    halved = 2 if task == "multiclass_classification" and len(set(train.labels.tolist())) == 2 else 1
    strength = 1 / (penalty / halved * len(train))
    columns = train.labels.T if task == "multilabel_classification" else [train.labels]
    models = [LogisticRegression(C=strength, max_iter=2000, tol=1e-6).fit(matrix, column) for column in columns]
    scores = [model.decision_function(others) for model in models]
    return scores[0] if len(scores) == 1 else np.stack(scores, axis=1)


@pytest.mark.parametrize("name", ["composition", "k-mers", "tokens", "positions"])
@pytest.mark.parametrize("task", TASKS)
def test_a_linear_baseline_agrees_with_plain_scikit_learn(task, name):
    train, validation = made(150, 0, task), made(80, 1, task)
    found = result(table(task, baselines=[BASELINES[name]]), name)
    logits = reference_logits(task, name, train, validation, found.settings["penalty"])
    expected = compute_metrics(task, logits, validation.labels)
    assert found.metrics["validation"] == pytest.approx(expected, rel=0.02, abs=0.005, nan_ok=True)
    objective = TASKS[task].default_objective
    assert found.metrics["validation"][objective] == pytest.approx(expected[objective], abs=0.003)


@pytest.mark.parametrize("task", TASKS)
def test_the_constant_is_the_best_prediction_that_ignores_the_sequences(task):
    train, validation = made(150, 0, task), made(80, 1, task)
    shares = {
        "binary_classification": lambda y: math.log(y.mean() / (1 - y.mean())),
        "multiclass_classification": lambda y: np.log(np.bincount(y) / len(y)),
        "multilabel_classification": lambda y: np.log(y.mean(axis=0) / (1 - y.mean(axis=0))),
        "regression": lambda y: y.mean(),
    }
    constant = np.tile(np.atleast_1d(shares[task](train.labels)), (80, 1))
    expected = compute_metrics(task, constant, validation.labels)
    found = table(task, baselines=[BASELINES["constant"]])
    assert result(found, "constant").metrics["validation"] == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize("task", TASKS)
def test_baselines_find_what_the_labels_depend_on(task):
    objective = TASKS[task].default_objective
    chosen = [BASELINES[name] for name in ("constant", "k-mers", "positions")]
    values = {b.name: b.metrics["validation"][objective] for b in table(task, baselines=chosen).baselines}
    assert max(values["k-mers"], values["positions"]) > values["constant"] + 0.15


def test_two_runs_give_the_same_numbers():
    first, second = ([(b.name, b.settings, b.metrics) for b in table().baselines] for _ in range(2))
    assert first == second


def test_everything_is_chosen_on_the_training_rows_alone():
    train, validation = made(150, 0), made(80, 1)
    other = Rows(1 - validation.labels, validation.sequences, validation.tokens, validation.starts)
    tables = [compute_baselines("binary_classification", train, {"validation": v}, 1) for v in (validation, other)]
    first, second = ({b.name: b.settings for b in found.baselines} for found in tables)
    assert first == second


def test_labels_that_depend_on_nothing_get_a_strong_penalty():
    train = made(150, 0)
    shuffled = Rows(np.random.default_rng(5).permutation(train.labels), train.sequences, train.tokens, train.starts)
    found = table(train=shuffled, baselines=[BASELINES["k-mers"]])
    assert result(found, "k-mers").settings["penalty"] >= 3


def test_positions_need_sequences_of_one_length():
    found = table(lengths=(20, 40))
    assert [b.name for b in found.baselines] == ["constant", "composition", "k-mers", "tokens"]
    assert found.left_out == {"positions": "needs sequences of one length, but they have 20 to 39 letters"}


@pytest.mark.parametrize(
    ("change", "reasons"),
    [
        (
            lambda rows: Rows(rows.labels, None, rows.tokens, rows.starts),
            dict.fromkeys(["composition", "k-mers", "positions"], "needs sequences, but only token ids are known"),
        ),
        (
            lambda rows: Rows(rows.labels, rows.sequences),
            {"tokens": "needs token ids, but only sequences are known"},
        ),
        (
            lambda rows: Rows(rows.labels, [text * 100 for text in rows.sequences], rows.tokens, rows.starts),
            {"positions": "needs sequences of at most 2,000 letters, but they have 3,000"},
        ),
    ],
)
def test_a_baseline_without_its_data_is_left_out_with_the_reason(change, reasons):
    train, validation = change(made(40, 0)), change(made(20, 1))
    found = compute_baselines("binary_classification", train, {"validation": validation}, 1)
    assert found.left_out == reasons
    assert {b.name for b in found.baselines} | reasons.keys() == BASELINES.keys()


def test_too_many_labels_leave_the_constant():
    labels = np.random.default_rng(0).integers(0, 2, (30, 60))
    rows = Rows(labels, made(30, 0).sequences)
    found = compute_baselines("multilabel_classification", rows, {"validation": rows}, 60)
    assert [b.name for b in found.baselines] == ["constant"]
    assert found.left_out["k-mers"] == "needs at most 50 labels or classes, but there are 60"


def test_a_class_may_be_missing_in_validation_or_in_train():
    train, validation = made(150, 0, "multiclass_classification"), made(80, 1, "multiclass_classification")
    without = validation.select(np.flatnonzero(validation.labels != 1))
    for learnt, evaluated in ((train, without), (train.select(np.flatnonzero(train.labels != 1)), validation)):
        found = compute_baselines("multiclass_classification", learnt, {"validation": evaluated}, 3)
        for baseline in found.baselines:
            assert all(map(math.isfinite, baseline.metrics["validation"].values()))


def test_two_classes_of_three_agree_with_plain_scikit_learn():
    task = "multiclass_classification"
    train, validation = made(150, 0, task), made(80, 1, task)
    train = train.select(np.flatnonzero(train.labels != 2))
    found = result(compute_baselines(task, train, {"validation": validation}, 3), "positions")
    difference = reference_logits(task, "positions", train, validation, found.settings["penalty"])
    logits = np.stack([-difference / 2, difference / 2, np.full(80, math.log(1e-12))], axis=1)
    expected = compute_metrics(task, logits, validation.labels)
    assert found.metrics["validation"] == pytest.approx(expected, rel=0.01, abs=0.003)


@pytest.mark.parametrize("task", TASKS)
def test_few_rows_and_constant_labels_are_enough(task):
    train = made(150, 0, task)
    constant = train.select(np.zeros(20, np.int64))
    for learnt in (train.select(np.arange(1)), train.select(np.arange(4)), constant):
        for baseline in table(task, learnt).baselines:
            assert math.isfinite(baseline.metrics["validation"]["loss"])


def test_letters_are_read_in_either_case_and_as_rna():
    train = made(60, 0)
    written = [text.lower().replace("t", "u") for text in train.sequences]
    other = Rows(train.labels, written, train.tokens, train.starts)
    first, second = ([(b.name, b.metrics) for b in table(train=rows).baselines] for rows in (train, other))
    assert first == second


def test_other_letters_and_white_space_belong_to_no_kmer():
    counted = BASELINES["k-mers"].features.matrix(Rows(np.zeros(2), ["ACN GT", "Ä"]), 5460).toarray()
    assert counted.sum(axis=1).tolist() == [6, 0]  # A, C, G, T, AC, GT


def test_class_weights_are_in_the_loss_and_move_the_constant():
    chosen, name = [BASELINES["constant"], BASELINES["k-mers"]], "constant"
    plain, weighted = table(baselines=chosen), table(baselines=chosen, class_weights=[4.0])
    assert result(weighted, name).metrics["validation"]["recall"] == 1.0
    assert result(weighted, name).metrics["validation"]["loss"] > result(plain, name).metrics["validation"]["loss"]
    recall = [result(found, "k-mers").metrics["validation"]["recall"] for found in (plain, weighted)]
    assert recall[1] > recall[0]


def test_of_many_rows_some_are_drawn_and_their_number_is_said():
    rows = MOST_TRAINED + 100
    labels = np.arange(rows) % 2
    train = Rows(labels, ["A" if label else "C" for label in labels])
    chosen = [BASELINES["constant"], BASELINES["composition"]]
    found = compute_baselines("binary_classification", train, {"validation": train}, 1, baselines=chosen)
    assert found.rows == {"train": (MOST_TRAINED, rows), "validation": (rows, rows)}
    assert result(found, "composition").metrics["validation"]["accuracy"] == 1.0
    assert len(set(sampled_rows(rows, 50).tolist())) == 50


def test_a_large_matrix_is_made_of_fewer_rows(monkeypatch):
    monkeypatch.setattr(linear_baselines, "_MOST_CELLS", 2000)
    found = table()
    assert result(found, "positions").settings["training_rows"] == 33  # 30 numbers a row, for one logit and one more
    assert result(found, "composition").settings["training_rows"] == 150


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(ValueError, match="sequences must be those of 3 rows, as many as there are labels, got 2"):
        Rows(np.zeros(3), ["A", "C"])
    with pytest.raises(ValueError, match="starts must be those of 2 rows, as many as there are labels, got 3"):
        Rows(np.zeros(2), tokens=np.arange(3), starts=np.arange(4))
    with pytest.raises(ValueError, match="tokens and starts must be given together, got one of them"):
        Rows(np.zeros(3), tokens=np.arange(3))
