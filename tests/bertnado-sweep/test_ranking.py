"""Finalists are compared over seeds: means, the probability of being the best, and who is clearly behind."""

import itertools
import math
import statistics

import numpy as np
import pytest
from bertnado_sweep.confirmation.ranking import LEVEL, clearly_behind, mean_and_error, probabilities_best
from scipy import stats

NAN = math.nan


def test_mean_and_standard_error_are_those_of_the_values_that_there_are():
    values = [0.7, 0.72, 0.69, 0.71]
    mean, error = mean_and_error(np.array([*values, NAN]))
    assert mean == pytest.approx(statistics.fmean(values))
    assert error == pytest.approx(statistics.stdev(values) / math.sqrt(4))
    assert mean_and_error(np.array([0.7, NAN])) == (0.7, None)
    assert mean_and_error(np.array([NAN, NAN])) == (None, None)


def test_the_bootstrap_agrees_with_all_samples_of_three_seeds():
    values = np.array([[0.70, 0.74, 0.70], [0.71, 0.71, 0.71], [0.60, 0.60, 0.60]])
    samples = list(itertools.product(range(3), repeat=3))
    wins = [
        sum(values[:, list(sample)].mean(axis=1).argmax() == finalist for sample in samples) for finalist in range(3)
    ]
    found = probabilities_best(values)
    assert found == pytest.approx(np.array(wins) / len(samples), abs=0.02)
    assert found.sum() == pytest.approx(1)
    assert (probabilities_best(values) == found).all()
    assert (probabilities_best(values, seed=1) != found).any()


def test_a_missing_value_is_left_out_and_a_finalist_without_any_is_never_the_best():
    found = probabilities_best(np.array([[0.7, NAN, 0.7], [0.6, 0.6, 0.6], [NAN, NAN, NAN]]))
    assert found[2] == 0
    assert found[0] == pytest.approx(1 - 1 / 27, abs=0.01)  # but for the sample of the missing seed alone


def test_equal_finalists_share_the_probability():
    assert probabilities_best(np.full((2, 4), 0.5)).tolist() == [0.5, 0.5]


def test_two_finalists_are_compared_as_a_paired_t_test_does_it():
    generator = np.random.default_rng(0)
    for _ in range(200):
        values = generator.normal(size=(2, 4)) + np.array([[0], [1]]) + generator.normal(size=4)
        behind = stats.ttest_rel(values[1], values[0], alternative="greater").pvalue < LEVEL
        ahead = stats.ttest_rel(values[0], values[1], alternative="greater").pvalue < LEVEL
        assert clearly_behind(values).tolist() == [behind, ahead]


@pytest.mark.parametrize("finalists", [2, 3, 5])
def test_a_finalist_as_good_as_the_others_is_dropped_no_more_often_than_the_level_says(finalists):
    generator = np.random.default_rng(1)
    seeds_effect = generator.normal(size=(4000, 1, 2))
    draws = seeds_effect + generator.normal(size=(4000, finalists, 2))
    share = np.mean([clearly_behind(values)[0] for values in draws])
    assert share < LEVEL + 0.015


def test_a_finalist_far_behind_is_dropped_after_two_seeds_and_the_noise_is_pooled_over_all():
    generator = np.random.default_rng(2)
    means = np.array([[0.0], [0.0], [0.0], [0.0], [-6.0]])
    dropped = np.array([clearly_behind(means + generator.normal(size=(5, 2))) for _ in range(500)])
    assert dropped[:, 4].mean() > 0.9
    assert dropped[:, :4].mean() < LEVEL


def test_without_noise_any_difference_is_clear_and_a_tie_is_none():
    assert clearly_behind(np.array([[0.7, 0.7], [0.7, 0.7], [0.6, 0.6]])).tolist() == [False, False, True]
    assert clearly_behind(np.array([[0.7, 0.6]])).tolist() == [False]
