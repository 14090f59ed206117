"""The work of a trial, counted, and its seconds by a line through what was measured."""

import numpy as np
import pytest
from bertnado_metrics import Objective
from bertnado_train.dry_run.step_cost import MeasuredBatch, StepCost
from bertnado_train.dry_run.workload import RowLengths
from bertnado_train.training_arguments import make_training_arguments

LENGTHS = np.random.default_rng(0).integers(10, 200, 1000)


def arguments(rows=1000, **parameters):
    objective = Objective("eval/roc_auc", "maximize")
    return make_training_arguments(
        {"per_device_train_batch_size": 16, "epochs": 2, "eval_steps": 50, **parameters},
        output_dir="unused",
        objective=objective,
        rows=rows,
        longest=200,
        seed=1,
    )


def measured(*points):
    return [MeasuredBatch(8, tokens, seconds, 5) for tokens, seconds in points]


def test_steps_batches_and_evaluations_are_those_of_the_schedule():
    work = RowLengths(LENGTHS).workload(arguments())
    assert (work.steps, work.batches, work.evaluations) == (126, 126, 3)
    accumulated = RowLengths(LENGTHS).workload(arguments(gradient_accumulation_steps=4))
    assert (accumulated.steps, accumulated.batches) == (32, 126)


def test_twice_the_rows_are_twice_the_work():
    once = RowLengths(np.full(1600, 50)).workload(arguments(1600))
    twice = RowLengths(np.full(3200, 50)).workload(arguments(3200))
    assert (twice.steps, twice.tokens) == (2 * once.steps, 2 * once.tokens)


def test_tokens_are_those_of_real_batches_with_their_padding():
    lengths = RowLengths(LENGTHS)
    order = np.random.default_rng(7).permutation(1000)
    real = sum(LENGTHS[rows].max() * len(rows) for rows in np.array_split(order, range(16, 1000, 16)))
    assert lengths.workload(arguments(epochs=1)).tokens == pytest.approx(real, rel=0.02)
    grouped = lengths.workload(arguments(epochs=1, group_by_length=True)).tokens
    assert LENGTHS.sum() < grouped < 1.1 * LENGTHS.sum()


def test_many_rows_are_represented_by_some():
    some, many = RowLengths(LENGTHS), RowLengths(np.tile(LENGTHS, 100))
    assert many.workload(arguments(100_000)).tokens == pytest.approx(100 * some.workload(arguments()).tokens, rel=0.02)


def test_the_line_goes_through_what_was_measured():
    cost = StepCost.fitted(0.5, measured((100, 2.0), (300, 4.0)))
    assert (cost.batch, cost.token) == pytest.approx((1.0, 0.01))
    assert cost.seconds(steps=2, batches=4, tokens=1000) == pytest.approx(2 * 0.5 + 4 * 1.0 + 10.0)


@pytest.mark.parametrize("points", [[(100, 1.0)], [(100, 1.0), (100, 1.0)], [(100, 0.5), (200, 2.0)]])
def test_without_a_line_the_seconds_go_with_the_tokens(points):
    cost = StepCost.fitted(0.0, measured(*points))
    assert cost.batch == 0
    assert cost.token == pytest.approx(np.mean([seconds / tokens for tokens, seconds in points]))


def test_larger_batches_that_were_faster_cost_the_same_as_the_others():
    cost = StepCost.fitted(0.0, measured((100, 2.0), (200, 1.0)))
    assert (cost.batch, cost.token) == (1.5, 0.0)
