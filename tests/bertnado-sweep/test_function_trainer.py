"""A plain function is a trainer."""

import pytest
from bertnado_config import TrialResult, parse_sweep_config
from bertnado_metrics import Objective
from bertnado_sweep.running.function_trainer import FunctionTrainer
from bertnado_sweep.testing import TrainerSuite


def train_value(parameters, report):
    """Report three evaluations, the second of which is the best, and return its value."""
    values = []
    for step in (10, 20, 30):
        for smaller in (step - 5, step):
            if report.progress(smaller):
                return max(values, default=float("nan"))
        values.append(parameters["rate"] * (1.0 if step == 20 else 0.5))
        if report(step, values[-1]):
            break
    return max(values)


def train_result(parameters, report):
    """The same, with a start, a checkpoint and a `TrialResult`."""
    report.started(30, {"arguments": {"rate": parameters["rate"]}})
    values, stopped = [], False
    for step in (10, 20, 30):
        stopped = report.progress(step, {"train/loss": 1.0})
        if stopped:
            break
        values.append(parameters["rate"] * (1.0 if step == 20 else 0.5))
        stopped = report(step, values[-1], {"eval/loss": 1 - values[-1]})
        if stopped:
            break
    checkpoint = report.directory / "checkpoint"
    checkpoint.mkdir()
    best = max(values, default=None)
    step = None if best is None else 10 * (values.index(best) + 1)
    return TrialResult(best, step, checkpoint=checkpoint, stopped=stopped, seed=7)


class FunctionTrainerSuite(TrainerSuite):
    """What is common to both functions."""

    @pytest.fixture
    def config(self):
        return parse_sweep_config({"method": "random", "parameters": {"rate": {"min": 0.1, "max": 1.0}}})

    @pytest.fixture
    def objective(self):
        return Objective("score", "maximize")


class TestFunctionThatReturnsANumber(FunctionTrainerSuite):
    """A function that returns the value."""

    @pytest.fixture
    def trainer(self):
        return FunctionTrainer(train_value)


class TestFunctionThatReturnsAResult(FunctionTrainerSuite):
    """A function that returns a `TrialResult`."""

    @pytest.fixture
    def trainer(self):
        return FunctionTrainer(train_result)
