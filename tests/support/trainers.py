"""Small trainers that worker processes can be handed."""

import ctypes
import os
import shutil
import signal
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from bertnado_config import InvalidInputError, TrialResult, read_json, write_json
from bertnado_sweep import run_sweep
from bertnado_sweep.running.events import TrialStarted


@dataclass
class CurveTrainer:
    """Reports a curve: the first parameter `x`, times each share; its value is the best of it."""

    shares: tuple = (1.0, 0.5)
    pause: float = 0.0
    """Seconds before each evaluation, in ten steps."""

    def check(self, config, objective):
        return []

    def open(self):
        return self

    def run(self, parameters, report):
        report.started(10 * len(self.shares), {"arguments": {"learning_rate": parameters["x"]}, "dataset": "abc"})
        values, stopped = [], False
        for number, share in enumerate(self.shares, start=1):
            for step in range(10 * number - 9, 10 * number + 1):
                time.sleep(self.pause / 10)
                stopped = stopped or report.progress(step, {"train/loss": 1.0})
            if stopped:
                break
            values.append(parameters["x"] * share)
            stopped = report(10 * number, values[-1], {"eval/loss": 0.5})
            if stopped:
                break
        best = max(values, default=None)
        return TrialResult(best, step=values and 10 * (values.index(best) + 1), stopped=stopped, seed=7)


class DeviceTrainer(CurveTrainer):
    """Says which GPU its process may use, and which process that is."""

    def run(self, parameters, report):
        report(1, 0.5)
        deadline = time.monotonic() + 30
        while len(list(report.directory.parent.glob("sweep_*/"))) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)  # so that no worker is done before the other has begun
        details = {"gpus": os.environ.get("CUDA_VISIBLE_DEVICES"), "process": os.getpid()}
        return TrialResult(0.5, step=1, details=details)


class DyingTrainer(CurveTrainer):
    """Takes its process with it where `x` is 1, by a signal, or 3, by an exit."""

    def run(self, parameters, report):
        if parameters["x"] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        if parameters["x"] == 3:
            print("out of luck", flush=True)
            os._exit(3)
        return super().run(parameters, report)


@dataclass
class UnopenableTrainer(CurveTrainer):
    """Cannot be opened, or dies of it."""

    dies: bool = False

    def open(self):
        if self.dies:
            os._exit(1)
        raise ValueError("no such model")


class DeafTrainer(CurveTrainer):
    """Reports once, and then hears nothing for a long time."""

    def run(self, parameters, report):
        report(1, 0.5)
        time.sleep(600)
        return TrialResult(0.5, step=1)


@dataclass
class DyingOnceTrainer(CurveTrainer):
    """Takes the first process that trains with it."""

    marker: str = ""

    def run(self, parameters, report):
        try:
            os.close(os.open(self.marker, os.O_CREAT | os.O_EXCL))
        except FileExistsError:
            return super().run(parameters, report)
        return os.kill(os.getpid(), signal.SIGKILL)


class CrashingTrainer(CurveTrainer):
    """Reads where there is no memory."""

    def run(self, parameters, report):
        ctypes.string_at(0)


class FailingTrainer(CurveTrainer):
    """Always fails for the same reason."""

    def run(self, parameters, report):
        raise ValueError("no such file")


@dataclass
class LeavingTrainer(CurveTrainer):
    """Ends the first process that trains with `x` 2, in some way."""

    how: str = ""
    marker: str = ""

    def run(self, parameters, report):
        if parameters["x"] != 2 or Path(self.marker).exists():
            return super().run(parameters, report)
        Path(self.marker).touch()
        if self.how == "exit code 0":
            os._exit(0)
        if self.how == "its record is gone":
            shutil.rmtree(report.directory)
            return TrialResult(2.0, step=1)
        if self.how == "its directory cannot be written":
            shutil.rmtree(report.directory)
            report.directory.write_text("in the way")
            return TrialResult(2.0, step=1)
        raise AssertionError(self.how)


@dataclass
class DetailedTrainer(CurveTrainer):
    """Returns details where `x` is 2."""

    details: dict = field(default_factory=dict)

    def run(self, parameters, report):
        if parameters["x"] != 2:
            return super().run(parameters, report)
        report(1, 0.25)
        return TrialResult(0.25, step=1, details=self.details)


@dataclass
class FillingTrainer(CurveTrainer):
    """Fills the disk where `x` is 2, and leaves it full."""

    filler: str = ""

    def run(self, parameters, report):
        if parameters["x"] == 2:
            with Path(self.filler).open("wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        return super().run(parameters, report)


@dataclass
class SpoilingTrainer(CurveTrainer):
    """Breaks a file in every trial, as an editor that is killed does."""

    file: str = ""

    def run(self, parameters, report):
        report(1, parameters["x"] / 2)
        Path(self.file).write_text('{"x": ')
        return TrialResult(parameters["x"], step=1)


@dataclass
class PoisonedTrainer(CurveTrainer):
    """Takes its process with it where `x` is the poison."""

    poison: float | None = None

    def run(self, parameters, report):
        if parameters["x"] == self.poison:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().run(parameters, report)


def join_and_die(output, marker, config):
    """Join a sweep as a person's script does; the first to do so is killed in its first trial."""
    is_first = not Path(marker).exists()
    Path(marker).touch()

    def observe(event):
        if is_first and isinstance(event, TrialStarted):
            os.kill(os.getpid(), signal.SIGKILL)

    run_sweep(CurveTrainer(), config, output_dir=output, backend="local", resume=True, sweep_count=4, observer=observe)


@dataclass
class FailingGpuTrainer(CurveTrainer):
    """Raises an error on GPU 1, in every trial after the first few, and does well on the others.

    It does so when others have completed a trial, and they do not run out of trials before.
    """

    meeting: str = ""
    """A directory for the workers to wait for each other."""
    error: Exception = field(default_factory=lambda: RuntimeError(NO_KERNEL))
    after: int = 0
    runs: int = 0

    def run(self, parameters, report):
        self.runs += 1
        is_bad = os.environ.get("CUDA_VISIBLE_DEVICES") == "1"
        if is_bad and self.runs > self.after:
            self.meet("bad", "good")
            raise self.error
        if not is_bad and self.runs == 2:
            self.meet("good", "bad")
        return super().run(parameters, report)

    def meet(self, own, other):
        Path(self.meeting, own).touch()
        while not Path(self.meeting, other).exists():
            time.sleep(0.01)


@dataclass
class FailingPointTrainer(CurveTrainer):
    """Raises an error with some values of `x`, wherever it is; says which process has trained."""

    points: tuple = (2,)
    error: Exception = field(default_factory=lambda: RuntimeError(NO_KERNEL))
    marker: str = ""
    """With a marker, only until that file exists; then all is well."""

    def run(self, parameters, report):
        if parameters["x"] in self.points and not (self.marker and Path(self.marker).exists()):
            raise self.error
        found = super().run(parameters, report)
        return replace(found, details={"process": os.getpid()})


@dataclass
class SavingTrainer(CurveTrainer):
    """Trains in small steps, writes its training state, and continues from the one of an earlier attempt."""

    steps: int = 40
    pause: float = 0.0
    """Seconds of each step."""
    dies_at: tuple = ()
    """Steps at which its process is killed, before the state of the step is written."""
    marker: str = ""
    """A directory in which each of these deaths is noted, so that it comes once; without it, each time."""
    interrupted_at: int = 0
    """The step at which a person interrupts its process."""
    training_state_bytes: int = 100

    def run(self, parameters, report):
        report.started(self.steps, {})
        states, state = report.training_states, {"step": 0, "sum": 0.0, "history": [], "x": parameters["x"]}
        if states is not None and states.latest is not None:
            state = self.found(states, state)
        stopped = False
        while state["step"] < self.steps and not stopped:
            state["step"] += 1
            time.sleep(self.pause)
            self.die_at(state["step"])
            if state["step"] == self.interrupted_at:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(0.2)  # the signal is handled in the main thread
            state["sum"] += parameters["x"] * state["step"]
            stopped = report.progress(state["step"], {"train/loss": 1.0})
            if state["step"] % 5 == 0:
                state["history"].append({"step": state["step"], "score": state["sum"]})
                stopped = report(state["step"], state["sum"]) or stopped
            if states is not None and states.is_due():
                write_json(states.path, state)
                states.written(state["step"], 0.0)
        value = state["history"][-1]["score"] if state["history"] else None
        is_early = stopped and state["step"] < self.steps
        return TrialResult(value, step=state["step"], history=state["history"], stopped=is_early)

    def found(self, states, new):
        try:
            state = read_json(states.latest)
        except InvalidInputError:
            states.refused("is damaged")
            return new
        states.resumed(state["step"], state["history"], 7.0)
        return state

    def die_at(self, step):
        if step not in self.dies_at:
            return
        noted = Path(self.marker, str(step))
        if not self.marker or not noted.exists():
            if self.marker:
                noted.touch()
            os.kill(os.getpid(), signal.SIGKILL)


NO_KERNEL = "CUDA error: no kernel image is available for execution on the device"
ASSERTED = "CUDA error: device-side assert triggered"
