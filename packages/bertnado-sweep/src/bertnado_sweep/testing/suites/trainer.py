"""What a sweep relies on in every trainer."""

from __future__ import annotations

import json
import math
import pickle
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

import numpy as np
import pytest
from bertnado_config import ForecastingTrainer, Problem, sample_parameters, to_json_types

from bertnado_sweep.testing.recording_report import RecordingReport

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from bertnado_config import Session, SweepConfig, Trainer, TrialResult
    from bertnado_metrics import Objective

_SMALL_FILES = 2**20
"""Bytes that a checkpoint may hold beside its weights."""


@dataclass(frozen=True)
class TrainedTrial:
    """The result of a trial, and the reports before it."""

    result: TrialResult
    report: RecordingReport

    @property
    def values(self) -> list[float]:
        """The objective at each evaluation."""
        return [evaluation.value for evaluation in self.report.evaluations]


class Train(Protocol):
    """Train one trial in its own directory."""

    def __call__(
        self,
        parameters: Mapping[str, Any],
        *,
        session: Session | None = None,
        should_stop: Callable[[RecordingReport], bool] = ...,
    ) -> TrainedTrial:
        """Train, in the open session unless another one is given."""
        ...


class TrainerSuite:
    """Conformance tests for a `bertnado_config.Trainer`.

    A subclass provides the fixtures `trainer`, `config` and `objective`. Trials should be as short as they can be: the
    suite trains some ten of them.
    """

    is_picklable: ClassVar[bool] = True
    """False for a trainer that cannot be sent to worker processes."""

    is_repeatable: ClassVar[bool] = True
    """False for a trainer whose numbers differ between two trials with the same parameters."""

    @pytest.fixture
    def trainer(self) -> Trainer:
        """The trainer to test."""
        raise NotImplementedError("provide the fixture trainer: the trainer to test")

    @pytest.fixture
    def config(self) -> SweepConfig:
        """A sweep file in which `trainer` finds no error, and under which a trial has at least two evaluations."""
        raise NotImplementedError("provide the fixture config: a sweep file whose trials have two evaluations or more")

    @pytest.fixture
    def objective(self) -> Objective:
        """The objective that the trials report."""
        raise NotImplementedError("provide the fixture objective: the objective that the trials report")

    @pytest.fixture
    def parameters(self, config: SweepConfig) -> Mapping[str, Any]:
        """The parameters of a trial, drawn from `config`."""
        return sample_parameters(config, np.random.default_rng(0))

    @pytest.fixture
    def other_parameters(self, config: SweepConfig) -> Mapping[str, Any]:
        """The parameters of another trial, drawn from `config`."""
        return sample_parameters(config, np.random.default_rng(1))

    @pytest.fixture
    def session(self, trainer: Trainer, config: SweepConfig, objective: Objective) -> Session:
        """An open session of the trainer, after its check, as in a sweep."""
        trainer.check(config, objective)
        return trainer.open()

    @pytest.fixture
    def train(self, session: Session, objective: Objective, tmp_path: Path) -> Train:
        """A function that trains one trial in its own directory."""
        trials = tmp_path / "trials"
        trials.mkdir()
        opened = session

        def train(
            parameters: Mapping[str, Any],
            *,
            session: Session | None = None,
            should_stop: Callable[[RecordingReport], bool] = lambda report: False,
        ) -> TrainedTrial:
            directory = trials / f"trial_{len(list(trials.iterdir()))}"
            directory.mkdir()
            report = RecordingReport(directory, objective, should_stop)
            return TrainedTrial((session or opened).run(parameters, report), report)

        return train

    def test_a_check_returns_problems_and_finds_no_error_in_the_config(
        self, trainer: Trainer, config: SweepConfig, objective: Objective
    ) -> None:
        problems = list(trainer.check(config, objective))
        assert [problem for problem in problems if not isinstance(problem, Problem)] == []
        assert {problem.severity for problem in problems} <= {"warning"}, "the fixture config must have no errors"
        assert all(problem.message for problem in problems)
        assert list(trainer.check(config, objective)) == problems

    def test_a_pickled_copy_checks_and_opens_alike(
        self, trainer: Trainer, config: SweepConfig, objective: Objective
    ) -> None:
        if not self.is_picklable:
            pytest.skip("is_picklable is False")
        copy: Trainer = pickle.loads(pickle.dumps(trainer))  # noqa: S301 (from the line itself)
        assert list(copy.check(config, objective)) == list(trainer.check(config, objective))
        assert callable(copy.open().run)

    def test_a_trial_reports_its_evaluations_in_order(self, train: Train, parameters: Mapping[str, Any]) -> None:
        report = train(parameters).report
        evaluated = [evaluation.step for evaluation in report.evaluations]
        assert len(evaluated) >= 2, "the fixture config must give a trial two evaluations or more"
        assert evaluated == sorted(set(evaluated))
        assert report.steps == sorted(report.steps)
        assert all(step <= total for total in report.total_steps[-1:] for step in report.steps)

    def test_what_a_trial_reports_can_be_recorded(self, train: Train, parameters: Mapping[str, Any]) -> None:
        trial = train(parameters)
        result, report = trial.result, trial.report
        for reported in (report.details, result.details, result.timings, list(result.history)):
            json.dumps(to_json_types(reported))
        for evaluation in report.evaluations:
            assert all(isinstance(float(number), float) for number in evaluation.metrics.values())

    def test_the_value_is_the_best_that_was_reported(self, train: Train, parameters: Mapping[str, Any]) -> None:
        trial = train(parameters)
        self._check_value(trial)
        assert trial.result.stopped is False
        if trial.result.history:
            rows = [row["step"] for row in trial.result.history]
            assert rows == [evaluation.step for evaluation in trial.report.evaluations]

    def test_a_trial_that_must_stop_at_an_evaluation_has_no_more(
        self, train: Train, parameters: Mapping[str, Any]
    ) -> None:
        trial = train(parameters, should_stop=lambda report: bool(report.evaluations))
        assert trial.result.stopped is True
        assert len(trial.report.evaluations) == 1
        assert trial.report.steps[-1] == trial.report.stopped_at
        self._check_value(trial)

    def test_a_trial_that_must_stop_at_a_step_does_no_more(self, train: Train, parameters: Mapping[str, Any]) -> None:
        trial = train(parameters, should_stop=lambda report: True)
        assert trial.result.stopped is True
        assert trial.report.steps[-1] == trial.report.stopped_at
        self._check_value(trial)

    def test_nothing_is_written_outside_of_the_directory(
        self, train: Train, parameters: Mapping[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        monkeypatch.chdir(elsewhere)
        before = set(tmp_path.rglob("*"))
        trial = train(parameters)
        directory, checkpoint = trial.report.directory, trial.result.checkpoint
        written = set(tmp_path.rglob("*")) - before
        assert [path for path in written if path != directory and directory not in path.parents] == []
        assert checkpoint is None or checkpoint.is_dir()

    def test_a_trial_does_not_depend_on_the_one_before(
        self,
        train: Train,
        trainer: Trainer,
        parameters: Mapping[str, Any],
        other_parameters: Mapping[str, Any],
    ) -> None:
        train(other_parameters)
        second = train(parameters)
        self._check_value(second)
        if not self.is_repeatable:
            pytest.skip("is_repeatable is False, so the numbers are not compared")
        alone = train(parameters, session=trainer.open())
        assert second.values == pytest.approx(alone.values, rel=0, abs=0, nan_ok=True)
        assert (second.result.value, second.result.step) == (alone.result.value, alone.result.step)

    def test_the_size_of_a_checkpoint_is_known(
        self, train: Train, trainer: Trainer, parameters: Mapping[str, Any]
    ) -> None:
        size = getattr(trainer, "checkpoint_bytes", None)
        if size is None:
            pytest.skip("the trainer does not say how large a checkpoint is")
        checkpoint = train(parameters).result.checkpoint
        assert checkpoint is not None
        on_disk = sum(file.stat().st_size for file in checkpoint.rglob("*") if file.is_file())
        assert on_disk / 2 - _SMALL_FILES <= size <= on_disk * 2

    def test_a_forecast_is_of_the_trials_that_it_was_asked_for(
        self,
        trainer: Trainer,
        config: SweepConfig,
        objective: Objective,
        parameters: Mapping[str, Any],
        other_parameters: Mapping[str, Any],
        tmp_path: Path,
    ) -> None:
        if not isinstance(trainer, ForecastingTrainer):
            pytest.skip("the trainer makes no forecasts")
        trainer.check(config, objective)
        before = set(tmp_path.iterdir())
        trials = [parameters, other_parameters, parameters]
        forecast = trainer.forecast(config, objective, trials, places=[{}], directory=tmp_path)
        assert len(forecast.trials) == len(trials)
        assert forecast.trials[0] == forecast.trials[2]
        lengths = [trial.seconds for trial in forecast.trials]
        assert 0 < forecast.shortest.seconds <= min(lengths) <= max(lengths) <= forecast.longest.seconds
        assert set(tmp_path.iterdir()) == before
        json.dumps(forecast.to_record())

    def _check_value(self, trial: TrainedTrial) -> None:
        result, report = trial.result, trial.report
        best = report.objective.best_index(trial.values)
        if best is None:
            assert result.value is None or not math.isfinite(result.value)
        else:
            assert result.value == trial.values[best]
            assert result.step in (None, report.evaluations[best].step)
