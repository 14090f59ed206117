"""Datasets on disk: how they are read, and the messages for those that cannot be used."""

import datasets
import numpy as np
import pytest
from bertnado_config import InvalidInputError, Problem
from bertnado_metrics import get_task
from bertnado_train.prepared_dataset import open_dataset
from bertnado_train.pretrained import load_tokenizer

BINARY = get_task("binary_classification")
GOOD = {"input_ids": [[5, 6], [7, 8, 9]], "attention_mask": [[1, 1], [1, 1, 1]], "labels": [0, 1]}


def no_tokenizer():
    raise InvalidInputError([Problem("model_name", "the model has none, and token ids need none")])


def read(path, task=BINARY, pad_token_id=0):
    return open_dataset(path, task, no_tokenizer, pad_token_id)


def test_rows_are_read_without_their_padding(write_dataset):
    padded = GOOD | {"input_ids": [[5, 6, 0, 0], [7, 8, 9, 0]], "attention_mask": [[1, 1, 0, 0], [1, 1, 1, 0]]}
    opened = read(write_dataset(train=padded, validation=GOOD))
    for split in opened.splits.values():
        assert [split[index]["input_ids"].tolist() for index in range(2)] == [[5, 6], [7, 8, 9]]
        assert [float(split[index]["labels"]) for index in range(2)] == [0.0, 1.0]


def test_without_a_mask_trailing_pad_tokens_are_padding(write_dataset):
    columns = {"input_ids": [[5, 0, 6, 0], [7, 8, 9, 3]], "labels": [0, 1]}
    split = read(write_dataset(train=columns, validation=columns)).splits["train"]
    assert split.lengths.tolist() == [3, 4]


def test_sequences_are_tokenised_with_the_models_tokenizer_and_only_once(dataset_dir, model_dir, sequences):
    tokenizer = load_tokenizer(str(model_dir), trust_remote_code=False)
    opened = open_dataset(dataset_dir, BINARY, lambda: tokenizer, tokenizer.pad_token_id)
    first = sequences["train"][0][0]
    assert opened.splits["train"][0]["input_ids"].tolist() == tokenizer(first)["input_ids"]

    def written():
        return {file: file.stat().st_mtime_ns for file in datasets.config.HF_DATASETS_CACHE.rglob("rows/*/*")}

    before = written()
    again = open_dataset(dataset_dir, BINARY, lambda: tokenizer, tokenizer.pad_token_id)
    assert again.fingerprint == opened.fingerprint
    assert written() == before


def test_the_fingerprint_tells_datasets_apart_and_not_where_they_lie(write_dataset, tmp_path):
    one = write_dataset(train=GOOD, validation=GOOD)
    moved = one.rename(tmp_path / "moved")
    fingerprint = read(moved).fingerprint
    assert read(write_dataset(train=GOOD, validation=GOOD)).fingerprint == fingerprint
    other = GOOD | {"labels": [1, 0]}
    assert read(write_dataset(train=GOOD, validation=other)).fingerprint != fingerprint


def test_class_weights_of_a_binary_task_weigh_the_positive_class(write_dataset):
    path = write_dataset({"class_weights.json": {"0": 30, "1": 10}}, train=GOOD, validation=GOOD)
    assert read(path).class_weights == (3.0,)


def test_class_weights_may_lie_next_to_the_datasets_directory(write_dataset):
    path = write_dataset(train=GOOD, validation=GOOD)
    (path.parent / "class_weights.json").write_text('{"0": 20, "1": 10}')
    assert read(path).class_weights == (2.0,)


def test_a_multiclass_task_takes_one_weight_a_class_and_names(write_dataset):
    columns = GOOD | {"input_ids": [[1], [2], [3]], "attention_mask": [[1], [1], [1]], "labels": [0, 1, 2]}
    files = {
        "class_weights.json": {"weights": {"0": 1, "1": 2.5, "2": 1}},
        "label2id.json": {"tss": 0, "enhancer": 1, "other": 2},
    }
    opened = read(write_dataset(files, train=columns, validation=columns), get_task("multiclass_classification"))
    assert opened.class_weights == (1.0, 2.5, 1.0)
    assert opened.label2id == {"tss": 0, "enhancer": 1, "other": 2}
    assert opened.logits == 3


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"labels": None}, "train: must have a column 'labels', got ['input_ids', 'attention_mask']; add one"),
        (
            {"labels": None, "label": [0, 1]},
            "rename 'label' with rename_column('label', 'labels')",
        ),
        ({"input_ids": None}, "train: must have a column 'input_ids' or 'sequence', got"),
        ({"input_ids": None, "seq": ["AC", "GT"]}, "rename 'seq' with rename_column('seq', 'sequence')"),
        ({"input_ids": None, "sequence": ["AC", " "]}, "train: 1 of 2 sequences are empty, first in row 1; drop"),
        ({"input_ids": None, "sequence": [1, 2]}, "train: the column 'sequence' must contain strings, got int64"),
        ({"input_ids": ["5 6", "7"]}, "the column 'input_ids' must contain lists of integers, got '5 6' in row 0"),
        (
            {"input_ids": [[1.5, 2], [3]]},
            "column 'input_ids' must contain lists of integers, got [1.5, 2.0] in row 0",
        ),
        ({"input_ids": [[1, None], [3]]}, "train: 1 of 3 numbers in the column 'input_ids' are missing"),
        ({"input_ids": [[1, -2], [3, 4, 5]]}, "train: token ids must be at least 0, got -2"),
        (
            {"attention_mask": [[-1, 1], [1]]},
            "'attention_mask' must contain lists of 0 and 1, got [-1, 1] in row 0",
        ),
        ({"labels": [0, None]}, "train: 1 of 2 rows have no value in the column 'labels'; drop them"),
        ({"labels": [0, 2]}, "train: "),
        ({"labels": ["promoter", "other"]}, "train: "),
        ({"attention_mask": [[1, 1], [0, 0, 0]]}, "train: 1 of 2 rows have no tokens, first row 1; drop them"),
        ({"attention_mask": [[1], [1, 1]]}, "train: the columns 'input_ids' and 'attention_mask' differ in length"),
    ],
)
def test_what_is_wrong_with_the_rows_is_reported_with_what_to_do(write_dataset, columns, message):
    train = {name: values for name, values in (GOOD | columns).items() if values is not None}
    with pytest.raises(InvalidInputError) as caught:
        read(write_dataset(train=train, validation=GOOD))
    assert message in str(caught.value)


def test_a_path_that_does_not_exist_is_refused_with_the_nearest_one(write_dataset):
    path = write_dataset(train=GOOD, validation=GOOD)
    with pytest.raises(InvalidInputError, match=r"does not exist; did you mean '.*dataset'"):
        read(path.with_name("datasett"))


def test_a_split_alone_and_a_directory_without_a_dataset_are_refused(tmp_path):
    datasets.Dataset.from_dict(GOOD).save_to_disk(str(tmp_path / "single"))
    with pytest.raises(InvalidInputError, match="must be a DatasetDict on disk, but contains a single split"):
        read(tmp_path / "single")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidInputError, match="must be a DatasetDict on disk, but contains no dataset"):
        read(tmp_path / "empty")


def test_a_damaged_dataset_is_refused(write_dataset):
    path = write_dataset(train=GOOD, validation=GOOD)
    next((path / "train").glob("*.arrow")).write_bytes(b"no arrow file")
    with pytest.raises(InvalidInputError, match=r"cannot be read: .*; prepare the dataset again"):
        read(path)


def test_a_missing_validation_split_is_refused_with_the_one_to_rename(write_dataset):
    with pytest.raises(InvalidInputError, match=r"the dataset must have the split 'validation', got .*; rename 'val'"):
        read(write_dataset(train=GOOD, val=GOOD))
    with pytest.raises(InvalidInputError, match="split off some rows"):
        read(write_dataset(train=GOOD))


def test_an_empty_split_is_refused_by_its_name(write_dataset):
    nothing = {name: [] for name in GOOD}
    with pytest.raises(InvalidInputError, match=r"^dataset: the 'validation' split is empty; split off some rows"):
        read(write_dataset(train=GOOD, validation=nothing))
    with pytest.raises(InvalidInputError, match=r"^dataset: the 'test' split is empty; remove it$"):
        read(write_dataset(train=GOOD, validation=GOOD, test=nothing))


def test_a_file_in_place_of_a_dataset_is_reported_as_such(tmp_path):
    (tmp_path / "peaks.csv").write_text("sequence,labels")
    with pytest.raises(InvalidInputError, match="must be a DatasetDict on disk, but is a file"):
        read(tmp_path / "peaks.csv")


def test_broken_files_beside_the_dataset_are_named_with_line_and_column(write_dataset):
    path = write_dataset(train=GOOD, validation=GOOD)
    (path / "label2id.json").write_text('{"a": 0 "b": 1}')
    with pytest.raises(InvalidInputError, match=r"label2id.json: line 1, column 9: expecting ',' delimiter$"):
        read(path)


def test_splits_with_another_number_of_labels_are_refused(write_dataset):
    three, two = GOOD | {"labels": [[0, 1, 1], [1, 0, 0]]}, GOOD | {"labels": [[0, 1], [1, 0]]}
    with pytest.raises(
        InvalidInputError, match=r"^dataset: validation: its rows have 2 labels, those of train 3; give all"
    ):
        read(write_dataset(train=three, validation=two), get_task("multilabel_classification"))


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("class_weights.json", {"0": 1}, "class_weights.json: "),
        ("class_weights.json", [1, 2], "class_weights.json: must be an object"),
        ("label2id.json", {"a": 0, "b": 5}, "label2id.json: must give a name to each number from 0 to 1"),
    ],
)
def test_files_beside_the_dataset_are_checked(write_dataset, file, content, message):
    with pytest.raises(InvalidInputError, match=message):
        read(write_dataset({file: content}, train=GOOD, validation=GOOD))


def test_a_multilabel_dataset_has_a_row_of_labels_each(write_dataset):
    columns = GOOD | {"labels": [[0, 1, 1], [1, 0, 0]]}
    opened = read(write_dataset(train=columns, validation=columns), get_task("multilabel_classification"))
    assert opened.logits == 3
    assert np.array_equal(opened.splits["train"].labels, [[0, 1, 1], [1, 0, 0]])
