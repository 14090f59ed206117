"""The numbers behind figures of predictions are those of scikit-learn and numpy, in few points."""

import numpy as np
import pytest
from bertnado_metrics import calibration_bins, precision_recall_curve, roc_curve
from scipy import stats
from sklearn import metrics

TOLERANCE = 0.001


def predictions(rows, seed=0, digits=9):
    """Return which rows are positive, and noisy probabilities."""
    chance = np.random.default_rng(seed)
    truth = chance.random(rows) < 0.3
    return truth, np.round(1 / (1 + np.exp(-chance.normal(truth * 1.5 - 1, 1))), digits)


@pytest.mark.parametrize("digits", [9, 1])
class TestCurves:
    def test_a_roc_curve_is_that_of_scikit_learn(self, digits):
        truth, scores = predictions(500, digits=digits)
        curve = roc_curve(truth, scores)
        false, true, _ = metrics.roc_curve(truth, scores, drop_intermediate=False)
        assert curve.area == pytest.approx(metrics.auc(false, true))
        assert metrics.auc(curve.x, curve.y) == pytest.approx(curve.area)
        assert (curve.x[[0, -1]].tolist(), curve.y[[0, -1]].tolist()) == ([0, 1], [0, 1])
        assert len(curve.x) < len(np.unique(scores)) or digits == 1

    def test_the_steps_of_a_precision_recall_curve_enclose_the_average_precision(self, digits):
        truth, scores = predictions(500, digits=digits)
        curve = precision_recall_curve(truth, scores)
        assert np.diff(curve.x) @ curve.y[1:] == pytest.approx(metrics.average_precision_score(truth, scores))
        kept = scores >= np.unique(scores)[:, np.newaxis]
        hits = (kept & truth).sum(axis=1)
        points = np.column_stack([hits / truth.sum(), hits / kept.sum(axis=1)])
        shown = np.column_stack([curve.x, curve.y])[1:, np.newaxis]
        assert np.abs(points - shown).max(axis=2).min(axis=1).max() < 1e-12


class TestThinning:
    @pytest.mark.parametrize("make", [roc_curve, precision_recall_curve])
    def test_a_curve_of_many_rows_has_few_points_and_each_row_lies_within_the_tolerance(self, make):
        truth, scores = predictions(60_000)
        whole, thin = make(truth, scores), make(truth, scores, TOLERANCE)
        assert len(thin.x) < 5_000 < len(whole.x)
        assert thin.area == whole.area
        assert (thin.x[-1], thin.y[-1]) == (whole.x[-1], whole.y[-1])
        last = np.searchsorted(thin.x, whole.x, side="right") - 1
        near = [
            np.abs(np.column_stack([whole.x - thin.x[at], whole.y - thin.y[at]])).max(axis=1)
            for at in (last, np.minimum(last + 1, len(thin.x) - 1), np.maximum(last - 1, 0))
        ]
        assert np.min(near, axis=0).max() <= 2 * TOLERANCE

    def test_rows_of_one_class_have_no_curve(self):
        for truth in ([True, True], [False, False], []):
            assert roc_curve(truth, [0.1, 0.2][: len(truth)]) is None
            assert precision_recall_curve(truth, [0.1, 0.2][: len(truth)]) is None


class TestCalibration:
    def test_each_bin_has_its_rows_their_mean_probability_and_the_share_of_positives(self):
        truth, scores = predictions(400, digits=2)
        found = calibration_bins(truth, scores)
        assert sum(one.rows for one in found) == 400
        for one in found:
            inside = (scores >= one.low) & ((scores < one.high) | (one.high == 1))
            assert one.rows == inside.sum()
            assert (one.predicted, one.observed) == pytest.approx((scores[inside].mean(), truth[inside].mean()))
            expected = stats.binomtest(int(truth[inside].sum()), int(inside.sum())).proportion_ci(0.95, "wilson")
            assert one.interval == pytest.approx((expected.low, expected.high))

    def test_both_ends_and_every_edge_have_their_bin(self):
        found = calibration_bins([True] * 4, [0.0, 0.3, 0.7, 1.0])
        assert [(one.low, one.high, one.rows) for one in found] == [
            (0, 0.1, 1),
            (0.3, 0.4, 1),
            (0.7, 0.8, 1),
            (0.9, 1, 1),
        ]


class TestMistakes:
    @pytest.mark.parametrize("make", [roc_curve, precision_recall_curve, calibration_bins])
    def test_what_is_no_probability_of_a_row_is_refused(self, make):
        with pytest.raises(ValueError, match="one score for each row, got 1 for 2 rows"):
            make([True, False], [0.1])
        with pytest.raises(ValueError, match="scores must be finite, got 1 that are not"):
            make([True, False], [0.1, float("nan")])

    def test_a_probability_lies_between_0_and_1(self):
        with pytest.raises(ValueError, match=r"probabilities must be from 0 to 1, got -0.5 to 2"):
            calibration_bins([True, False], [-0.5, 2])
