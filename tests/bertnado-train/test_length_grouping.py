"""Grouping rows by length: the padding it saves, and when it makes batches with similar labels."""

import numpy as np
import pytest
from bertnado_train.encoded_split import EncodedSplit
from bertnado_train.length_grouping import measure_grouping

RNG = np.random.default_rng(0)
ROWS = 2000


def split_of(lengths, labels):
    starts = np.concatenate([[0], np.cumsum(lengths)])
    ones = np.ones(starts[-1])
    return EncodedSplit(ones.astype(np.int32), ones.astype(np.uint8), starts, np.asarray(labels))


LENGTHS = RNG.integers(50, 251, ROWS)
IS_LONG = LENGTHS > 150
LABELS = {
    "binary": (IS_LONG.astype(np.float32), RNG.integers(0, 2, ROWS).astype(np.float32)),
    "multiclass": (LENGTHS // 80, RNG.integers(0, 4, ROWS)),
    "multilabel": (
        np.stack([IS_LONG, ~IS_LONG], 1).astype(np.float32),
        RNG.integers(0, 2, (ROWS, 2)).astype(np.float32),
    ),
    "regression": (LENGTHS.astype(np.float32), RNG.normal(size=ROWS).astype(np.float32)),
}


@pytest.mark.parametrize("task", sorted(LABELS))
def test_labels_that_go_with_length_are_told_from_those_that_do_not(task):
    going_with_it, unrelated = (measure_grouping(split_of(LENGTHS, labels), 16) for labels in LABELS[task])
    assert going_with_it.is_biased
    assert going_with_it.label_share > 0.8
    assert not unrelated.is_biased


def test_what_is_saved_is_the_padding_between_short_and_long_rows():
    unrelated = LABELS["binary"][1]
    assert measure_grouping(split_of(np.full(ROWS, 100), unrelated), 16).saved == 0
    assert measure_grouping(split_of(LENGTHS, unrelated), 1).saved == 0
    widest, mean = 250 - 200 / 17, 150
    assert measure_grouping(split_of(LENGTHS, unrelated), 16).saved == pytest.approx(1 - mean / widest, abs=0.05)


@pytest.mark.parametrize("rows", [1, 2, 17])
def test_a_few_rows_do_no_harm(rows):
    grouping = measure_grouping(split_of(LENGTHS[:rows], np.zeros(rows, dtype=np.float32)), 16)
    assert (grouping.label_share, grouping.is_biased) == (0.0, False)
