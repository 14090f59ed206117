"""A plan: everything that can be known to be wrong is named before anything starts."""

import json
import pickle

import pytest
from bertnado_config import InvalidInputError, Problem
from bertnado_metrics import Objective
from bertnado_sweep import backends, plan_sweep, recorded_status, register_backend, run_sweep
from bertnado_sweep.backends.local.backend_type import LocalBackendType
from bertnado_sweep.planning import as_trainer
from bertnado_sweep.running.function_trainer import FunctionTrainer
from bertnado_sweep.testing.suites.backend.sweeps import GRID, CurveTrainer


@pytest.fixture
def plan(tmp_path):
    """Plan a sweep with the local backend."""

    def make(config=GRID, trainer=None, **options):
        places = {"output_dir": tmp_path / "sweep", "backend": "local"}
        return plan_sweep(trainer or CurveTrainer(), config, **(places | options))

    return make


def without_metric(**more):
    return {key: value for key, value in GRID.items() if key != "metric"} | more


def test_a_plan_starts_nothing_and_can_be_handed_to_another_process(plan, tmp_path):
    planned = plan(trainer=FunctionTrainer(max))
    assert not (tmp_path / "sweep").exists()
    assert pickle.loads(pickle.dumps(planned)) == planned


def test_a_trainer_is_an_object_with_its_methods_or_a_function(tmp_path):
    trainer = CurveTrainer()
    assert as_trainer(trainer) is trainer
    assert as_trainer(max) == FunctionTrainer(max)
    for call in (plan_sweep, run_sweep):
        with pytest.raises(TypeError, match=r"a trainer must have the methods .* be a function, got 'train\.py'"):
            call("train.py", GRID, output_dir=tmp_path)


def test_mistakes_of_the_call_the_file_and_the_trainer_are_named_together(plan):
    trainer = CurveTrainer(problems=[Problem("parameters.x", "is small"), Problem("", "is slow", "warning")])
    with pytest.raises(InvalidInputError) as raised:
        plan(GRID | {"method": "gird"}, trainer, sweep_count=0, seed=-1)
    paths = [problem.path for problem in raised.value.problems]
    assert sorted(paths) == ["method", "parameters.x", "seed", "sweep_count"]


@pytest.mark.parametrize(
    ("metric", "message"),
    [({}, "a metric is required"), ({"metric": {"name": "speed"}}, "metric 'speed' needs a goal")],
)
def test_an_objective_that_nobody_knows_is_a_mistake_of_the_file(plan, metric, message):
    with pytest.raises(InvalidInputError, match=message):
        plan(without_metric(**metric))


def test_the_objective_is_the_arguments_then_the_files_then_the_tasks(plan):
    metric = {"metric": {"name": "eval/f1"}}
    objective = Objective("score", "minimize")
    task = "binary_classification"
    assert plan(without_metric(**metric), objective=objective).objective == objective
    assert plan(without_metric(**metric), task=task, metric_name="eval/loss").objective.name == "eval/loss"
    assert plan(without_metric(**metric), task=task).objective == Objective("eval/f1", "maximize")
    assert plan(without_metric(), task=task).objective == Objective("eval/roc_auc", "maximize")


def test_the_objective_may_be_a_function_of_the_file(plan):
    assert plan(objective=lambda config: Objective(config.metric.name, "minimize")).objective.goal == "minimize"

    def undecided(config):
        raise ValueError("the file does not decide it")

    with pytest.raises(InvalidInputError, match="metric: the file does not decide it"):
        plan(objective=undecided)


def test_an_objective_that_the_task_does_not_compute_joins_the_other_mistakes(plan):
    with pytest.raises(InvalidInputError, match=r"speed") as raised:
        plan(without_metric(), task="binary_classification", metric_name="speed", sweep_count=0)
    assert [problem.path for problem in raised.value.problems] == ["sweep_count", "metric_name"]


def test_the_checkpoints_to_keep_are_one_of_three_words(plan):
    with pytest.raises(InvalidInputError, match=r"unknown keep_checkpoints 'last'; choose from best, all, none"):
        plan(keep_checkpoints="last")


def test_a_registered_backend_is_chosen_recorded_and_resumed_like_the_built_in_ones(tmp_path, monkeypatch):
    class LaboratoryBackendType(LocalBackendType):
        name = "laboratory"

    monkeypatch.setattr(backends, "_types", dict(backends.backend_types()))
    register_backend(LaboratoryBackendType())
    with pytest.raises(ValueError, match="'laboratory' is registered already"):
        register_backend(LaboratoryBackendType())
    result = run_sweep(lambda p, report: p["x"], GRID, output_dir=tmp_path, backend="laboratory")
    assert json.loads((tmp_path / "sweep.json").read_text())["backend"] == "laboratory"
    again = run_sweep(lambda p, report: p["x"], None, output_dir=tmp_path, resume=True)
    assert again.trials == result.trials == recorded_status(tmp_path).trials
    with pytest.raises(InvalidInputError, match="choose from auto, wandb, local, laboratory"):
        run_sweep(lambda p, report: p["x"], GRID, output_dir=tmp_path / "other", backend="slurm")
