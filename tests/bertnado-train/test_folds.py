"""Folds by a column of the dataset: each group is validated on once, by a model that is trained on all others."""

import datasets
import numpy as np
import pytest
from bertnado_config import FoldingSession, FoldingTrainer, InvalidInputError
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer
from bertnado_train.folds import fold_setup
from bertnado_train.label_scaling import LabelScale
from bertnado_train.row_groups import read_groups
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import SilentReport
from bertnado_train.trial_strands import with_strands

AUC, R2 = Objective("eval/roc_auc", "maximize"), Objective("eval/r2", "maximize")
TRAIN, VALIDATION, TEST = 60, 30, 20
NAMES = ["chr10", "chr2", "chr1", "chrX"]


def columns(sequences, rows, **others):
    """Rows in which the group, the label and the length are independent of one another."""
    texts = [text[: 60 + 7 * (number % 9)] for number, text in enumerate(sequences["train"][0][:rows])]
    numbers = range(rows)
    plain = {"labels": [number % 5 % 2 for number in numbers], "chromosome": [NAMES[n % 4] for n in numbers]}
    return {"sequence": texts} | plain | others


@pytest.fixture
def write(write_dataset, sequences):
    """Write a dataset with a column `chromosome`; `others` replaces or adds columns, made from the number of rows."""

    def write(files=None, **others):
        splits = {
            name: columns(sequences, rows, **{column: make(rows) for column, make in others.items()})
            for name, rows in {"train": TRAIN, "validation": VALIDATION, "test": TEST}.items()
        }
        return write_dataset(files, **splits)

    return write


def problems_of(directory, column):
    with pytest.raises(InvalidInputError) as caught:
        read_groups(directory, column)
    return [str(problem) for problem in caught.value.problems]


def trainer_of(model_dir, directory, **inputs):
    return HuggingFaceTrainer(model_name=str(model_dir), dataset=directory, **inputs)


# the groups


def test_the_groups_are_in_their_natural_order_and_those_of_both_splits(write):
    found = read_groups(write(), "chromosome")
    assert found.names == ("chr1", "chr2", "chr10", "chrX")
    assert [found.names[number] for number in found.numbers["validation"][:4]] == NAMES
    assert {name: len(numbers) for name, numbers in found.numbers.items()} == {"train": 60, "validation": 30}


def test_groups_may_be_numbers_and_classes(write_dataset, sequences):
    made = columns(sequences, 24, fold=[0, 1, 10] * 8, part=[1.0, 2.0] * 12, half=[True, False] * 12)
    directory = write_dataset(train=made, validation=made)
    assert read_groups(directory, "fold").names == ("0", "1", "10")
    assert read_groups(directory, "part").names == ("1", "2")
    assert read_groups(directory, "half").names == ("False", "True")


def test_a_class_label_is_shown_by_its_names(tmp_path, sequences):
    features = datasets.Features(
        {
            "sequence": datasets.Value("string"),
            "labels": datasets.Value("int64"),
            "chromosome": datasets.ClassLabel(names=["chrB", "chrA"]),
        }
    )
    rows = columns(sequences, 8, chromosome=[0, 1] * 4)
    split = datasets.Dataset.from_dict(rows, features=features)
    datasets.DatasetDict(train=split, validation=split).save_to_disk(str(tmp_path / "d"))
    found = read_groups(tmp_path / "d", "chromosome")
    assert (found.names, found.numbers["train"].tolist()[:2]) == (("chrA", "chrB"), [1, 0])


def test_a_column_that_is_missing_is_named_with_the_nearest(write):
    assert problems_of(write(strand=lambda rows: ["+"] * rows), "chromosom") == [
        "the dataset has no column 'chromosom' for folds; did you mean 'chromosome'? (chromosome, strand)"
    ]


def test_a_dataset_without_other_columns_needs_one(dataset_dir):
    assert problems_of(dataset_dir, "chromosome") == [
        (
            "the dataset has no column 'chromosome' for folds, nor another that could be meant; add it, such as the "
            "chromosome of each row"
        )
    ]


def test_a_column_of_one_split_alone_is_refused(write_dataset, sequences):
    made = columns(sequences, 8)
    without = {name: values for name, values in made.items() if name != "chromosome"}
    assert problems_of(write_dataset(train=made, validation=without), "chromosome") == [
        "the column 'chromosome' for folds is in train, not in validation; add it there"
    ]


@pytest.mark.parametrize("missing", [None, "", float("nan")])
def test_missing_values_are_counted(write, missing):
    kind = float if isinstance(missing, float) else str
    directory = write(fold=lambda rows: [kind(row % 3) if row % 10 else missing for row in range(rows)])
    assert problems_of(directory, "fold") == [
        f"{count} of {rows} {name} rows have no value in the column 'fold' for folds, first row 0; fill them in, or "
        "drop these rows"
        for name, count, rows in (("train", 6, 60), ("validation", 3, 30))
    ]


def test_a_single_group_is_refused(write):
    assert problems_of(write(species=lambda rows: ["human"] * rows), "species") == [
        "the column 'species' for folds must have at least 2 groups, got only 'human'; choose another column"
    ]


def test_more_than_a_hundred_groups_are_refused_with_a_better_column(write_dataset, sequences):
    made = columns(sequences, 80)
    train, validation = made | {"start": list(range(80))}, made | {"start": list(range(80, 160))}
    assert problems_of(write_dataset(train=train, validation=validation), "start") == [
        "the column 'start' for folds must have at most 100 groups, got 160 in 160 rows; choose 'chromosome' (4 groups)"
    ]


def test_lists_are_no_groups(write):
    assert problems_of(write(exons=lambda rows: [[1, 2]] * rows), "exons") == [
        (
            "the column 'exons' for folds must hold text or whole numbers, got list<item: int64> in train; choose "
            "another column"
        )
    ]


# the rows of a fold


@pytest.fixture
def setup_of(model_dir, write):
    """The setup of the whole dataset."""

    def open_setup(files=None, task="binary_classification", **others):
        return open_training_setup(trainer_of(model_dir, write(files, **others), task_type=task))

    return open_setup


def rows_of(split):
    return [
        (row["input_ids"].tolist(), np.asarray(row["labels"]).tolist())
        for row in map(split.__getitem__, range(len(split)))
    ]


def test_a_fold_has_the_rows_of_its_group_and_trains_on_all_others(setup_of):
    setup = setup_of()
    groups = read_groups(setup.dataset.path, "chromosome")
    both = [*rows_of(setup.train), *rows_of(setup.validation)]
    names = [NAMES[row % 4] for row in [*range(TRAIN), *range(VALIDATION)]]
    for group in groups.names:
        fold = fold_setup(setup, groups, group)
        assert set(fold.dataset.splits) == {"train", "validation"}, "the test split takes no part"
        assert rows_of(fold.validation) == [row for row, name in zip(both, names, strict=True) if name == group]
        assert rows_of(fold.train) == [row for row, name in zip(both, names, strict=True) if name != group]
        counts = [fold.train.labels.tolist().count(label) for label in (0, 1)]
        assert list(fold.dataset.classes["train"]) == counts
        assert fold.dataset.summary["fold"] == {"column": "chromosome", "group": group}
        assert fold.dataset.summary["rows"] == {"train": len(fold.train), "validation": len(fold.validation)}


def test_each_fold_has_a_fingerprint_of_its_own_that_follows_from_its_rows(setup_of):
    setup = setup_of(other=lambda rows: [NAMES[row % 4].upper() for row in range(rows)])
    groups, other = (read_groups(setup.dataset.path, column) for column in ("chromosome", "other"))
    found = [fold_setup(setup, groups, name).dataset.fingerprint for name in groups.names]
    assert len({setup.dataset.fingerprint, *found}) == 5
    assert fold_setup(setup, other, "CHR1").dataset.fingerprint == found[0]


def test_class_weights_of_row_counts_are_those_of_the_folds_training_rows(setup_of):
    setup = setup_of({"class_weights.json": {"0": 54, "1": 36}})
    fold = fold_setup(setup, read_groups(setup.dataset.path, "chromosome"), "chr1")
    labels = fold.train.labels
    assert fold.dataset.class_weights == pytest.approx(((labels == 0).sum() / (labels == 1).sum(),))
    assert fold.dataset.class_weights != setup.dataset.class_weights


def test_class_weights_that_somebody_has_chosen_stay(setup_of):
    setup = setup_of({"class_weights.json": {"weights": {"0": 1.0, "1": 7.0}}})
    fold = fold_setup(setup, read_groups(setup.dataset.path, "chromosome"), "chr1")
    assert fold.dataset.class_weights == setup.dataset.class_weights == (7.0,)


def test_the_scale_of_labels_is_that_of_the_folds_training_rows(setup_of):
    setup = setup_of(task="regression", labels=lambda rows: [float(row + 100 * (row % 4 == 2)) for row in range(rows)])
    fold = fold_setup(setup, read_groups(setup.dataset.path, "chromosome"), "chr1")
    expected = LabelScale.of(fold.train.labels, setup.label_scale.layer)
    assert fold.label_scale.to_record() == expected.to_record() != setup.label_scale.to_record()
    assert fold.train.labels.max() < 100 < fold.validation.labels.min()


def test_a_fold_is_trained_and_validated_on_by_its_session(model_dir, write, tmp_path):
    trainer = trainer_of(model_dir, write({"class_weights.json": {"0": 54, "1": 36}}))
    session = trainer.open()
    assert isinstance(trainer, FoldingTrainer)
    assert isinstance(session, FoldingSession)
    fold = session.of_fold("chromosome", "chr10")
    assert fold.setup.model is session.setup.model, "it is read once"
    parameters = {
        "epochs": 2,
        "eval_steps": 0.5,
        "per_device_train_batch_size": 8,
        "train_sampling_strategy": "group_by_length",
    }
    result = fold.run(parameters, SilentReport(tmp_path, AUC))
    steps = 2 * -(-len(fold.setup.train) // 8)
    assert [row["step"] for row in result.history] == [steps // 2, steps]
    assert result.details["dataset"] == fold.setup.dataset.summary
    assert result.details["class_weights"] == fold.setup.dataset.class_weights
    assert result.details["dataset"]["fingerprint"] != trainer.dataset_fingerprint


# what is wrong with folds


def warnings_and_errors(trainer, column, objective=AUC):
    found = trainer.check_folds(column, objective)
    return [[str(problem) for problem in found if problem.severity == severity] for severity in ("warning", "error")]


def test_a_group_of_one_class_alone_is_an_error_where_the_metric_needs_both(model_dir, write):
    labels = lambda rows: [0 if row % 4 == 3 else row % 5 % 2 for row in range(rows)]  # noqa: E731
    trainer = trainer_of(model_dir, write(labels=labels))
    warnings, errors = warnings_and_errors(trainer, "chromosome")
    assert errors == [
        (
            "eval/roc_auc is undefined for 1 of the 4 groups of folds chromosome: chrX (22 rows, all 0); merge small "
            "groups in another column, or choose another column, or another metric"
        )
    ]
    assert warnings_and_errors(trainer, "chromosome", Objective("eval/accuracy", "maximize"))[1] == []
    assert warnings[0].startswith(
        "4 of the 4 groups of folds chromosome have fewer than 20 rows of a class: chr1 (class"
    )
    assert "chrX (class 1: 0)" in warnings[0]


def test_a_column_that_is_the_label_leaves_nothing_to_learn(model_dir, write):
    trainer = trainer_of(model_dir, write(copy=lambda rows: [row % 5 % 2 for row in range(rows)]))
    _, errors = warnings_and_errors(trainer, "copy")
    assert errors[0] == (
        "folds copy leaves training rows with a single label, from which nothing can be learnt, without 0 (all 1); 1 "
        "(all 0); merge small groups in another column, or choose another column"
    )


def test_a_class_of_a_single_group_cannot_be_learnt_when_it_is_validated_on(model_dir, write):
    labels = lambda rows: [2 if row % 8 == 3 else row % 5 % 2 for row in range(rows)]  # noqa: E731
    trainer = trainer_of(model_dir, write(labels=labels), task_type="multiclass_classification")
    warnings, errors = warnings_and_errors(trainer, "chromosome", Objective("eval/f1", "maximize"))
    assert errors == []
    assert warnings[0] == (
        "classes of folds chromosome that a single group has are in no training row when it is validated on: chrX "
        "(class 2); merge small groups in another column, or choose another column"
    )


def test_a_regression_is_checked_as_well(model_dir, write):
    columns = {
        "labels": lambda rows: [float(row) for row in range(rows)],
        "one": lambda rows: ["a", *["b"] * (rows - 1)],
    }
    trainer = trainer_of(model_dir, write(**columns), task_type="regression")
    assert warnings_and_errors(trainer, "chromosome", R2) == [[], []]


def test_the_reverse_complements_of_a_fold_are_those_of_its_rows(setup_of):
    setup = setup_of()
    group = read_groups(setup.dataset.path, "chromosome")
    fold = with_strands(fold_setup(setup, group, "chr2"), {"reverse_complement": "average"})
    whole = with_strands(setup, {"reverse_complement": "average"})
    pairs = {}
    for name in ("train", "validation"):
        split = whole.dataset.splits[name]
        for (forward, label), (reverse, _) in zip(rows_of(split.forward), rows_of(split.reverse), strict=True):
            pairs.setdefault((*forward, label), []).append(reverse)
    for name in ("train", "validation"):
        split = fold.dataset.splits[name]
        for (forward, label), (reverse, _) in zip(rows_of(split.forward), rows_of(split.reverse), strict=True):
            assert reverse in pairs[(*forward, label)]
