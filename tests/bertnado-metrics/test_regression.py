"""The numbers of a regression agree with scikit-learn's and scipy's."""

import math

import numpy as np
import pytest
from bertnado_metrics import compute_metrics
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats
from sklearn import metrics as sklearn_metrics

NUMBERS = st.floats(-100, 100, width=32)

pytestmark = pytest.mark.filterwarnings("error")


def reference(labels, predicted):
    return {
        "loss": sklearn_metrics.mean_squared_error(labels, predicted),
        "mse": sklearn_metrics.mean_squared_error(labels, predicted),
        "rmse": sklearn_metrics.root_mean_squared_error(labels, predicted),
        "mae": sklearn_metrics.mean_absolute_error(labels, predicted),
        "r2": sklearn_metrics.r2_score(labels, predicted),
        "pearson": stats.pearsonr(labels, predicted).statistic,
        "spearman": stats.spearmanr(labels, predicted).statistic,
    }


@pytest.mark.parametrize("seed", range(20))
@pytest.mark.parametrize("decimals", [0, 6], ids=["with equal values", "without equal values"])
def test_a_regression_agrees_with_scikit_learn_and_scipy(seed, decimals):
    rng = np.random.default_rng(seed)
    labels = rng.normal(scale=3, size=int(rng.integers(5, 200))).round(decimals)
    predicted = (0.5 * labels + rng.normal(scale=2, size=len(labels)) + 1).round(decimals)
    assert compute_metrics("regression", predicted, labels) == pytest.approx(reference(labels, predicted), abs=1e-12)


def test_several_targets_are_averaged():
    rng = np.random.default_rng(3)
    labels, predicted = rng.normal(size=(30, 4)), rng.normal(size=(30, 4))
    numbers = compute_metrics("regression", predicted, labels)
    columns = [compute_metrics("regression", predicted[:, column], labels[:, column]) for column in range(4)]
    expected = {name: np.mean([column[name] for column in columns]) for name in numbers}
    expected["rmse"] = math.sqrt(expected["mse"])
    assert numbers == pytest.approx(expected)


def test_a_target_with_constant_values_is_left_out_of_the_correlations_only():
    labels = np.array([[1.0, 7.0], [2.0, 7.0], [3.0, 7.0]])
    numbers = compute_metrics("regression", [[2.0, 7.0], [4.0, 7.0], [6.0, 7.5]], labels)
    assert (numbers["pearson"], numbers["spearman"]) == pytest.approx((1.0, 1.0), abs=1e-15)
    assert numbers["r2"] == pytest.approx((1 - 14 / 2 + 0) / 2)


@pytest.mark.parametrize(
    ("predicted", "labels", "r2"),
    [([5.0], [5.0], 1.0), ([4.0], [5.0], 0.0), ([0.1, 0.1], [0.1, 0.1], 1.0), ([0.1, 0.2], [0.3, 0.3], 0.0)],
)
def test_r2_of_constant_labels_is_one_where_all_is_right_and_zero_otherwise(predicted, labels, r2):
    assert compute_metrics("regression", predicted, labels)["r2"] == r2


def test_right_predictions_are_perfect():
    labels = [0.1, 0.7, -3.0, 12.5]
    assert compute_metrics("regression", labels, labels) == {
        **dict.fromkeys(["loss", "mse", "rmse", "mae"], 0.0),
        **dict.fromkeys(["r2", "pearson", "spearman"], 1.0),
    }


@pytest.mark.parametrize("scale", [1e-40, 1e-200, 1e38, 1e150])
def test_correlations_and_r2_do_not_depend_on_the_scale(scale):
    labels, predicted = np.array([1.0, 2.0, 4.0, 3.0]), np.array([1.5, 1.0, 3.0, 4.0])
    plain = compute_metrics("regression", predicted, labels)
    scaled = compute_metrics("regression", predicted * scale, labels * scale)
    names = ("r2", "pearson", "spearman")
    assert [scaled[name] for name in names] == pytest.approx([plain[name] for name in names])


def test_a_large_offset_does_not_hide_a_correlation():
    labels = np.arange(6) * 2.0**-20
    assert compute_metrics("regression", labels + 2.0**30, labels)["pearson"] == pytest.approx(1.0)


@settings(deadline=None)
@given(arrays(np.float64, 9, elements=NUMBERS), arrays(np.float64, 9, elements=NUMBERS))
def test_a_correlation_lies_between_minus_one_and_one(predicted, labels):
    assume(len(set(predicted)) > 1)
    assume(len(set(labels)) > 1)
    numbers = compute_metrics("regression", predicted, labels)
    assert -1 <= numbers["pearson"] <= 1
    assert -1 <= numbers["spearman"] <= 1


@settings(deadline=None)
@given(arrays(np.float64, 9, elements=NUMBERS, unique=True), arrays(np.float64, 9, elements=NUMBERS, unique=True))
def test_spearman_sees_only_the_order(predicted, labels):
    numbers = compute_metrics("regression", predicted, labels)
    bent = compute_metrics("regression", np.argsort(np.argsort(predicted)) ** 3, labels)
    assert bent["spearman"] == pytest.approx(numbers["spearman"], abs=1e-12)
