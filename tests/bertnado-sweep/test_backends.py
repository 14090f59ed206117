"""What every backend keeps: the same sweep file and the same trainer come to the same result and the same files.

A backend joins by a name in `BACKENDS`, and by what the fixture `sweep` has to prepare for it. What W&B's own engine
does, and the test server does not, is tested with the local backend alone.
"""

import json
import math
import pickle

import pytest
from bertnado_config import Problem, SweepConfigError, TrialResult, read_best_config
from bertnado_metrics import Objective
from bertnado_sweep import NoEligibleTrialError, TooManyFailuresError, plan_sweep, run_sweep
from bertnado_sweep.running.events import SweepStarted, TrialEnded, TrialEvaluated, TrialProgress, TrialStarted
from bertnado_sweep.running.function_trainer import FunctionTrainer

BACKENDS = ["local", "wandb"]
only_local = pytest.mark.parametrize("sweep", ["local"], indirect=True)
GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": [1, 2, 3]}, "optimizer": {"parameters": {"beta": {"value": 0.9}}}},
}


@pytest.fixture(params=BACKENDS)
def sweep(request, tmp_path):
    """`run_sweep` with one of the backends, into one output directory."""
    if request.param == "wandb":
        request.getfixturevalue("server")

    def run(trainer, config=GRID, **arguments):
        places = {"output_dir": tmp_path / "sweep", "backend": request.param}
        return run_sweep(trainer, config, **(places | arguments))

    return run


def trial_files(directory):
    return [json.loads(path.read_text()) for path in sorted(directory.glob("sweep_*/trial.json"))]


class Trainer:
    """A trainer with everything: it reports, it can be stopped, its best is not its last."""

    def __init__(self, curves):
        self.curves = curves
        self.opened = 0

    def check(self, config, objective):
        return []

    def open(self):
        self.opened += 1
        return self

    def run(self, parameters, report):
        curve = self.curves[parameters["x"]]
        report.started(len(curve), {"arguments": {"beta": parameters["optimizer"]["beta"]}})
        seen = []
        for step, value in enumerate(curve, start=1):
            report.progress(step, {"train/loss": 1.0})
            seen.append(value)
            if report(step, value, {"eval/loss": -value}):
                break
        best = max(seen)
        checkpoint = report.directory / "checkpoint"
        checkpoint.mkdir()
        return TrialResult(
            best,
            seen.index(best) + 1,
            checkpoint=checkpoint,
            stopped=len(seen) < len(curve),
            seed=7,
            timings={"t": 1.0},
        )


CURVES = {1: [0.1, 0.2], 2: [0.9, 0.3], 3: [0.5, 0.6]}


def test_the_result_names_the_trial_whose_best_checkpoint_is_best(sweep, tmp_path):
    trainer = Trainer(CURVES)
    result = sweep(trainer)
    assert trainer.opened == 1
    assert [(trial.number, trial.state, trial.value, trial.step) for trial in result.trials] == [
        (0, "completed", 0.2, 2),
        (1, "completed", 0.9, 1),
        (2, "completed", 0.6, 2),
    ]
    assert result.best == result.trials[1]
    assert result.best.parameters == {"x": 2, "optimizer": {"beta": 0.9}}
    assert (result.best.seed, result.best.timings["t"], result.best.details) == (7, 1.0, {"arguments": {"beta": 0.9}})
    assert result.best.checkpoint == result.best.directory / "checkpoint"
    exported = {
        "x": 2,
        "optimizer": {"beta": 0.9},
        "metric_for_best_model": "score",
        "greater_is_better": True,
        "optimization_metric": {"name": "score", "goal": "maximize"},
    }
    path = tmp_path / "sweep" / "best_sweep_config.json"
    assert result.to_dict() == {
        "sweep_id": result.sweep_id,
        "best_run_id": result.best.id,
        "metric_name": "score",
        "metric_goal": "maximize",
        "metric_for_best_model": "score",
        "metric_value": 0.9,
        "best_config": exported,
        "best_config_path": str(path),
    }
    assert json.loads(path.read_text()) == exported


def test_every_trial_has_a_directory_with_its_record(sweep, tmp_path):
    result = sweep(Trainer(CURVES))
    files = {record["number"]: record for record in trial_files(tmp_path / "sweep")}
    assert sorted(files) == [0, 1, 2]
    for trial in result.trials:
        assert trial.directory.parent == tmp_path / "sweep"
        record = files[trial.number]
        assert (record["id"], record["state"], record["value"]) == (trial.id, "completed", trial.value)
        assert record["parameters"] == trial.parameters
        assert record["history"] == [
            {"step": step, "eval/loss": -value, "score": value}
            for step, value in enumerate(CURVES[trial.number + 1], 1)
        ]
        assert record["error"] is None
        assert record["started"] <= record["ended"]
        assert record["timings"]["total"] > 0


def test_the_sweep_is_recorded_with_all_that_it_was_started_with(sweep, tmp_path):
    result = sweep(Trainer(CURVES), seed=5, project_name="dna", group="task", record={"model_name": "m"})
    record = json.loads((tmp_path / "sweep" / "sweep.json").read_text())
    assert record["sweep_id"] == result.sweep_id
    assert record["objective"] == {"name": "score", "goal": "maximize"}
    assert (record["budget"], record["seed"], record["project"], record["group"]) == (3, 5, "dna", "task")
    assert record["config"]["parameters"]["x"]["values"] == [1, 2, 3]
    assert record["application"] == {"model_name": "m"}
    assert "bertnado-sweep" in record["versions"]
    assert record["created"].endswith("+00:00")


def test_a_trial_that_raises_is_recorded_and_the_sweep_goes_on(sweep):
    def train(parameters, report):
        report(1, 0.3)
        if parameters["x"] == 1:
            raise ValueError("boom\nin two lines")
        return parameters["x"]

    result = sweep(train)
    assert [trial.state for trial in result.trials] == ["failed", "completed", "completed"]
    failed = result.trials[0]
    assert (failed.value, failed.error) == (None, "ValueError: boom in two lines")
    assert failed.history == ({"step": 1, "score": 0.3},)
    assert 'raise ValueError("boom' in (failed.directory / "error.txt").read_text()


@pytest.mark.parametrize("value", [math.nan, math.inf, None])
def test_a_trial_without_a_finite_value_failed(sweep, value):
    def train(parameters, report):
        report(1, math.nan)
        return TrialResult(value) if parameters["x"] == 2 else 0.1

    result = sweep(train)
    assert [trial.state for trial in result.trials] == ["completed", "failed", "completed"]
    assert result.trials[1].error == f"no finite value: score was {value} after 1 evaluations"
    assert result.trials[1].value is None


def test_a_function_that_returns_no_number_failed_with_what_it_should_return(sweep):
    with pytest.raises(TooManyFailuresError, match="must return a number or a TrialResult, got dict") as raised:
        sweep(lambda parameters, report: {"score": 1.0})
    assert len(raised.value.trials) == 3


def test_a_trainer_cannot_change_what_is_recorded(sweep):
    def train(parameters, report):
        parameters["optimizer"]["beta"] = 0.0
        parameters["more"] = 1
        return 0.5

    assert sweep(train).best.parameters == {"x": 1, "optimizer": {"beta": 0.9}}


@only_local
def test_early_termination_stops_a_trial_that_falls_behind_and_keeps_its_value(sweep):
    config = GRID | {"early_terminate": {"type": "hyperband", "min_iter": 2, "eta": 2}}
    result = sweep(Trainer({1: [0.8, 0.9, 0.9], 2: [0.9, 0.95, 0.6], 3: [0.8, 0.7, 0.99]}), config)
    assert [(trial.state, trial.value) for trial in result.trials] == [
        ("completed", 0.9),
        ("completed", 0.95),
        ("stopped", 0.8),
    ]


@only_local
def test_a_plain_function_that_was_told_to_stop_counts_as_stopped(sweep):
    def train(parameters, report):
        for step in range(3):
            if report(step, -parameters["x"]):
                break
        return -parameters["x"]

    result = sweep(train, GRID | {"early_terminate": {"type": "hyperband", "min_iter": 1, "eta": 2}})
    assert [trial.state for trial in result.trials] == ["completed", "completed", "stopped"]
    assert result.best.number == 0


@pytest.mark.parametrize(
    ("changes", "count", "trials"),
    [
        ({}, None, 3),
        ({}, 2, 2),
        ({}, 50, 3),
        ({"run_cap": 2}, None, 2),
        ({"run_cap": 2}, 1, 1),
        ({"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}}, None, 10),
        ({"method": "bayes", "parameters": {"x": {"min": 0.0, "max": 1.0}}, "run_cap": 12}, None, 12),
        ({"method": "bayes", "parameters": {"x": {"min": 0.0, "max": 1.0}}, "run_cap": 12}, 4, 4),
    ],
)
def test_the_budget_is_the_smaller_of_what_was_asked_for_and_what_there_is(sweep, changes, count, trials):
    announced = []
    result = sweep(lambda parameters, report: 0.5, GRID | changes, sweep_count=count, observer=announced.append)
    assert len(result.trials) == trials
    assert announced[0].total == trials


@only_local
def test_a_space_that_is_spent_ends_the_sweep(sweep):
    assert len(sweep(lambda parameters, report: 0.5, GRID | {"method": "random"}).trials) == 3


def test_the_budget_counts_trials_that_failed(sweep):
    def train(parameters, report):
        if parameters["x"] < 3:
            raise RuntimeError
        return 0.5

    with pytest.raises(NoEligibleTrialError, match="2 of 2: RuntimeError"):
        sweep(train, sweep_count=2)


def test_a_target_that_is_reached_ends_the_sweep(sweep):
    config = GRID | {"metric": {"name": "score", "goal": "maximize", "target": 2}}
    assert len(sweep(lambda parameters, report: parameters["x"], config).trials) == 2


def test_the_goal_decides_what_is_best(sweep):
    config = GRID | {"metric": {"name": "eval/loss"}}
    result = sweep(lambda parameters, report: parameters["x"], config)
    assert (result.objective, result.best.value) == (Objective("eval/loss", "minimize"), 1.0)


def test_an_observer_hears_of_everything_in_order(sweep, tmp_path):
    heard = []
    result = sweep(Trainer(CURVES), GRID | {"run_cap": 1}, observer=heard.append)
    trial = result.trials[0]
    assert heard == [
        SweepStarted(
            result.sweep_id,
            1,
            Objective("score", "maximize"),
            tmp_path / "sweep",
            heard[0].config,
            notes=heard[0].notes,
        ),
        TrialStarted(0, trial.id, trial.parameters, trial.directory),
        TrialProgress(0, 0, 2),
        TrialProgress(0, 1, 2),
        TrialEvaluated(0, 1, 0.1, {"eval/loss": -0.1, "score": 0.1}),
        TrialProgress(0, 2, 2),
        TrialEvaluated(0, 2, 0.2, {"eval/loss": -0.2, "score": 0.2}),
        TrialEnded(trial, trial),
    ]


def test_the_best_so_far_is_exported_after_each_trial_that_improves_it(sweep, tmp_path):
    exported = []

    def look(event):
        if isinstance(event, TrialEnded):
            exported.append(read_best_config(tmp_path / "sweep" / "best_sweep_config.json").parameters["x"])
            assert event.best.parameters["x"] == exported[-1]

    sweep(Trainer({1: [0.5], 2: [0.4], 3: [0.6]}), observer=look)
    assert exported == [1, 1, 3]


def test_ctrl_c_records_the_trial_as_interrupted_keeps_the_best_and_goes_on_up(sweep, tmp_path):
    def train(parameters, report):
        if parameters["x"] == 2:
            report(1, 0.9)
            raise KeyboardInterrupt
        return 0.5

    with pytest.raises(KeyboardInterrupt):
        sweep(train)
    records = trial_files(tmp_path / "sweep")
    assert [record["state"] for record in records] == ["completed", "interrupted"]
    assert records[1]["history"] == [{"step": 1, "score": 0.9}]
    assert read_best_config(tmp_path / "sweep" / "best_sweep_config.json").parameters["x"] == 1


def test_a_sweep_that_was_broken_off_goes_on_until_its_budget_is_met(sweep, tmp_path):
    config = {**GRID, "method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}}
    trained = []

    def train(parameters, report):
        trained.append(parameters["x"])
        if len(trained) == 2:
            raise KeyboardInterrupt
        return parameters["x"]

    with pytest.raises(KeyboardInterrupt):
        sweep(train, config, sweep_count=4)
    first = json.loads((tmp_path / "sweep" / "sweep.json").read_text())["sweep_id"]
    result = sweep(train, config, sweep_count=4, resume=True)
    assert result.sweep_id == first
    assert sum(trial.is_counted for trial in result.trials) == 4
    assert len(trained) == 5
    assert result.best.value == max(x for number, x in enumerate(trained) if number != 1)


def test_what_is_resumed_has_one_backend(sweep, tmp_path):
    result = sweep(Trainer(CURVES))
    other = {"local": "wandb", "wandb": "local"}[json.loads((result.output_dir / "sweep.json").read_text())["backend"]]
    with pytest.raises(SweepConfigError):
        sweep(Trainer(CURVES), resume=True, backend=other)


def test_the_same_seed_gives_the_same_trials(tmp_path, mapping, parabola):
    runs = [run_sweep(parabola, mapping, output_dir=tmp_path / str(n), sweep_count=12, seed=3) for n in range(2)]
    first, second = ([trial.parameters for trial in run.trials] for run in runs)
    assert first == second
    assert len({json.dumps(parameters) for parameters in first}) == 12


@only_local
def test_bayes_learns_within_a_sweep(sweep, mapping, parabola):
    result = sweep(parabola, mapping, sweep_count=30)
    assert result.best.value > -0.3


class Picky(Trainer):
    def check(self, config, objective):
        return [Problem("parameters.x", "is no argument"), Problem("parameters.x", "is small", "warning")]


def test_everything_that_is_wrong_is_said_at_once_and_nothing_is_started(sweep, tmp_path):
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "sweep.json").touch()
    with pytest.raises(SweepConfigError) as raised:
        sweep(Picky(CURVES), sweep_count=0, seed=-1)
    assert [problem.path for problem in raised.value.problems] == ["output_dir", "sweep_count", "seed", "parameters.x"]
    assert not list((tmp_path / "sweep").glob("sweep_*"))


def test_mistakes_of_the_file_and_of_the_call_come_together(sweep):
    with pytest.raises(SweepConfigError) as raised:
        sweep(Trainer(CURVES), {"method": "gird", "parameters": {"x": {"values": []}}}, sweep_count=0)
    paths = [problem.path for problem in raised.value.problems]
    assert "sweep_count" in paths
    assert "method" in paths


@pytest.mark.parametrize(
    ("metric", "message"), [({}, "the file names no metric"), ({"metric": {"name": "speed"}}, "'speed' has no goal")]
)
def test_an_objective_that_nobody_knows_is_a_mistake_of_the_file(sweep, metric, message):
    config = {key: value for key, value in GRID.items() if key != "metric"} | metric
    with pytest.raises(SweepConfigError, match=message):
        sweep(Trainer(CURVES), config)


def test_an_objective_may_be_decided_from_the_file(sweep):
    def decide(config):
        assert config.metric.name == "score"
        return Objective("score", "minimize")

    assert sweep(Trainer(CURVES), objective=decide).best.value == 0.2


def test_an_objective_that_cannot_be_decided_joins_the_other_mistakes(sweep):
    def decide(config):
        raise ValueError("no such metric")

    with pytest.raises(SweepConfigError, match=r"metric: no such metric"):
        sweep(Trainer(CURVES), objective=decide)


def test_warnings_are_handed_on_and_logged_where_nobody_listens(sweep, caplog, tmp_path):
    class Warning(Trainer):  # noqa: A001
        def check(self, config, objective):
            return [Problem("parameters.x", "is small", "warning")]

    heard = []
    result = sweep(Warning(CURVES), observer=heard.append)
    assert result.warnings == heard[0].warnings == (Problem("parameters.x", "is small", "warning"),)
    assert [record for record in caplog.records if record.name.startswith("bertnado")] == []
    sweep(Warning(CURVES), output_dir=tmp_path / "again")
    assert "parameters.x: is small" in caplog.text


def test_a_second_sweep_into_the_same_directory_is_refused_and_the_first_stays(sweep, tmp_path):
    sweep(Trainer(CURVES))
    before = {path: path.read_bytes() for path in (tmp_path / "sweep").rglob("*") if path.is_file()}
    with pytest.raises(SweepConfigError, match=r"--output-dir .*sweep_2"):
        sweep(Trainer(CURVES))
    assert {path: path.read_bytes() for path in (tmp_path / "sweep").rglob("*") if path.is_file()} == before


def test_what_is_no_trainer_is_refused(tmp_path):
    with pytest.raises(TypeError, match="is no trainer"):
        run_sweep("train.py", GRID, output_dir=tmp_path)


def test_a_plan_starts_nothing_and_can_be_handed_to_another_process(tmp_path):
    plan = plan_sweep(FunctionTrainer(max), GRID, output_dir=tmp_path / "sweep")
    assert not (tmp_path / "sweep").exists()
    assert pickle.loads(pickle.dumps(plan)) == plan


class TestCheckpoints:
    """Whose checkpoints stay on disk."""

    @pytest.fixture
    def kept(self, sweep, tmp_path):
        """The numbers of the trials whose checkpoint is there when a trial ends, and at the end."""

        def run(**arguments):
            seen = []

            def observe(event):
                if isinstance(event, TrialEnded):
                    seen.append(there())

            def there():
                directory = arguments.get("output_dir", tmp_path / "sweep")
                files = directory.glob("sweep_*/trial.json")
                return {
                    json.loads(file.read_text())["number"] for file in files if (file.parent / "checkpoint").exists()
                }

            result = sweep(Trainer(CURVES), observer=observe, **arguments)
            return result, [*seen, there()]

        return run

    def test_the_best_one_stays_and_the_others_go_as_soon_as_they_cannot_win(self, kept):
        result, seen = kept()
        assert seen == [{0}, {1}, {1}, {1}]
        assert result.best.checkpoint.is_dir()

    def test_all_stay_where_it_is_asked_for(self, kept):
        assert kept(keep_checkpoints="all")[1] == [{0}, {0, 1}, {0, 1, 2}, {0, 1, 2}]

    def test_none_stays_where_none_is_wanted_and_none_is_named(self, kept):
        result, seen = kept(keep_checkpoints="none")
        assert seen == [set()] * 4
        assert result.best.checkpoint is None

    def test_what_a_trainer_keeps_elsewhere_is_left_alone(self, sweep, tmp_path):
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        sweep(lambda parameters, report: TrialResult(parameters["x"], 1, checkpoint=elsewhere), keep_checkpoints="none")
        assert elsewhere.is_dir()

    def test_another_word_is_refused(self, sweep):
        with pytest.raises(SweepConfigError, match="'last' says not whose; best, all, none do"):
            sweep(Trainer(CURVES), keep_checkpoints="last")
