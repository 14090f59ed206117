"""What trials cost is measured before the first one, in a process that may take all memory, or die."""

import os
import pickle
from contextlib import closing
from pathlib import Path

import pytest
import torch
from bertnado_config import InvalidInputError, parse_sweep_config
from bertnado_metrics import Objective
from bertnado_train import HuggingFaceTrainer
from bertnado_train.dry_run import forecast_trials
from bertnado_train.other_process import OtherProcess, ProcessDiedError, UnreachableProcessError
from bertnado_train.trial import SilentReport
from support import other_process
from support.custom_models import CLASSIFIER, write_model
from transformers import BertForSequenceClassification

AUC = Objective("eval/roc_auc", "maximize")
TRIAL = {"max_steps": 8, "eval_steps": 4, "per_device_train_batch_size": 24, "learning_rate": 1e-3}
TRAINED = "        if self.training and len(input_ids) > {rows}:\n            {does}\n        hidden ="
"""The first line of a model's `forward` with something that it does in training with more rows than some."""


def sweep(**parameters):
    declared = {name: value if isinstance(value, dict) else {"value": value} for name, value in parameters.items()}
    return parse_sweep_config({"method": "random", "parameters": declared})


@pytest.fixture(scope="module")
def trainer(model_dir, dataset_dir):
    return HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)


@pytest.fixture
def custom_trainer(tmp_path, dataset_dir):
    """A trainer of a model that does something in training with more rows than some."""

    def make(rows, does):
        write_model(tmp_path / "model", CLASSIFIER.replace("        hidden =", TRAINED.format(rows=rows, does=does)))
        return HuggingFaceTrainer(model_name=str(tmp_path / "model"), dataset=dataset_dir, trust_remote_code=True)

    return make


def forecast(trainer, tmp_path, *trials, config=None, workers=1):
    places = [{"OMP_NUM_THREADS": "1"}] * workers
    trials = [TRIAL | trial for trial in trials] or [TRIAL]
    config = config or sweep(**trials[0])
    return trainer.forecast(config, AUC, trials, places=places, directory=tmp_path)


def test_every_part_of_a_trial_is_measured_and_nothing_stays(trainer, tmp_path):
    found = forecast(trainer, tmp_path)
    assert found.measured.endswith("training steps with batches of up to 24 rows, an evaluation, a checkpoint")
    assert found.batch == 24
    assert found.median_step > 0
    assert found.longest_step > 0
    assert found.evaluation > 0
    assert 2**20 < found.memory_bytes < 2**36
    assert trainer.checkpoint_bytes < found.checkpoint_bytes < 2 * trainer.checkpoint_bytes
    assert found.trials_per_gpu is None
    assert found.problems == []
    (trial,) = found.trials
    assert trial.evaluations == 2
    assert 0 < trial.evaluation_seconds < trial.seconds
    assert list(tmp_path.iterdir()) == []


def test_more_steps_make_a_trial_longer_in_proportion(trainer, tmp_path):
    lengths = [100, 200, 1200]
    trials = [{"max_steps": steps, "eval_steps": steps} for steps in lengths]
    short, middle, long = forecast(trainer, tmp_path, *trials).trials
    assert long.seconds - middle.seconds == pytest.approx(10 * (middle.seconds - short.seconds))


def test_the_shortest_and_the_longest_are_of_all_trials_that_the_file_allows(trainer, tmp_path):
    config = sweep(**TRIAL | {"max_steps": {"values": [4, 8, 400]}})
    found = forecast(trainer, tmp_path, config=config)
    assert found.shortest.seconds < found.trials[0].seconds < found.longest.seconds
    assert found.longest.evaluations == 100


def test_batches_of_several_sizes_are_told_apart(trainer, tmp_path):
    sizes = [{"per_device_train_batch_size": size, "max_steps": -1, "epochs": 50} for size in (2, 24)]
    small, large = forecast(trainer, tmp_path, *sizes).trials
    assert large.seconds < small.seconds  # 600 batches and optimiser steps instead of 7200


def test_kinds_of_trials_are_measured_one_by_one(trainer, tmp_path):
    kinds = [{"gradient_checkpointing": value} for value in (True, False, True)]
    found = forecast(trainer, tmp_path, *kinds)
    assert found.measured.endswith("; with gradient_checkpointing True; gradient_checkpointing False")
    found = forecast(trainer, tmp_path, {"freeze": "none"}, {"freeze": "backbone"}, {"freeze": "none"})
    assert found.measured.endswith("; with freeze none; freeze backbone")
    optimisers = [{"optim": name} for name in ("adamw_torch", "sgd", "rmsprop", "adagrad", "adafactor")]
    found = forecast(trainer, tmp_path, *optimisers)
    assert found.measured.endswith("optim rmsprop; optim adagrad; taken for the first of these: optim adafactor")


def test_the_first_trial_of_a_frozen_backbone_computes_the_features_unless_they_are_there(
    trainer, tmp_path, monkeypatch
):
    monkeypatch.setenv("BERTNADO_CACHE", str(tmp_path / "cache"))  # where no other test has left any
    head = {"freeze": "backbone", "weight_decay": 0.25}
    first, second = forecast(trainer, tmp_path, head, head).trials
    assert first.seconds > second.seconds
    trial = tmp_path / "trial"
    trial.mkdir()
    trainer.open().run(TRIAL | head, SilentReport(trial, AUC))
    first, second = forecast(trainer, tmp_path, head, head).trials
    assert first.seconds == second.seconds


def test_it_happens_in_another_process_and_as_many_at_once_as_there_are_workers(custom_trainer, tmp_path):
    note = f"open({str(tmp_path / 'pids')!r}, 'a').write(f'{{__import__(\"os\").getpid()}} ')"
    found = forecast(custom_trainer(2, note), tmp_path, workers=2)
    assert found.measured.endswith(", in 2 processes at once")
    pids = set((tmp_path / "pids").read_text().split())
    assert len(pids) == 2
    assert str(os.getpid()) not in pids


def test_mostly_evaluation_is_a_warning_that_names_the_interval_for_a_tenth(trainer, tmp_path):
    found = forecast(trainer, tmp_path, {"max_steps": 400, "eval_steps": 1, "per_device_eval_batch_size": 1})
    (problem,) = found.problems
    assert (problem.path, problem.severity) == ("parameters.eval_steps", "warning")
    words = problem.message.split()
    assert "% of a trial of median length (400 of" in problem.message
    assert 1 < int(words[words.index("eval_steps") + 1]) <= 400
    assert int(words[-1].rstrip("%")) <= 10


class TestMemory:
    """What does not fit is found out in the other process, and what fits is handed on."""

    @pytest.fixture
    def memory(self, monkeypatch):
        """Let the model run out of memory in training with more rows than a limit."""
        limit = {"rows": 10**6}
        whole = BertForSequenceClassification.forward

        def forward(self, input_ids=None, **inputs):
            if self.training and len(input_ids) > limit["rows"]:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
            return whole(self, input_ids=input_ids, **inputs)

        monkeypatch.setattr(BertForSequenceClassification, "forward", forward)
        return limit

    @pytest.mark.parametrize("is_pickled", [False, True])
    def test_the_batches_that_fit_are_those_that_every_worker_begins_with(
        self, model_dir, dataset_dir, memory, tmp_path, is_pickled, caplog
    ):
        trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)
        memory["rows"] = 10
        found = forecast(trainer, tmp_path)
        assert found.batch == 8
        (problem,) = found.problems
        assert str(problem) == (
            "parameters.per_device_train_batch_size: batches of 12 rows do not fit into memory; trials accumulate "
            "batches of fewer, at most 8 here, to the same effective size"
        )
        worker = pickle.loads(pickle.dumps(trainer)) if is_pickled else trainer
        arguments = worker.open().run(TRIAL, SilentReport(tmp_path, AUC)).details["arguments"]
        assert (arguments["per_device_train_batch_size"], arguments["gradient_accumulation_steps"]) == (8, 3)
        assert "out of memory" not in caplog.text

    @pytest.mark.parametrize("does", ["torch.empty(2**62, dtype=torch.uint8)", "__import__('os').kill(0, 9)"])
    def test_a_real_allocation_that_fails_and_a_killed_process_alike(self, custom_trainer, tmp_path, does):
        does = does.replace("kill(0,", "kill(__import__('os').getpid(),")
        found = forecast(custom_trainer(6, does), tmp_path)
        assert found.batch == 6
        assert "batches of 8 rows do not fit into memory" in found.problems[0].message

    @pytest.mark.slow
    def test_a_single_row_that_does_not_fit_is_an_error_with_what_to_do(self, custom_trainer, tmp_path):
        with pytest.raises(InvalidInputError, match="out of memory in training with a single row; use shorter"):
            forecast(custom_trainer(0, "torch.empty(2**62, dtype=torch.uint8)"), tmp_path)


class TestOtherProcess:
    """A process of its own, forked without a GPU and started with one."""

    def test_one_that_is_forked_tells_answers_fails_and_dies(self, trainer):
        with closing(OtherProcess(trainer, forks=True)) as process:
            assert process.answer(other_process.pid) != os.getpid()
            process.ask(other_process.count_to, 2)
            assert [process.hear() for _ in range(3)] == [(False, 1), (False, 2), (True, "done")]
            with pytest.raises(ZeroDivisionError):
                process.answer(other_process.divide_by, 0)
            with pytest.raises(ProcessDiedError, match="signal 9 ended its process") as died:
                process.answer(other_process.die)
            assert died.value.signum == 9

    @pytest.mark.slow
    def test_one_that_is_started_stays_until_the_forecast_is_made(self, trainer, monkeypatch, tmp_path):
        monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[1]))
        process = OtherProcess(trainer, forks=False)
        first = process.answer(other_process.pid)
        assert first != os.getpid()
        process.ask(other_process.count_to, 2)
        assert [process.hear() for _ in range(3)] == [(False, 1), (False, 2), (True, "done")]
        with pytest.raises(ZeroDivisionError):
            process.answer(other_process.divide_by, 0)
        assert process.answer(other_process.pid) == first
        places = [{"OMP_NUM_THREADS": "1"}]
        found, limit = forecast_trials(trainer, sweep(**TRIAL), AUC, [TRIAL], places, tmp_path, first_process=process)
        assert found.batch == 24
        assert limit.smallest_failed is None

    def test_the_death_of_one_that_was_started_is_told_as_well(self, trainer):
        with closing(OtherProcess(trainer, forks=False)) as process:
            process.ask(other_process.pid)
            os.kill(process._process.pid, 9)
            with pytest.raises(ProcessDiedError, match="signal 9 ended its process"):
                process.hear()

    def test_a_trainer_that_cannot_be_sent_is_told(self):
        with pytest.raises(UnreachableProcessError):
            OtherProcess(lambda: None, forks=False).answer(other_process.pid)
