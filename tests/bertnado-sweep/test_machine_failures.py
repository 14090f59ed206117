"""Failures of a machine: its worker leaves, its trials are tried elsewhere, and nothing is booked on the parameters."""

import errno
import os

import pytest
from bertnado_config import MachineError, TrialError, read_best_config, read_json
from bertnado_sweep import TooManyFailuresError, WorkersLeftError, recorded_status, run_sweep
from bertnado_sweep.records.trial import Trial
from bertnado_sweep.running.blame import Blame, blame_for
from bertnado_sweep.running.events import Note, TrialEnded
from bertnado_sweep.running.worker_history import WorkerHistory
from support.machines import end, hear
from support.trainers import ASSERTED, NO_KERNEL, CurveTrainer, FailingGpuTrainer, FailingPointTrainer

GRID = {
    "method": "grid",
    "metric": {"name": "score", "goal": "maximize"},
    "parameters": {"x": {"values": list(range(1, 13))}},
}
FAILURE = f"failure of the machine: RuntimeError: {NO_KERNEL}"


@pytest.fixture
def sweep(tmp_path, monkeypatch):
    """Run a sweep in one process, or with as many workers as GPUs are named."""

    def run(trainer, config=GRID, gpus="", **options):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", gpus)
        return run_sweep(trainer, config, **{"output_dir": tmp_path / "sweep", "backend": "local"} | options)

    return run


def states(output):
    return [trial.state for trial in recorded_status(output).trials]


class TestWhoseFailureItIs:
    """`blame_for` decides by the kind of an exception."""

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError(NO_KERNEL),
            RuntimeError("CUDA error: an illegal memory access was encountered"),
            RuntimeError("CUDA error: unspecified launch failure\nCompile with TORCH_USE_CUDA_DSA"),
            RuntimeError("CUDA error: uncorrectable ECC error encountered"),
            RuntimeError("CUDA unknown error - this may be due to an incorrectly set up environment"),
            RuntimeError("No CUDA GPUs are available"),
            RuntimeError("Found no NVIDIA driver on your system."),
            RuntimeError("The NVIDIA driver on your system is too old (found version 11040)."),
            RuntimeError("CUDA driver initialization failed, you might not have a CUDA gpu."),
            RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"),
            RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
            RuntimeError("HIP error: the operation cannot be performed in the present state"),
            RuntimeError("Unable to determine the device handle for GPU 0000:3B:00.0: GPU is lost"),
            OSError(errno.EIO, "Input/output error", "data.arrow"),
            OSError(errno.ESTALE, "Stale file handle"),
            OSError(errno.ENXIO, "No such device or address"),
            RuntimeError("Caught OSError in DataLoader worker process 0.\nOSError: [Errno 5] Input/output error"),
            MachineError("the GPU has gone"),
        ],
    )
    def test_it_is_the_machines(self, error):
        assert blame_for(error).culprit == "machine"

    @pytest.mark.parametrize(
        "error",
        [
            RuntimeError("CUDA out of memory. Tried to allocate 20.00 GiB"),
            RuntimeError("CUDA error: out of memory"),
            RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
            MemoryError(),
            RuntimeError(ASSERTED),
            RuntimeError("CUDA error: invalid configuration argument"),
            RuntimeError("CUDA error: CUBLAS_STATUS_INVALID_VALUE when calling `cublasSgemm`"),
            TrialError("the loss is nan after step 2"),
        ],
    )
    def test_it_is_the_trials(self, error):
        assert blame_for(error).culprit == "trial"

    @pytest.mark.parametrize(
        "error",
        [
            OSError(errno.ENOSPC, "No space left on device"),
            FileNotFoundError(errno.ENOENT, "No such file or directory", "mine.csv"),
            ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
            ValueError("max_length must be positive"),
            AssertionError("Torch not compiled with CUDA enabled"),
        ],
    )
    def test_it_is_unclear(self, error):
        assert blame_for(error).culprit == "unclear"

    def test_the_errors_behind_an_error_tell_as_well(self):
        def wrapped(*, hides):
            try:
                try:
                    raise OSError(errno.EIO, "Input/output error")
                except OSError as error:
                    if hides:
                        raise ValueError("no rows") from None
                    raise ValueError("no rows") from error
            except ValueError as error:
                return error

        assert blame_for(wrapped(hides=False)).culprit == "machine"
        assert blame_for(wrapped(hides=True)).culprit == "unclear"

    def test_after_a_device_side_assert_the_process_cannot_use_its_gpu(self):
        assert blame_for(RuntimeError(ASSERTED)) == Blame("trial", ends_process=True)
        assert not blame_for(RuntimeError("CUDA out of memory.")).ends_process


class TestOneWorker:
    """A machine with one worker that fails."""

    def test_it_ends_the_sweep_with_the_reason_and_the_cure_and_keeps_the_best(self, sweep, tmp_path):
        with pytest.raises(WorkersLeftError) as caught:
            sweep(FailingPointTrainer(points=range(4, 13)))
        said = str(caught.value).splitlines()
        assert said[0].endswith("because its only worker has left:")
        assert said[1] == f"  1 of 1: RuntimeError: {NO_KERNEL}"
        assert said[2].startswith("check the machine")
        trials = recorded_status(tmp_path / "sweep").trials
        assert [trial.state for trial in trials] == ["completed"] * 3 + ["interrupted"]
        assert trials[3].error == FAILURE
        assert "RuntimeError: CUDA error" in (trials[3].directory / "error.txt").read_text()
        assert read_best_config(tmp_path / "sweep" / "best_sweep_config.json").parameters == {"x": 3}

    def test_what_it_left_is_tried_again_when_the_sweep_is_resumed(self, sweep):
        with pytest.raises(WorkersLeftError):
            sweep(FailingPointTrainer(points=range(4, 13)))
        result = sweep(CurveTrainer(), resume=True)
        assert [trial.attempt for trial in result.trials] == [1, 1, 1, 2] + [1] * 8
        assert {trial.state for trial in result.trials} == {"completed"}

    def test_a_trial_that_fails_like_this_again_and_again_does_not_keep_the_sweep_from_going_on(self, sweep):
        with pytest.raises(WorkersLeftError):
            sweep(FailingPointTrainer())
        result = sweep(FailingPointTrainer(), resume=True)
        assert [trial.state for trial in result.trials] == ["completed", "failed"] + ["completed"] * 10
        assert (result.trials[1].attempt, result.trials[1].error) == (2, f"RuntimeError: {NO_KERNEL}")

    def test_a_trainer_that_cannot_be_opened_because_of_the_machine_is_no_failure_of_a_trial(self, sweep, tmp_path):
        class Lost(CurveTrainer):
            def open(self):
                raise MachineError("GPU 0 has gone")

        with pytest.raises(WorkersLeftError, match="MachineError: GPU 0 has gone"):
            sweep(Lost())
        assert states(tmp_path / "sweep") == []

    @pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory."), OSError(errno.ENOSPC, "No space left")])
    def test_failures_of_trials_stay_failures(self, sweep, error):
        result = sweep(FailingPointTrainer(points=(2, 5, 6, 7), error=error))
        assert [trial.parameters["x"] for trial in result.trials if trial.state == "failed"] == [2, 5, 6, 7]

    @pytest.mark.slow
    def test_after_a_device_side_assert_another_process_goes_on(self, sweep):
        result = sweep(FailingPointTrainer(error=RuntimeError(ASSERTED)), sweep_count=4)
        assert [trial.state for trial in result.trials] == ["completed", "failed", "completed", "completed"]
        processes = [trial.details["process"] for trial in result.trials if trial.details]
        assert processes[0] == os.getpid()
        assert processes[1] == processes[2] != os.getpid()

    def test_it_ends_the_sweep_where_the_trainer_cannot_be_sent_to_another_process(self, sweep, tmp_path):
        def train(parameters, report):
            raise RuntimeError(ASSERTED)

        with pytest.raises(WorkersLeftError, match=r"this process cannot use its GPU after .*device-side assert"):
            sweep(train)
        assert states(tmp_path / "sweep") == ["failed"]


class TestSeveralWorkers:
    """Workers on several GPUs, one of which fails."""

    def test_the_worker_leaves_and_the_others_take_its_trial(self, sweep, tmp_path):
        heard = []
        result = sweep(FailingGpuTrainer(meeting=str(tmp_path)), gpus="0,1", observer=heard.append)
        assert {trial.state for trial in result.trials} == {"completed"}
        assert len(result.trials) == 12
        interrupted = [event.trial for event in heard if isinstance(event, TrialEnded) and event.trial.error]
        assert [trial.error for trial in interrupted] == [FAILURE]
        notes = [event.text for event in heard if isinstance(event, Note)]
        assert [note for note in notes if "has left" in note] == [
            f"the worker on GPU 1 has left the sweep, and others go on: RuntimeError: {NO_KERNEL}"
        ]

    def test_a_gpu_that_fails_after_some_good_trials_costs_none(self, sweep, tmp_path):
        result = sweep(FailingGpuTrainer(meeting=str(tmp_path), after=2), gpus="0,1")
        assert {trial.state for trial in result.trials} == {"completed"}

    def test_when_all_have_left_the_sweep_ends(self, sweep, tmp_path):
        with pytest.raises(WorkersLeftError) as caught:
            sweep(FailingPointTrainer(points=range(1, 13)), gpus="0,1")
        assert str(caught.value).splitlines()[:2][1] == f"  2 of 2: RuntimeError: {NO_KERNEL}"
        assert states(tmp_path / "sweep") == ["interrupted", "interrupted"]

    def test_a_trial_does_not_drive_out_one_worker_after_the_other(self, sweep):
        result = sweep(FailingPointTrainer(pause=0.1), gpus="0,1,2")
        failed = [trial for trial in result.trials if trial.state == "failed"]
        assert [(trial.parameters["x"], trial.error) for trial in failed] == [(2, f"RuntimeError: {NO_KERNEL}")]
        assert len(result.trials) == 12

    def test_three_failures_for_one_reason_make_a_worker_leave_if_others_train(self, sweep, tmp_path):
        error = OSError(errno.ENOSPC, "No space left on device")
        heard = []
        trainer = FailingGpuTrainer(meeting=str(tmp_path), error=error, after=1, pause=0.1)
        result = sweep(trainer, gpus="0,1", observer=heard.append)
        assert {trial.state for trial in result.trials} == {"completed"}
        assert sorted(trial.attempt for trial in result.trials) == [1] * 9 + [2] * 3
        assert any("its last 3 trials failed, but not those of other workers" in str(event) for event in heard)
        ended = {event.trial.number: event.trial.state for event in heard if isinstance(event, TrialEnded)}
        assert sorted(ended.values()) == ["completed"] * 12
        states = [event.trial.state for event in heard if isinstance(event, TrialEnded)]
        assert (states.count("failed"), states.count("interrupted")) == (2, 3)
        first = [read_json(path) for path in (tmp_path / "sweep").glob("sweep_*/trial.json")]
        left = [record["error"] for record in first if record["state"] == "interrupted"]
        assert left == ["failure of the machine: OSError: [Errno 28] No space left on device"] * 3

    def test_the_first_three_failures_end_the_sweep_as_ever(self, sweep):
        with pytest.raises(TooManyFailuresError, match="the first 3 trials failed for the same reason"):
            sweep(FailingPointTrainer(points=range(1, 13), error=ValueError("no such file")), gpus="0,1")


@pytest.mark.parametrize("error", [RuntimeError(NO_KERNEL), OSError(errno.ENOSPC, "No space left on device")])
@pytest.mark.slow
def test_a_machine_that_joins_and_fails_leaves_alone(machine, tmp_path, error):
    output = tmp_path / "sweep"
    good = machine(output_dir=output, config=GRID, backend="local", pause=0.5)
    hear(good, "TrialEnded")
    with pytest.raises(WorkersLeftError):
        run_sweep(FailingPointTrainer(points=range(1, 13), error=error), None, output_dir=output, join=True)
    assert good.poll() is None
    end(good)
    assert states(output) == ["completed"] * 12


class TestAtWandb:
    """Agents of W&B on a machine that fails."""

    @pytest.fixture
    def sweep(self, server, tmp_path):
        """Run a sweep whose trials W&B chooses."""

        def run(trainer, **options):
            return run_sweep(trainer, GRID, output_dir=tmp_path / "sweep", backend="wandb", sweep_count=4, **options)

        return run

    def test_the_agent_leaves_and_its_trial_is_interrupted(self, sweep, tmp_path):
        with pytest.raises(WorkersLeftError, match="no kernel image"):
            sweep(FailingPointTrainer())
        assert states(tmp_path / "sweep") == ["completed", "interrupted"]
        assert recorded_status(tmp_path / "sweep").trials[1].error == FAILURE

    def test_after_a_device_side_assert_another_process_goes_on(self, sweep):
        result = sweep(FailingPointTrainer(error=RuntimeError(ASSERTED)), workers=2)
        assert sorted(trial.state for trial in result.trials) == ["completed"] * 3 + ["failed"]
        assert len({trial.details["process"] for trial in result.trials if trial.details}) >= 2

    def test_the_run_is_handed_out_again_and_fails_for_good_the_third_time(self, sweep, tmp_path):
        found = []
        for resume in (False, True, True):
            with pytest.raises(WorkersLeftError):
                sweep(FailingPointTrainer(), resume=resume)
            trial = recorded_status(tmp_path / "sweep").trials[1]
            found.append((trial.state, trial.attempt))
        assert found == [("interrupted", 1), ("interrupted", 2), ("failed", 3)]
        result = sweep(FailingPointTrainer(), resume=True)
        assert [trial.state for trial in result.trials] == ["completed", "failed", "completed", "completed"]

    def test_one_agent_alone_ends_after_it_and_says_so(self, sweep, tmp_path):
        with pytest.raises(WorkersLeftError, match=r"this process cannot use its GPU after .*device-side assert"):
            sweep(FailingPointTrainer(error=RuntimeError(ASSERTED)))
        assert states(tmp_path / "sweep") == ["completed", "failed"]


class TestThreeInARow:
    """`WorkerHistory` compares a worker that fails with the others."""

    ERROR = "ValueError: no such optimiser"

    @pytest.fixture
    def judge(self, tmp_path):
        """Judge a worker, process `me`, whose trials 10, 11 and 12 failed for one reason, besides other attempts."""

        def judge(*others, culprit="unclear"):
            history = WorkerHistory("me")
            known = [(process, trial(tmp_path, number, state)) for number, (process, state) in enumerate(others)]
            for number in (10, 11, 12):
                ended = trial(tmp_path, number, "failed")
                verdict = history.judge(ended, Blame(culprit), lambda: known)
                known.append(("me", verdict.trial))
            return [verdict.trial.state, *(other.state for other in verdict.others)]

        def trial(directory, number, state):
            value, error = (1.0, None) if state == "completed" else (None, self.ERROR)
            return Trial(number, str(number), state, {}, directory, "", value=value, error=error)

        return judge

    def test_it_leaves_if_another_worker_has_completed_a_trial(self, judge):
        assert judge(("other", "completed")) == ["interrupted"] * 3

    def test_it_stays_if_none_has(self, judge):
        assert judge() == ["failed"]
        assert judge(("me", "completed"), ("other", "failed")) == ["failed"]

    def test_it_stays_if_a_worker_that_failed_for_this_reason_has_completed_a_trial_since(self, judge):
        assert judge(("other", "failed"), ("other", "completed")) == ["failed"]
        assert judge(("other", "completed"), ("other", "failed")) == ["interrupted"] * 3
        assert judge(("other", "completed"), ("me", "failed"), ("me", "completed")) == ["failed"]

    def test_it_stays_if_the_reason_is_the_trials_by_its_kind(self, judge):
        assert judge(("other", "completed"), culprit="trial") == ["failed"]
