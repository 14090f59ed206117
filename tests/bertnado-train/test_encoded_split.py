"""Rows without padding, and batches cut to their longest row."""

import numpy as np
import pytest
import torch
from bertnado_train.batch_format import BatchFormat
from bertnado_train.encoded_split import EncodedSplit
from hypothesis import given
from hypothesis import strategies as st


@given(st.lists(st.tuples(st.integers(1, 6), st.integers(0, 4)), min_size=1, max_size=8), st.randoms())
def test_padding_at_the_end_is_dropped_and_nothing_else(rows, random):
    real = [[random.randrange(1, 99) for _ in range(length)] for length, _ in rows]
    padding = [padding for _, padding in rows]
    split = EncodedSplit.from_padded(
        tokens=np.array([t for r, p in zip(real, padding, strict=True) for t in r + [0] * p], dtype=np.int32),
        mask=np.array([m for r, p in zip(real, padding, strict=True) for m in [1] * len(r) + [0] * p], dtype=np.uint8),
        lengths=np.array([len(r) + p for r, p in zip(real, padding, strict=True)], dtype=np.int64),
        labels=np.zeros(len(rows), dtype=np.float32),
    )
    assert [split[index]["input_ids"].tolist() for index in range(len(split))] == real
    assert split.lengths.tolist() == [len(r) for r in real]


def test_a_masked_token_between_real_ones_stays_masked():
    split = EncodedSplit.from_padded(
        tokens=np.array([5, 6, 7, 0], dtype=np.int32),
        mask=np.array([1, 0, 1, 0], dtype=np.uint8),
        lengths=np.array([4], dtype=np.int64),
        labels=np.zeros(1, dtype=np.float32),
    )
    assert split[0]["input_ids"].tolist() == [5, 6, 7]
    assert split[0]["attention_mask"].tolist() == [1, 0, 1]


def test_a_batch_is_as_wide_as_its_longest_row():
    split = EncodedSplit.from_padded(
        tokens=np.array([5, 6, 7, 8, 9, 9], dtype=np.int32),
        mask=np.array([1, 1, 1, 1, 0, 0], dtype=np.uint8),
        lengths=np.array([3, 3], dtype=np.int64),
        labels=np.array([0, 1], dtype=np.float32),
    )
    batch = BatchFormat(pad_token_id=3)(split.__getitems__([1, 0]))
    assert batch["input_ids"].tolist() == [[8, 3, 3], [5, 6, 7]]
    assert batch["attention_mask"].tolist() == [[1, 0, 0], [1, 1, 1]]
    assert batch["labels"].tolist() == [1.0, 0.0]
    assert batch["input_ids"].dtype == torch.int64


SPLIT = EncodedSplit(
    tokens=np.arange(1, 15, dtype=np.int32),
    mask=np.ones(14, dtype=np.uint8),
    starts=np.array([0, 5, 7, 14]),
    labels=np.array([0, 1, 2]),
)


@given(st.lists(st.integers(0, 2), min_size=1, max_size=6))
def test_rows_are_picked_in_any_order(indices):
    picked = SPLIT.__getitems__(indices)
    assert [picked[place]["input_ids"].tolist() for place in range(len(picked))] == [
        SPLIT[index]["input_ids"].tolist() for index in indices
    ]
    assert picked.labels.tolist() == indices


@pytest.mark.parametrize(("multiple", "limit", "width"), [(1, None, 7), (8, None, 8), (8, 512, 8), (8, 7, 7)])
def test_a_width_is_rounded_up_as_far_as_the_model_has_positions(multiple, limit, width):
    batch = BatchFormat(preferred_multiple=multiple, limit=limit)(SPLIT)
    assert batch["input_ids"].shape == (3, width)


def test_rows_go_longest_first_and_equal_ones_in_their_order():
    lengths = [2, 3, 2, 3]
    starts = np.concatenate([[0], np.cumsum(lengths)])
    split = EncodedSplit(np.ones(10, np.int32), np.ones(10, np.uint8), starts, np.zeros(4))
    assert split.longest_first.tolist() == [1, 3, 0, 2]


TYPED = EncodedSplit.from_padded(
    tokens=np.array([2, 5, 3, 6, 3, 0, 2, 7, 3, 0, 0, 0], dtype=np.int32),
    mask=np.array([1, 1, 1, 1, 1, 0, 1, 1, 1, 0, 0, 0], dtype=np.uint8),
    lengths=np.array([6, 6]),
    labels=np.array([0, 1]),
    types=np.array([0, 0, 0, 1, 1, 0, 0, 0, 0, 0, 0, 0], dtype=np.uint8),
)


def test_token_types_go_with_their_rows_and_are_padded_with_0():
    assert TYPED[0]["token_type_ids"].tolist() == [0, 0, 0, 1, 1]
    batch = BatchFormat(pad_token_id=9, inputs=("attention_mask", "token_type_ids"))(TYPED.__getitems__([1, 0]))
    assert batch["token_type_ids"].tolist() == [[0] * 5, [0, 0, 0, 1, 1]]
    assert batch["token_type_ids"].dtype == torch.int64


def test_a_batch_of_rows_without_types_has_none():
    assert set(BatchFormat(pad_token_id=0)(SPLIT)) == {"input_ids", "attention_mask", "labels"}
    assert set(SPLIT[0]) == {"input_ids", "attention_mask", "labels"}


def test_rows_are_cut_at_their_end_and_keep_a_closing_token():
    cut = TYPED.shortened(4, closing=[3])
    assert [cut[row]["input_ids"].tolist() for row in range(2)] == [[2, 5, 3, 3], [2, 7, 3]]
    assert cut[0]["token_type_ids"].tolist() == [0, 0, 0, 1]
    assert cut.labels.tolist() == [0, 1]
    assert TYPED.shortened(4)[0]["input_ids"].tolist() == [2, 5, 3, 6]
    assert TYPED.shortened(2, closing=[3]).lengths.tolist() == [2, 2]


def test_two_splits_are_joined_row_by_row():
    joined = SPLIT.joined(TYPED)
    rows = [*(SPLIT[row] for row in range(len(SPLIT))), *(TYPED[row] for row in range(len(TYPED)))]
    assert [row["input_ids"].tolist() for row in joined] == [row["input_ids"].tolist() for row in rows]
    assert [row["attention_mask"].tolist() for row in joined] == [row["attention_mask"].tolist() for row in rows]
    assert joined.labels.tolist() == [*SPLIT.labels.tolist(), *TYPED.labels.tolist()]
    assert joined.stored_lengths.tolist() == [*SPLIT.stored_lengths.tolist(), *TYPED.stored_lengths.tolist()]
    assert not joined[0]["token_type_ids"].any()
    assert joined[len(SPLIT)]["token_type_ids"].tolist() == [0, 0, 0, 1, 1]
    assert TYPED.joined(TYPED)[3]["token_type_ids"].tolist() == TYPED[1]["token_type_ids"].tolist()
