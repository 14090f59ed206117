"""From parameters to the TrainingArguments that a trial trains with."""

import math

import pytest
import torch
from bertnado_metrics import Objective
from bertnado_train.schedule import training_steps, trial_schedule
from bertnado_train.training_arguments import differences_from_defaults, effective_arguments, make_training_arguments

OBJECTIVE = Objective("eval/roc_auc", "maximize")


def make(parameters, rows=100, seed=42, longest=100, precision="auto"):
    return make_training_arguments(
        parameters,
        output_dir="unused",
        objective=OBJECTIVE,
        rows=rows,
        longest=longest,
        seed=seed,
        precision=precision,
    )


def test_an_older_warmup_ratio_means_that_share_of_the_steps():
    arguments = make({"warmup_ratio": 0.06, "epochs": 2, "per_device_train_batch_size": 10})
    assert arguments.get_warmup_steps(training_steps(arguments, 100)) == math.ceil(20 * 0.06)


@pytest.mark.parametrize(("ratio", "steps"), [(0.0, 0), (0.5, 10), (1.0, 20)])
def test_every_warmup_ratio_from_0_to_1_is_a_share_of_the_steps(ratio, steps):
    arguments = make({"warmup_ratio": ratio, "epochs": 2, "per_device_train_batch_size": 10})
    assert arguments.get_warmup_steps(20) == steps


def test_grouping_by_length_goes_by_its_older_name_too():
    assert make({"group_by_length": True}).train_sampling_strategy == "group_by_length"
    assert make({"group_by_length": False}).train_sampling_strategy == "random"


def test_without_an_interval_a_trial_is_evaluated_about_20_times():
    arguments = make({"epochs": 5, "per_device_train_batch_size": 1}, rows=203)
    assert arguments.eval_strategy == "steps"
    assert arguments.eval_steps == math.ceil(1015 / 20)
    assert trial_schedule(arguments, 203).evaluations == 20


def test_a_trial_of_few_steps_is_evaluated_at_each():
    assert make({"max_steps": 3}).eval_steps == 1


@pytest.mark.parametrize(("given", "every"), [({}, 5), ({"logging_steps": 3}, 3), ({"eval_steps": 0.25}, 25)])
def test_the_training_loss_is_logged_as_often_as_the_trial_is_evaluated_unless_the_file_says_otherwise(given, every):
    assert make({"max_steps": 100, **given}).logging_steps == every


@pytest.mark.parametrize(("given", "steps"), [(100, 100), (100.0, 100), (0.25, 250), ("50", 50), (1, 1)])
def test_eval_steps_implies_evaluation_by_steps_and_may_be_a_share(given, steps):
    arguments = make({"eval_steps": given, "max_steps": 1000})
    assert (arguments.eval_strategy, arguments.eval_steps) == ("steps", steps)


@pytest.mark.parametrize(
    ("parameters", "steps", "evaluations"),
    [
        ({"epochs": 3, "per_device_train_batch_size": 8, "eval_steps": 10}, 39, 4),
        ({"epochs": 3, "per_device_train_batch_size": 8, "gradient_accumulation_steps": 4}, 12, 12),
        ({"epochs": 0.5, "per_device_train_batch_size": 10, "eval_steps": 100}, 5, 1),
        ({"epochs": 3, "per_device_train_batch_size": 10, "eval_strategy": "epoch"}, 30, 3),
        ({"max_steps": 25, "per_device_train_batch_size": 10, "eval_strategy": "epoch"}, 25, 3),
        ({"epochs": 3, "per_device_train_batch_size": 10, "eval_strategy": "no"}, 30, 1),
        ({"epochs": 3, "per_device_train_batch_size": 10, "eval_steps": 5, "eval_delay": 15}, 30, 4),
        ({"epochs": 1, "per_device_train_batch_size": 8, "dataloader_drop_last": True}, 12, 12),
    ],
)
def test_steps_and_evaluations_are_known_beforehand(parameters, steps, evaluations):
    plan = trial_schedule(make(parameters), 100)
    assert (plan.steps, plan.evaluations) == (steps, evaluations)


def test_managed_names_are_ignored():
    arguments = make(
        {"output_dir": "elsewhere", "save_strategy": "epoch", "load_best_model_at_end": True, "report_to": "wandb"}
    )
    assert (arguments.output_dir, arguments.save_strategy, arguments.report_to) == ("unused", "no", [])


def test_a_trial_has_the_seed_of_the_sweep_unless_its_parameters_hold_one():
    assert make({}, seed=7).seed == 7
    assert make({"seed": 3}, seed=7).seed == 3


def test_two_names_for_one_argument_are_refused():
    with pytest.raises(ValueError, match="num_train_epochs: 'epochs' sets 'num_train_epochs' as well; keep one"):
        make({"epochs": 3, "num_train_epochs": 4})


def test_the_place_of_a_mistake_is_named():
    with pytest.raises(ValueError, match=r"unknown parameter 'training_args\.max_grad_nor'"):
        make({"training_args": {"max_grad_nor": 1.0}})


def test_only_what_a_person_or_bertnado_changed_differs_from_the_defaults():
    changed = differences_from_defaults(effective_arguments(make({"learning_rate": 1e-5, "weight_decay": 0.0})))
    assert changed["learning_rate"] == 1e-5
    assert "weight_decay" not in changed
    assert set(changed) == {
        *("learning_rate", "eval_strategy", "eval_steps", "save_strategy", "remove_unused_columns"),
        *("metric_for_best_model", "greater_is_better", "per_device_eval_batch_size"),
        *("logging_nan_inf_filter", "logging_steps"),
        *(("bf16", "tf32") if torch.cuda.is_available() else ("dataloader_pin_memory",)),
    }


def test_there_is_no_cap_on_the_steps_that_nobody_wrote():
    assert effective_arguments(make({"epochs": 3}))["max_steps"] == -1


def test_an_evaluation_takes_as_many_rows_as_a_number_of_tokens_unless_the_file_says_otherwise():
    tokens = 32768 if torch.cuda.is_available() else 2048
    assert make({"per_device_train_batch_size": 8}, longest=128).per_device_eval_batch_size == tokens // 128
    assert make({}, longest=10**6).per_device_eval_batch_size == 1
    assert make({"per_device_eval_batch_size": 16}).per_device_eval_batch_size == 16


@pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is at hand")
class TestPrecisionWithoutAGpu:
    """The precision of a trial on the CPU."""

    def test_it_is_fp32_unless_somebody_says_otherwise(self):
        arguments = make({})
        assert (arguments.bf16, arguments.fp16, arguments.tf32) == (False, False, None)
        assert make({}, precision="bf16").bf16

    @pytest.mark.parametrize("precision", ["auto", "fp32", "bf16"])
    def test_the_parameters_decide_where_they_say_it(self, precision):
        assert make({"bf16": True}, precision=precision).bf16
        assert not make({"bf16": False}, precision=precision).bf16


@pytest.mark.gpu
class TestPrecisionOnAGpu:
    """The precision of a trial on a GPU with bf16 and TF32."""

    def test_it_is_bf16_with_tf32_for_the_rest(self):
        arguments = make({})
        assert (arguments.bf16, arguments.fp16, arguments.tf32) == (True, False, True)

    def test_fp32_is_what_its_name_says(self):
        arguments = make({}, precision="fp32")
        assert (arguments.bf16, arguments.fp16, arguments.tf32) == (False, False, False)

    def test_the_parameters_decide_where_they_say_it(self):
        assert make({"tf32": False}).tf32 is False
        assert (make({"fp16": True}).fp16, make({"fp16": True}).bf16) == (True, False)
