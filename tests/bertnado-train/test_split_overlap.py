"""What a dataset is warned of: rows that are in two splits, and classes with few rows."""

import numpy as np
import pytest
from bertnado_metrics import get_task
from bertnado_train.class_coverage import few_rows_problems
from bertnado_train.prepared_dataset import open_dataset
from bertnado_train.sequence_options import SequenceOptions
from bertnado_train.split_overlap import overlap_problems
from support import tokenizers

AS_THEY_ARE = SequenceOptions()
COMPLEMENT = str.maketrans("ACGT", "TGCA")
TASK = get_task("binary_classification")
REMOVE = "remove them from one of the two"
OVERSTATES = f"validation then overstates what a model does with new sequences; {REMOVE}"
CHOOSES = f"choosing by validation is then partly choosing by test; {REMOVE}"


@pytest.fixture(scope="module")
def texts():
    rng = np.random.default_rng(3)
    return ["".join(rng.choice(list("ACGT"), 30)) for _ in range(30)]


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    return tokenizers.letters(model_max_length=512)


def reverse_complements(texts):
    return [text.translate(COMPLEMENT)[::-1] for text in texts]


def labelled(texts, **columns):
    return {"sequence": list(texts), "labels": [0, 1] * (len(texts) // 2), **columns}


def as_ids(tokenizer, texts):
    return {"input_ids": tokenizer(list(texts))["input_ids"], "labels": [0, 1] * (len(texts) // 2)}


def found(path, tokenizer, *, known=True, options=AS_THEY_ARE):
    dataset = open_dataset(path, TASK, lambda: tokenizer, tokenizer.pad_token_id, options)
    return [str(problem) for problem in overlap_problems(dataset, tokenizer if known else None)]


def test_splits_without_common_rows_are_not_warned_of(write_dataset, tokenizer, texts):
    splits = {"train": labelled(texts[:20]), "validation": labelled(texts[20:])}
    assert found(write_dataset(**splits), tokenizer) == []


def test_rows_of_two_splits_are_counted_and_the_first_is_named(write_dataset, tokenizer, texts):
    splits = {"train": labelled(texts[:20]), "validation": labelled(texts[18:22]), "test": labelled(texts[21:25])}
    assert found(write_dataset(**splits), tokenizer) == [
        f"dataset: 2 of 4 validation rows are also in train, first row 0 of validation, row 18 of train; {OVERSTATES}",
        f"dataset: 1 of 4 test rows are also in validation, first row 0 of test, row 3 of validation; {CHOOSES}",
    ]


@pytest.mark.parametrize("kind", ["sequences", "token ids"])
def test_reverse_complements_are_the_same_sequences(write_dataset, tokenizer, texts, kind):
    write = labelled if kind == "sequences" else lambda rows: as_ids(tokenizer, rows)
    validation = [*texts[:2], *reverse_complements(texts[2:6]), *texts[20:24]]
    path = write_dataset(train=write(texts[:20]), validation=write(validation))
    (warning,) = found(path, tokenizer)
    assert "6 of 10 validation rows are also in train (4 of them as reverse complements), " in warning
    if kind == "token ids":
        assert "2 of 10 validation rows are also in train, first row 0" in found(path, tokenizer, known=False)[0]


def test_overlapping_words_are_read_as_letters(write_dataset, texts):
    tokenizer = tokenizers.kmers(4)
    kmers = [" ".join(text[i : i + 4] for i in range(len(text) - 3)) for text in texts]
    turned = [" ".join(text[i : i + 4] for i in range(len(text) - 3)) for text in reverse_complements(texts)]
    path = write_dataset(train=as_ids(tokenizer, kmers), validation=as_ids(tokenizer, turned[:10]))
    assert "10 of 10 validation rows are also in train (10 of them as reverse" in found(path, tokenizer)[0]


def test_letter_case_and_u_make_no_other_sequence(write_dataset, tokenizer, texts):
    validation = [texts[0].lower(), texts[1].replace("T", "U"), *texts[20:22]]
    path = write_dataset(train=labelled(texts[:20]), validation=labelled(validation))
    (warning,) = found(path, tokenizer, options=SequenceOptions(uppercase=True, rna_to_dna=True))
    assert "2 of 4 validation rows are also in train" in warning


def test_pairs_are_the_same_if_both_sequences_are(write_dataset, tokenizer, texts):
    partners = texts[::-1]
    train = labelled(texts[:20], sequence2=partners[:20])
    validation = labelled(texts[:4], sequence2=[*partners[:2], *partners[10:12]])
    (warning,) = found(write_dataset(train=train, validation=validation), tokenizer)
    assert "2 of 4 validation rows are also in train" in warning


@pytest.mark.parametrize(
    ("task", "labels", "classes", "warnings"),
    [
        ("binary_classification", [0, 1] * 20, (20, 20), []),
        (
            "binary_classification",
            [0] * 37 + [1] * 3,
            (37, 3),
            ["fewer than 20 rows of class 1: 3"],
        ),
        (
            "multiclass_classification",
            [0] * 20 + [1] * 12 + [2] * 8,
            (20, 12, 8),
            ["fewer than 20 rows of class 2: 8; class 1: 12"],
        ),
        ("multilabel_classification", [[1, 0]] * 38 + [[1, 1]] * 2, (40, 2), ["fewer than 20 rows of class 1: 2"]),
        ("regression", [0.5] * 40, (), []),
    ],
)
def test_classes_with_few_rows_are_counted_and_warned_of(write_dataset, tokenizer, task, labels, classes, warnings):
    rng = np.random.default_rng(0)
    texts = ["".join(rng.choice(list("ACGT"), 12)) for _ in range(80)]
    rows = {"sequence": texts[:40], "labels": labels}
    path = write_dataset(train=rows, validation=rows)
    dataset = open_dataset(path, get_task(task), lambda: tokenizer, tokenizer.pad_token_id)
    assert dataset.classes == {"train": classes, "validation": classes}
    assert dataset.summary.get("classes", {}) == ({"train": classes, "validation": classes} if classes else {})
    messages = [problem.message for problem in few_rows_problems(dataset)]
    assert messages == [
        f"{split} has {warning}; {consequence}; add rows, or merge classes"
        for warning in warnings
        for split, consequence in (
            ("train", "a model learns little about them"),
            ("validation", "its metrics are mostly chance"),
        )
    ]
