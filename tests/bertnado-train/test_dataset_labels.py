"""Labels as people store them: numbers, booleans, text, lists of one, with names and with gaps."""

import datasets
import numpy as np
import pytest
from bertnado_config import InvalidInputError
from bertnado_metrics import get_task
from bertnado_train.class_coverage import coverage_problems
from bertnado_train.prepared_dataset import open_dataset
from datasets import ClassLabel, List, Value

BINARY, MULTICLASS = get_task("binary_classification"), get_task("multiclass_classification")
MULTILABEL, REGRESSION = get_task("multilabel_classification"), get_task("regression")
NAMES = ["enhancer", "promoter", "silencer"]


def shown(value):
    """The name of a task, and other values as they are."""
    return str(getattr(value, "name", value))


def no_tokenizer():
    raise InvalidInputError([])


@pytest.fixture
def opened(tmp_path):
    """Open a dataset with the given labels in `train`, in `validation`, and a type of both."""

    def open_(task, train, validation=None, feature=None, files=None):
        splits = {
            name: datasets.Dataset.from_dict({"input_ids": [[5, 6]] * len(labels), "labels": labels})
            for name, labels in {"train": train, "validation": train if validation is None else validation}.items()
        }
        features = feature if isinstance(feature, dict) else dict.fromkeys(splits, feature)
        for name, kind in features.items():
            splits[name] = splits[name] if kind is None else splits[name].cast_column("labels", kind)
        datasets.DatasetDict(splits).save_to_disk(str(tmp_path / "dataset"))
        for name, content in (files or {}).items():
            (tmp_path / "dataset" / name).write_text(content)
        return open_dataset(tmp_path / "dataset", task, no_tokenizer, 0)

    return open_


def problems_of(opened, *args, **kwargs):
    with pytest.raises(InvalidInputError) as caught:
        opened(*args, **kwargs)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("task", "labels", "numbers"),
    [
        (BINARY, [True, False, True], [1, 0, 1]),
        (BINARY, ["0", "1", "1"], [0, 1, 1]),
        (BINARY, ["True", "False", "true"], [1, 0, 1]),
        (BINARY, ["0.0", "1.0", " 1"], [0, 1, 1]),
        (BINARY, [[0], [1], [1]], [0, 1, 1]),
        (BINARY, [["0"], ["1"], ["1"]], [0, 1, 1]),
        (MULTICLASS, ["2", "0", "1"], [2, 0, 1]),
        (MULTICLASS, [[2.0], [0.0], [1.0]], [2, 0, 1]),
        (MULTILABEL, [["0", "1"], ["1", "1"]], [[0, 1], [1, 1]]),
        (MULTILABEL, [[True], [False]], [[1], [0]]),
        (REGRESSION, ["1.5", "-2", "1e-5"], [1.5, -2, 1e-5]),
        (REGRESSION, [[1.5], [2.5]], [[1.5], [2.5]]),
    ],
    ids=shown,
)
def test_labels_that_are_numbers_in_other_clothes_are_read(opened, task, labels, numbers):
    read = opened(task, labels).splits["train"].labels
    assert read.dtype == task.label_dtype
    assert np.array_equal(read, np.asarray(numbers, dtype=task.label_dtype))


@pytest.mark.parametrize(
    ("task", "labels", "message"),
    [
        (
            *(BINARY, ["promoter", "other"]),
            (
                "train: text in 2 of 2 labels (first: 'promoter' in row 0, counting from 0); map the names to "
                "0, 1, ..., n-1 and store the mapping in label2id.json, or in a ClassLabel column"
            ),
        ),
        (
            *(REGRESSION, ["1.5", "high"]),
            (
                "train: text in 1 of 2 labels (first: 'high' in row 1, counting from 0); convert the text to numbers; "
                "for class names use multiclass_classification"
            ),
        ),
        (
            *(BINARY, [[0], [1, 0]]),
            (
                "train: lists in 2 of 2 labels (first: [0] in row 0, counting from 0); each row needs one "
                "label, a number; for several labels per row use multilabel_classification"
            ),
        ),
    ],
    ids=shown,
)
def test_other_text_and_lists_are_refused_with_the_cure(opened, task, labels, message):
    assert problems_of(opened, task, labels, labels)[0] == f"dataset: {message}"


MANY = 1200
"""More rows than are stored in one piece."""


@pytest.mark.parametrize(
    ("task", "labels", "last", "message"),
    [
        (BINARY, [0, 1], 2, f"values other than 0 and 1 in 1 of {MANY} labels (first: 2 in row {MANY - 1}, counting"),
        (MULTICLASS, ["0", "1"], "b", f"text in 1 of {MANY} labels (first: 'b' in row {MANY - 1}, counting from 0)"),
        (REGRESSION, [0.5, 1.5], float("nan"), f"NaN in 1 of {MANY} labels (first: in row {MANY - 1}, counting from 0"),
        (MULTILABEL, [[0, 1], [1, 0]], [1], f"1 of {MANY} rows differ in length from the others (first: in row 1199"),
        (MULTILABEL, [[0, 1], [1, 0]], [1, None], f"None in 1 of {2 * MANY} labels (first: in row {MANY - 1}"),
    ],
    ids=shown,
)
def test_a_mistake_far_down_is_counted_among_all_rows(opened, task, labels, last, message):
    problem, *_ = problems_of(opened, task, [*(labels * (MANY // 2))[:-1], last])
    assert problem.startswith(f"dataset: train: {message}")


@pytest.mark.parametrize(
    ("task", "labels", "numbers"),
    [
        (BINARY, [["0"], ["1"]], [0, 1]),
        (MULTICLASS, ["3", "1"], [3, 1]),
        (MULTILABEL, [[True, False], [False, False]], [[1, 0], [0, 0]]),
        (REGRESSION, ["1e-5", "-2"], [1e-5, -2]),
    ],
    ids=shown,
)
def test_labels_of_many_rows_are_read_piece_by_piece(opened, task, labels, numbers):
    read = opened(task, labels * (MANY // 2)).splits["train"].labels
    assert np.array_equal(read, np.asarray(numbers * (MANY // 2), dtype=task.label_dtype))


def test_the_names_of_a_class_label_are_those_of_the_classes(opened):
    dataset = opened(MULTICLASS, [0, 1, 2], feature=ClassLabel(names=NAMES))
    assert dataset.label2id == {"enhancer": 0, "promoter": 1, "silencer": 2}


def test_words_become_numbers_when_their_column_becomes_a_class_label(opened):
    dataset = opened(BINARY, ["yes", "no"], feature=ClassLabel(names=["no", "yes"]))
    assert dataset.splits["train"].labels.tolist() == [1.0, 0.0]
    assert dataset.label2id == {"no": 0, "yes": 1}


def test_a_class_without_a_row_that_has_a_name_gets_a_logit(opened):
    assert opened(MULTICLASS, [0, 1], feature=ClassLabel(names=NAMES)).logits == 3
    files = {"label2id.json": '{"a": 0, "c": 2, "b": 1}'}
    assert opened(MULTICLASS, [0, 1], files=files).label2id == {"a": 0, "b": 1, "c": 2}


def test_names_that_are_the_numbers_are_none(opened):
    assert opened(MULTICLASS, [0, 1], feature=ClassLabel(num_classes=2)).label2id is None


@pytest.mark.parametrize(
    ("task", "feature", "label2id"),
    [
        (BINARY, ClassLabel(names=NAMES), {"enhancer": 0, "promoter": 1}),
        (BINARY, List(ClassLabel(names=["no", "yes"])), {"no": 0, "yes": 1}),
        (BINARY, {"train": ClassLabel(names=["no", "yes"])}, {"no": 0, "yes": 1}),
        (REGRESSION, ClassLabel(names=["low", "high"]), None),
        (MULTILABEL, List(ClassLabel(names=["no", "yes"])), None),
    ],
    ids=shown,
)
def test_names_are_taken_over_as_far_as_the_task_has_classes(opened, task, feature, label2id):
    labels = [[0, 1], [1, 0]] if task is MULTILABEL else [[0], [1]] if isinstance(feature, List) else [0, 1]
    assert opened(task, labels, feature=feature).label2id == label2id


def test_names_in_both_places_must_agree(opened):
    feature, same = ClassLabel(names=["no", "yes"]), '{"yes": 1, "no": 0}'
    assert opened(BINARY, [0, 1], feature=feature, files={"label2id.json": same}).label2id == {"no": 0, "yes": 1}
    assert problems_of(opened, BINARY, [0, 1], feature=feature, files={"label2id.json": '{"yes": 0, "no": 1}'}) == [
        (
            "dataset: class names must be the same everywhere, got ['yes', 'no'] in label2id.json, ['no', 'yes'] in "
            "the ClassLabel column; correct one of them, or remove the file"
        )
    ]


def test_splits_that_number_their_names_differently_are_refused(opened):
    feature = {"train": ClassLabel(names=["no", "yes"]), "validation": ClassLabel(names=["yes", "no"])}
    assert problems_of(opened, BINARY, [0, 1], feature=feature) == [
        (
            "dataset: the ClassLabel columns of all splits must have the same names, got ['no', 'yes'] in train, "
            "['yes', 'no'] in validation; cast the column of all splits to one ClassLabel before the names "
            "become numbers"
        )
    ]


def test_labels_beyond_the_names_are_refused(opened):
    features = {"train": ClassLabel(names=["no", "yes"]), "validation": Value("int64")}
    assert problems_of(opened, MULTICLASS, [0, 1], [0, 2], feature=features) == [
        "dataset: the ClassLabel column must name at least 3 classes, got ['no', 'yes']"
    ]


@pytest.mark.parametrize(
    ("task", "feature", "positive"),
    [
        (BINARY, None, {"label": 1, "name": None}),
        (BINARY, ClassLabel(names=["no", "yes"]), {"label": 1, "name": "yes"}),
        (MULTICLASS, ClassLabel(names=["no", "yes"]), None),
        (REGRESSION, None, None),
    ],
    ids=shown,
)
def test_the_positive_class_is_recorded_with_its_name(opened, task, feature, positive):
    assert opened(task, [0, 1], feature=feature).summary["positive_class"] == positive


SPLIT = "so a model cannot learn what it is evaluated on; split the dataset again, stratified by label"
NUMBER = "although the model gets an output for each from 0 on; number the classes that occur 0 to n-1 without gaps"


@pytest.mark.parametrize(
    ("task", "train", "validation", "messages"),
    [
        (MULTICLASS, [0, 1, 2], [0, 1, 2], []),
        (MULTICLASS, [0, 2], [0, 1, 1], [f"no training row belongs to class 1, 2 in validation, {SPLIT}"]),
        (MULTICLASS, [1, 2, 3], [1, 2], [f"no row of any split belongs to class 0, {NUMBER}"]),
        (
            *(MULTICLASS, [0, 9], [5]),
            [
                f"no training row belongs to class 5, 1 in validation, {SPLIT}",
                f"no row of any split belongs to class 1; class 2; class 3; class 4; class 6 and 2 more, {NUMBER}",
            ],
        ),
        (BINARY, [1, 1], [0, 1], []),
        (MULTILABEL, [[1, 0], [0, 0]], [[1, 1]], [f"no training row belongs to class 1, 1 in validation, {SPLIT}"]),
        (REGRESSION, [1, 2], [3, 4], []),
    ],
    ids=shown,
)
def test_classes_that_no_training_row_belongs_to_are_warned_of(opened, task, train, validation, messages):
    problems = coverage_problems(task, opened(task, train, validation))
    assert [str(problem) for problem in problems] == [f"dataset: {message}" for message in messages]
    assert {problem.severity for problem in problems} <= {"warning"}


def test_the_name_of_such_a_class_is_said(opened):
    dataset = opened(MULTICLASS, [0, 2], [0, 2], feature=ClassLabel(names=NAMES))
    (problem,) = coverage_problems(MULTICLASS, dataset)
    assert "no row of any split belongs to class 1 ('promoter'), " in str(problem)
