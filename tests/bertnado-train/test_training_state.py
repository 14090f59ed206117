"""A trial that is interrupted and continues from its training state gives the numbers of one that was not."""

import os
import random
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from bertnado_config import TrainingInputs
from bertnado_metrics import Objective
from bertnado_train import train_on_all_rows
from bertnado_train.batch_size_limit import BatchSizeLimit
from bertnado_train.state_file import StateError, read_state_file, write_state_file
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import run_trial
from safetensors.torch import load_file
from support.states import AUC, Interrupting, States

BASE = {"epochs": 2, "per_device_train_batch_size": 12, "eval_steps": 4, "learning_rate": 1e-3, "logging_steps": 3}
"""16 steps on the 96 rows of train, 8 in an epoch; the model has dropout."""

KINDS = {
    "random order": {},
    "grouped by length": {"group_by_length": True},
    "accumulated": {"per_device_train_batch_size": 5, "gradient_accumulation_steps": 3},
    "the last rows dropped": {"dataloader_drop_last": True, "per_device_train_batch_size": 9},
    "evaluated by epoch": {"eval_strategy": "epoch", "epochs": 3, "per_device_train_batch_size": 20},
    "a part of an epoch": {"epochs": None, "max_steps": 13},
    "evaluated before the first step": {"eval_on_start": True},
    "warmup, cosine and no momentum": {"optim": "sgd", "lr_scheduler_type": "cosine", "warmup_ratio": 0.2},
    "adafactor": {"optim": "adafactor"},
    "frozen layers": {"freeze": 1},
    "a frozen backbone, with cached features": {"freeze": "backbone"},
    "adapters": {"lora_r": 4, "lora_dropout": 0.1},
    "rates by layer": {"layer_lr_decay": 0.8, "head_learning_rate": 5e-3},
    "a rate that depends on the evaluations": {"lr_scheduler_type": "reduce_lr_on_plateau"},
    "noise in the embeddings, and seeds": {"neftune_noise_alpha": 5.0, "seed": 7, "data_seed": 3},
    "grouped, accumulated, dropped and by epoch": {
        "group_by_length": True,
        "per_device_train_batch_size": 4,
        "gradient_accumulation_steps": 2,
        "dataloader_drop_last": True,
        "eval_strategy": "epoch",
    },
}

SLOW = (
    "the last rows dropped",
    "a part of an epoch",
    "evaluated before the first step",
    "warmup, cosine and no momentum",
    "adafactor",
    "rates by layer",
    "frozen layers",
    "grouped by length",
)
"""Kinds that the others nearly cover."""


@pytest.fixture(scope="module")
def setup(model_dir, dataset_dir):
    return open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=dataset_dir))


class Run:
    """One attempt of a trial, and everything that it left."""

    def __init__(self, setup, directory, parameters, latest=None, *, limit=None, objective=AUC, patience=None, **asked):
        directory.mkdir()
        given = {name: value for name, value in (BASE | parameters).items() if value is not None}
        self.states = States(directory / "training_state", latest)
        self.report = Interrupting(directory, self.states, objective=objective, **asked)
        self.result, trainer = run_trial(
            setup, given, self.report, directory / "checkpoint", batch_size_limit=limit, patience=patience
        )
        self.weights = {name: weight.clone() for name, weight in trainer.model.state_dict().items()}

    @property
    def path(self):
        return self.states.path

    @property
    def outcome(self):
        """What must be the same: value, step, history, and the weights that are kept."""
        result = self.result
        weights = {name: weight.numpy().tobytes() for name, weight in self.weights.items()}
        return result.value, result.step, list(result.history), result.stopped, weights


@pytest.fixture
def attempt(setup, tmp_path):
    """Run an attempt of a trial."""

    def run(parameters=(), latest=None, setup=setup, **asked):
        return Run(setup, tmp_path / f"attempt{len(list(tmp_path.iterdir()))}", dict(parameters), latest, **asked)

    return run


class TestTheSameNumbers:
    """Of a trial that ran through, and of one that was interrupted."""

    @pytest.mark.parametrize(
        "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind in SLOW else []) for kind in KINDS]
    )
    def test_whatever_step_it_was_interrupted_at(self, attempt, kind):
        whole = attempt(KINDS[kind])
        total = whole.result.history[-1]["step"]
        per_epoch = round(total / whole.result.history[-1]["epoch"])
        for step in {per_epoch, random.Random(kind).randrange(1, total)}:
            first = attempt(KINDS[kind], after=step)
            assert (first.states.written_at, first.result.stopped) == ([step], True)
            again = attempt(KINDS[kind], first.path)
            assert again.outcome == whole.outcome
            assert again.states.resumption[0] == step
            losses = {step: logged["train/loss"] for step, logged in whole.report.logged.items()}
            both = {**first.report.logged, **again.report.logged}
            assert {step: logged["train/loss"] for step, logged in both.items()} == losses

    @pytest.mark.parametrize("parameters", [{}, {"eval_strategy": "epoch"}])
    def test_if_it_is_interrupted_after_every_few_steps(self, attempt, parameters):
        whole, latest = attempt(parameters), None
        for step in (1, 4, 7, 8, 9, 15):
            latest = attempt(parameters, latest, after=step).path
        assert attempt(parameters, latest).outcome == whole.outcome

    @pytest.mark.parametrize(("parameters", "step"), [({}, 4), ({}, 8), ({"eval_strategy": "epoch"}, 8)])
    def test_if_it_was_interrupted_during_an_evaluation(self, attempt, parameters, step):
        whole, first = attempt(parameters), attempt(parameters, evaluated=step)
        assert first.states.written_at == [step]
        assert attempt(parameters, first.path).outcome == whole.outcome

    def test_if_it_was_killed_after_a_state_that_was_not_its_last_word(self, attempt, whole):
        first = attempt(every=6)
        assert first.outcome == whole.outcome
        assert first.states.written_at == [6, 12]
        assert attempt((), first.path).outcome == whole.outcome

    def test_if_patience_ends_it(self, attempt):
        unlucky = {"learning_rate": 0.0, "eval_steps": 2}
        whole = attempt(unlucky, patience=5)
        assert len(whole.result.history) == 6
        first = attempt(unlucky, patience=5, after=7)
        assert attempt(unlucky, first.path, patience=5).outcome == whole.outcome

    def test_with_labels_that_are_scaled(self, write_dataset, sequences, model_dir, attempt):
        rng = np.random.default_rng(0)
        splits = {
            name: {"sequence": texts, "labels": (50 + 9 * rng.normal(size=len(texts))).tolist()}
            for name, (texts, _) in sequences.items()
        }
        inputs = TrainingInputs(model_name=str(model_dir), dataset=write_dataset(**splits), task_type="regression")
        asked = {"setup": open_training_setup(inputs), "objective": Objective("eval/r2", "maximize")}
        whole, first = attempt(**asked), attempt(after=9, **asked)
        assert attempt((), first.path, **asked).outcome == whole.outcome

    def test_with_the_micro_batches_that_the_first_attempt_came_to(self, attempt):
        limited = BatchSizeLimit(smallest_failed=5, evaluation=16)
        whole, first = attempt(limit=limited), attempt(limit=limited, after=9)
        again = attempt((), first.path, limit=BatchSizeLimit())
        arguments = again.result.details["arguments"]
        assert (arguments["per_device_train_batch_size"], arguments["gradient_accumulation_steps"]) == (4, 3)
        assert arguments["per_device_eval_batch_size"] == 16
        assert again.outcome == whole.outcome

    def test_with_a_schedule_free_optimiser(self, attempt):
        free = {"optim": "schedule_free_adamw", "lr_scheduler_type": "constant"}
        whole = attempt(free)
        for step in (8, 9):
            assert attempt(free, attempt(free, after=step).path).outcome == whole.outcome

    def test_of_a_final_model_that_selects_no_checkpoint(self, model_dir, dataset_dir, tmp_path):
        inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset_dir)

        def train(name, states, **asked):
            (tmp_path / name).mkdir()
            report = Interrupting(tmp_path / name, states, **asked)
            return train_on_all_rows(inputs, BASE, AUC, tmp_path / name, steps=13, report=report)

        whole = train("whole", States(tmp_path / "whole" / "training_state"), every=6)
        again = train("again", States(tmp_path / "again" / "training_state", tmp_path / "whole" / "training_state"))
        weights = [load_file(final.model_path / "model.safetensors") for final in (whole, again)]
        assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])


class TestItsEnd:
    """What is left to interrupt."""

    def test_no_state_is_written_after_the_last_step_and_a_trial_that_reached_it_is_complete(self, attempt):
        last = attempt({"epochs": None, "max_steps": 6}, after=6)
        assert (last.states.written_at, last.result.stopped) == ([], False)
        assert [row["step"] for row in last.result.history] == [4, 6]

    def test_a_trial_that_is_interrupted_within_an_epoch_is_not_evaluated_at_its_end(self, attempt):
        assert attempt({"eval_strategy": "epoch"}, after=7).result.history == []

    def test_its_timings_are_those_of_all_attempts(self, attempt):
        first = attempt(after=9)
        again = attempt((), first.path)
        assert first.result.timings["states"] > 0
        assert again.states.resumption[2] > 0
        for name, seconds in first.result.timings.items():
            if name in ("prepare", "evaluate"):
                assert again.result.timings[name] > seconds


@pytest.fixture(scope="module")
def whole(setup, tmp_path_factory):
    return Run(setup, tmp_path_factory.mktemp("whole") / "trial", {})


@pytest.fixture(scope="module")
def interrupted(setup, tmp_path_factory):
    return Run(setup, tmp_path_factory.mktemp("interrupted") / "trial", {}, after=9)


@pytest.fixture
def state(interrupted, tmp_path):
    """A copy of a training state."""
    path = tmp_path / "state"
    path.write_bytes(interrupted.path.read_bytes())
    return path


def cut(path):
    os.truncate(path, path.stat().st_size // 2)


def empty(path):
    path.write_bytes(b"")


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def overwrite(path):
    path.write_bytes(b"PK" + bytes(5000))


def replace_by_directory(path):
    path.unlink()
    path.mkdir()


def rewrite(**changes):
    def change(path):
        write_state_file(path, read_state_file(path) | changes)

    return change


def change_identity(**changes):
    def change(path):
        content = read_state_file(path)
        content["identity"] |= changes
        write_state_file(path, content)

    return change


def lose_a_weight(path):
    content = read_state_file(path)
    content["state"]["weights"].popitem()
    write_state_file(path, content)


def lose_the_optimiser(path):
    content = read_state_file(path)
    content["state"]["optimizer"]["param_groups"].pop()
    write_state_file(path, content)


UNFIT = {
    cut: "cannot be read: .*",
    empty: "cannot be read: .*",
    flip: "is damaged: its checksum differs",
    overwrite: "cannot be read: .*",
    replace_by_directory: "is not a file",
    rewrite(format=99): "has format 99, not 1",
    change_identity(torch="1.0"): r"belongs to another training run: torch was '1\.0', and is '.*'",
    change_identity(dataset={"fingerprint": "abc"}): "belongs to another .*: dataset.fingerprint was 'abc', and is .*",
    lose_a_weight: r"does not fit: 1 weights do not belong to what is trained, among them '.*'",
    lose_the_optimiser: "does not fit: .*",
}


class TestAStateThatCannotBeUsed:
    """It is said, and the trial begins anew."""

    @pytest.mark.parametrize(("damage", "reason"), UNFIT.items(), ids=lambda case: getattr(case, "__name__", ""))
    def test_whatever_is_wrong_with_it(self, attempt, state, damage, reason, whole):
        damage(state)
        again = attempt((), state)
        [refusal] = again.states.refusals
        assert again.outcome == whole.outcome
        assert re.fullmatch(reason, refusal)

    @pytest.mark.parametrize(
        ("parameters", "reason"),
        [
            ({"learning_rate": 2e-3}, "parameters.learning_rate was 0.001, and is 0.002"),
            ({"epochs": 3}, "parameters.epochs was 2, and is 3"),
            ({"seed": 1}, "parameters.seed was None, and is 1"),
        ],
    )
    def test_with_other_parameters(self, attempt, state, parameters, reason):
        assert attempt(parameters, state).states.refusals == [f"belongs to another training run: {reason}"]

    def test_a_state_that_cannot_be_written_costs_the_trial_nothing(self, setup, tmp_path, whole):
        states = States(tmp_path / "no such directory" / "training_state")
        report = Interrupting(tmp_path, states, every=9)
        result, _ = run_trial(setup, BASE, report, tmp_path / "checkpoint")
        [reason] = states.reasons
        assert "No such file or directory" in reason
        assert result.history == whole.result.history


class TestTheFile:
    """What a state is on disk."""

    def test_it_is_one_file_with_the_mode_of_any_other(self, interrupted):
        directory = interrupted.path.parent
        assert {path.name for path in directory.iterdir()} == {"training_state", "checkpoint"}
        (directory / "other").touch()
        assert interrupted.path.stat().st_mode == (directory / "other").stat().st_mode
        (directory / "other").unlink()

    def test_it_holds_no_key(self, attempt, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        monkeypatch.setenv("WANDB_API_KEY", "wandb_secret")
        content = attempt(after=9).path.read_bytes()
        assert b"secret" not in content

    def test_its_size_is_what_is_said_of_it(self, interrupted, model_dir, dataset_dir):
        from bertnado_train import HuggingFaceTrainer

        said = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir).training_state_bytes
        assert said / 1.1 < interrupted.path.stat().st_size < said * 1.1 + 50_000

    @pytest.mark.parametrize(
        "value",
        [
            {"list": [1, 2.5, None, True, "x"], 3: (1, ((2,), [])), "more": float("inf")},
            {
                "t": torch.arange(3),
                "empty": torch.zeros(0),
                "scalar": torch.tensor(1.5),
                "half": torch.ones(3).bfloat16(),
            },
            {"array": np.arange(4.0), "number": np.float64(0.1), "flag": np.bool_(True)},
        ],
    )
    def test_values_come_back_as_they_were(self, tmp_path, value):
        write_state_file(tmp_path / "file", {"value": value})
        again = read_state_file(tmp_path / "file")["value"]
        assert again.keys() == value.keys()
        for name, expected in value.items():
            if isinstance(expected, torch.Tensor):
                assert torch.equal(again[name], expected)
            else:
                assert (
                    np.array_equal(again[name], expected)
                    if isinstance(expected, np.ndarray)
                    else again[name] == expected
                )

    def test_tensors_that_share_memory_are_each_kept(self, tmp_path):
        whole = torch.arange(6.0)
        write_state_file(tmp_path / "file", {"a": whole, "b": whole, "part": whole[2:4], "turned": whole.view(2, 3).T})
        again = read_state_file(tmp_path / "file")
        assert [again[name].tolist() for name in ("a", "b", "part")] == [whole.tolist(), whole.tolist(), [2.0, 3.0]]
        assert again["turned"].tolist() == [[0.0, 3.0], [1.0, 4.0], [2.0, 5.0]]

    def test_what_is_no_plain_value_is_refused_and_the_old_file_stays(self, tmp_path):
        write_state_file(tmp_path / "file", {"value": 1})
        with pytest.raises(TypeError, match="a training state cannot hold set"):
            write_state_file(tmp_path / "file", {"value": {1}})
        assert read_state_file(tmp_path / "file") == {"value": 1}
        assert [path.name for path in tmp_path.iterdir()] == ["file"]

    def test_a_file_that_is_not_there_is_none(self, tmp_path):
        with pytest.raises(StateError, match="is not a file"):
            read_state_file(tmp_path / "file")


@pytest.mark.slow
def test_kills_at_random_moments_between_and_during_writes_change_nothing(model_dir, dataset_dir, tmp_path, setup):
    parameters = BASE | {"epochs": 12}
    whole, _ = run_trial(setup, parameters, Interrupting(tmp_path, None), tmp_path / "checkpoint")
    words = [str(model_dir), str(dataset_dir), str(tmp_path), "4", repr(parameters)]
    tests = Path(__file__).parents[1]
    done = subprocess.run([sys.executable, "-m", "support.states", *words], cwd=tests, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    step, outcome = done.stdout.splitlines()
    assert int(step) > 5
    assert outcome == repr((whole.value, whole.step, list(whole.history)))
