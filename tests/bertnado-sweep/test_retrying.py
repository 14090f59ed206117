"""`retry_failed`: failed trials of a resumed sweep are tried again, and count once."""

import errno

import optuna
import pytest
from bertnado_config import InvalidInputError, read_json
from bertnado_sweep import TooManyFailuresError, recorded_status, run_sweep
from bertnado_sweep.backends.local.storage import open_storage
from bertnado_sweep.options import check_options
from support.trainers import CurveTrainer, FailingPointTrainer

METRIC = {"name": "score", "goal": "maximize"}
GRID = {"method": "grid", "metric": METRIC, "parameters": {"x": {"values": [1, 2, 3, 4, 5, 6]}}}
FULL = OSError(errno.ENOSPC, "No space left on device")


class Night:
    """A sweep of six trials of which the last three failed, and the ways to go on with it."""

    def __init__(self, output, config, **options):
        self.options = {"output_dir": output, "backend": "local"} | options
        self.config = config
        self.trained = []

    def begin(self):
        count = 0

        def train(parameters, report):
            nonlocal count
            count += 1
            if count > 3:
                raise FULL
            return parameters["x"]

        return run_sweep(train, self.config, sweep_count=6, **self.options)

    def go_on(self, train=None, **options):
        def recorded(parameters, report):
            self.trained.append(parameters["x"])
            return (train or (lambda parameters, report: parameters["x"]))(parameters, report)

        return run_sweep(recorded, self.config, resume=True, **self.options | options)


@pytest.fixture(params=["journal", "postgresql"])
def storage(request):
    """The options of a sweep that is recorded in each of the storages."""
    if request.param == "journal":
        return {}
    return {"storage": request.getfixturevalue("database"), "study": "night"}


@pytest.fixture
def night(tmp_path):
    night = Night(tmp_path / "sweep", GRID)
    night.begin()
    return night


@pytest.mark.parametrize("method", ["grid", "random", "bayes"])
def test_all_that_failed_are_tried_again_with_their_parameters_and_no_others(tmp_path, storage, method):
    space = GRID["parameters"] if method == "grid" else {"x": {"min": 0.0, "max": 1.0}}
    night = Night(tmp_path / "sweep", {"method": method, "metric": METRIC, "parameters": space}, **storage)
    before = night.begin()
    result = night.go_on(retry_failed=True)
    assert night.trained == [trial.parameters["x"] for trial in before.trials[3:]]
    assert [trial.attempt for trial in result.trials] == [1, 1, 1, 2, 2, 2]
    assert {trial.state for trial in result.trials} == {"completed"}
    assert result.best.value == max(trial.parameters["x"] for trial in before.trials)
    assert night.go_on().trials == result.trials
    assert len(night.trained) == 3


def test_those_with_the_numbers_that_are_shown_are_tried_again(night):
    result = night.go_on(retry_failed=[6, 4])
    assert night.trained == [4, 6]
    assert [trial.state for trial in result.trials] == ["completed"] * 4 + ["failed", "completed"]


def test_the_budget_stays_and_more_trials_come_with_a_larger_one(tmp_path):
    night = Night(tmp_path / "sweep", GRID | {"method": "random", "parameters": {"x": {"min": 0.0, "max": 1.0}}})
    night.begin()
    result = night.go_on(retry_failed="all", sweep_count=8)
    assert len(night.trained) == 5
    assert [trial.attempt for trial in result.trials] == [1, 1, 1, 2, 2, 2, 1, 1]


def test_every_attempt_stays_in_the_record(night, tmp_path):
    result = night.go_on(retry_failed="4")
    records = [read_json(path) for path in (tmp_path / "sweep").glob("sweep_*/trial.json")]
    attempts = [(record["attempt"], record["state"], record["error"]) for record in records if record["number"] == 3]
    assert sorted(attempts) == [
        (1, "interrupted", "OSError: [Errno 28] No space left on device"),
        (2, "completed", None),
    ]
    assert recorded_status(tmp_path / "sweep").trials == result.trials
    study = optuna.load_study(study_name=result.sweep_id, storage=open_storage(tmp_path / "sweep", None))
    assert study.best_value == 4
    assert {entry.params["x"] for entry in study.get_trials(states=[optuna.trial.TrialState.COMPLETE])} == {1, 2, 3, 4}


def test_one_that_fails_again_has_failed_again_and_can_be_tried_once_more(night):
    def train(parameters, report):
        if parameters["x"] == 5:
            raise FULL
        return parameters["x"]

    result = night.go_on(train, retry_failed=True)
    assert [(trial.state, trial.attempt) for trial in result.trials][4] == ("failed", 2)
    assert night.go_on(retry_failed="5").trials[4].attempt == 3


def test_the_failures_of_before_do_not_end_the_sweep(tmp_path):
    night = Night(tmp_path / "sweep", GRID)
    with pytest.raises(TooManyFailuresError):
        run_sweep(FailingPointTrainer(points=(1, 2, 3), error=FULL), GRID, **night.options)
    result = night.go_on(retry_failed=True, max_failures=1)
    assert [(trial.state, trial.attempt) for trial in result.trials] == [("completed", 2)] * 3 + [("completed", 1)] * 3


def test_three_that_fail_again_for_one_reason_end_it(night):
    def train(parameters, report):
        raise FULL

    with pytest.raises(TooManyFailuresError, match="the first 3 trials failed for the same reason"):
        night.go_on(train, retry_failed=True)


def test_workers_share_them(night, monkeypatch):
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    result = run_sweep(CurveTrainer(), None, resume=True, retry_failed=True, workers=2, **night.options)
    assert [trial.attempt for trial in result.trials] == [1, 1, 1, 2, 2, 2]


def test_a_trial_whose_directory_was_removed_is_tried_again(night, tmp_path):
    import shutil

    for trial in recorded_status(tmp_path / "sweep").trials[3:]:
        shutil.rmtree(trial.directory)
    assert {trial.state for trial in night.go_on(retry_failed=True).trials} == {"completed"}


class TestMistakes:
    """What cannot be tried again is said before anything starts."""

    @pytest.mark.parametrize(
        ("numbers", "message"),
        [
            ("2", "retry_failed: trial 2 is completed; failed are 4, 5, 6"),
            ("4,9", "retry_failed: the sweep has no trial 9; failed are 4, 5, 6"),
            ("0", "retry_failed must be numbers of trials, such as 3,7, or all, got '0'"),
            ("-1", "retry_failed must be numbers of trials, such as 3,7, or all, got '-1'"),
            ("4;5", "retry_failed must be numbers of trials, such as 3,7, or all, got '4;5'"),
            ("", "retry_failed must be numbers of trials, such as 3,7, or all, got ''"),
            ([4.5], "retry_failed must be numbers of trials, such as 3,7, or all, got '4.5'"),
        ],
    )
    def test_numbers(self, night, numbers, message):
        with pytest.raises(InvalidInputError) as caught:
            night.go_on(retry_failed=numbers)
        assert str(caught.value) == message
        assert night.trained == []

    def test_one_that_is_interrupted_is_tried_again_anyway(self, night):
        def stop(parameters, report):
            raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            night.go_on(stop, retry_failed="4")
        with pytest.raises(InvalidInputError, match="trial 4 is interrupted and is tried again anyway; failed are 5"):
            night.go_on(retry_failed="4,5")

    def test_a_sweep_that_is_not_resumed(self, tmp_path):
        with pytest.raises(InvalidInputError, match="retry_failed requires resume, with the output_dir of a sweep"):
            run_sweep(CurveTrainer(), GRID, output_dir=tmp_path / "new", backend="local", retry_failed=True)

    def test_without_a_failed_trial_a_warning_says_so(self, tmp_path):
        options = {"output_dir": tmp_path / "sweep", "backend": "local"}
        run_sweep(CurveTrainer(), GRID, **options)
        result = run_sweep(CurveTrainer(), GRID, resume=True, retry_failed=True, **options)
        assert [str(warning) for warning in result.warnings] == [
            "retry_failed has no effect: none of the 6 trials has failed"
        ]

    def test_a_sweep_at_wandb(self, server, tmp_path):
        options = {"output_dir": tmp_path / "sweep", "sweep_count": 2}
        run_sweep(FailingPointTrainer(error=FULL), GRID, backend="wandb", **options)
        with pytest.raises(InvalidInputError, match="W&B does not hand out a failed run again; train"):
            run_sweep(CurveTrainer(), None, resume=True, retry_failed=True, **options)


@pytest.mark.parametrize(
    ("said", "read"),
    [
        (None, False),
        (False, False),
        (True, True),
        ("all", True),
        ("3", (3,)),
        (3, (3,)),
        (" 3, 7 ", (3, 7)),
        ([7, 3, 7], (7, 3)),
    ],
)
def test_the_ways_to_say_it(said, read):
    options, problems = check_options({"retry_failed": said})
    assert (options.retry_failed, problems) == (read, [])
