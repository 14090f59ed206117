"""A report that asks for training states at given steps, and interrupts the trial at one."""

import ast
import os
import random
import signal
import sys
import time
from pathlib import Path

from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer
from bertnado_train.trial import SilentReport

AUC = Objective("eval/roc_auc", "maximize")


class States:
    """Training states of one trial, written when the report says so."""

    def __init__(self, path, latest=None):
        self.path, self.latest = path, latest
        self.is_wanted = False
        self.written_at, self.reasons, self.refusals, self.resumption = [], [], [], None

    def is_due(self):
        return self.is_wanted

    def written(self, step, seconds):
        self.latest = self.path
        self.written_at.append(step)
        assert seconds > 0

    def not_written(self, reason):
        self.reasons.append(reason)

    def resumed(self, step, history, seconds):
        self.resumption = (step, [row["step"] for row in history], seconds)

    def refused(self, reason):
        self.refusals.append(reason)
        self.latest = None


class Interrupting(SilentReport):
    """Interrupts a trial after a step, or after the evaluation of one, for its state to be written."""

    def __init__(self, directory, states, *, after=None, evaluated=None, every=None, objective=AUC):
        super().__init__(directory, objective)
        self.training_states = states
        self.after, self.evaluated, self.every = after, evaluated, every
        self.logged = {}

    def progress(self, step, metrics=None):
        if metrics:
            self.logged[step] = metrics
        if self.training_states is None:
            return False
        if self.every and step % self.every == 0:
            self.training_states.is_wanted = True
            return False
        self.training_states.is_wanted = step == self.after
        return step == self.after

    def __call__(self, step, value, metrics=None):
        if self.training_states is not None:
            self.training_states.is_wanted |= step == self.evaluated
        return step == self.evaluated


def train_and_kill(model, dataset, directory, kills, parameters):
    """Train one trial that writes its state after every step, in processes that are killed at random moments.

    Each continues from the state that it finds. The last one is left alone and prints the result.
    """
    session = HuggingFaceTrainer(model_name=model, dataset=dataset, task_type="binary_classification").open()
    moments, path = random.Random(5), Path(directory) / "training_state"
    for number in range(kills + 1):
        before = identity_of_file(path)
        child = os.fork()
        if child == 0:
            os._exit(_train(session, Path(directory), parameters))
        if number < kills:
            while identity_of_file(path) == before:
                time.sleep(0.002)
            time.sleep(moments.uniform(0.0, 0.2))
            os.kill(child, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == (-signal.SIGKILL if number < kills else 0)


def identity_of_file(path):
    """A number that changes when the file is replaced; None if there is none."""
    return path.stat().st_mtime_ns if path.exists() else None


def _train(session, directory, parameters):
    path = directory / "training_state"
    states = States(path, path if path.exists() else None)
    result = session.run(parameters, Interrupting(directory, states, every=1))
    print(states.resumption and states.resumption[0], flush=True)
    print(repr((result.value, result.step, list(result.history))), flush=True)
    return len(states.refusals + states.reasons)


if __name__ == "__main__":
    train_and_kill(*sys.argv[1:4], *map(ast.literal_eval, sys.argv[4:]))
