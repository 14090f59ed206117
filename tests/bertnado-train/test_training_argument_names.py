"""Which names mean which training argument, and which values they take."""

from dataclasses import MISSING, fields

import pytest
from bertnado_train.parameters.namespaces import named_values, namespace_of, override_parameters, trial_settings
from bertnado_train.parameters.training_argument_names import TrainingArgumentNames
from bertnado_train.parameters.training_argument_rules import (
    MANAGED,
    MISNOMERS,
    NOT_PARAMETERS,
    OTHER_CHOICES,
    REFUSED,
)
from bertnado_train.parameters.training_argument_types import FIELDS
from transformers import TrainingArguments
from transformers.trainer_utils import SchedulerType

NAMES = TrainingArgumentNames()


@pytest.mark.parametrize(
    ("name", "value", "field", "converted"),
    [
        ("learning_rate", "1e-5", "learning_rate", 1e-5),
        ("learning_rate", 1, "learning_rate", 1.0),
        ("per_device_train_batch_size", 8.0, "per_device_train_batch_size", 8),
        ("per_device_train_batch_size", "16", "per_device_train_batch_size", 16),
        ("epochs", 3, "num_train_epochs", 3.0),
        ("training_args.max_grad_norm", 2, "max_grad_norm", 2.0),
        ("training_args__max_grad_norm", 2, "max_grad_norm", 2.0),
        ("training_args__warmup_ratio", 0.1, "warmup_steps", 0.1),
        ("bf16", "true", "bf16", True),
        ("bf16", 0, "bf16", False),
        ("tf32", None, "tf32", None),
        ("lr_scheduler_type", "cosine", "lr_scheduler_type", "cosine"),
        ("optim", "adamw_torch", "optim", "adamw_torch"),
        ("lr_scheduler_kwargs", {"num_cycles": 2}, "lr_scheduler_kwargs", {"num_cycles": 2}),
        ("evaluation_strategy", "epoch", "eval_strategy", "epoch"),
        ("no_cuda", True, "use_cpu", True),
        ("eval_steps", 0.1, "eval_steps", 0.1),
    ],
)
def test_a_name_leads_to_its_field_and_a_value_gets_the_type_of_the_field(name, value, field, converted):
    assert NAMES.target(name) == field
    assert NAMES.convert(name, value) == converted
    assert type(NAMES.convert(name, value)) is type(converted)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("learning_rate", "fast", "must be a number, got 'fast'"),
        ("learning_rate", float("nan"), "must be a number, got nan"),
        ("learning_rate", True, "must be a number, got True"),
        ("learning_rate", -1e-5, "must be at least 0, got -1e-05"),
        ("per_device_train_batch_size", 7.5, "must be an integer, got 7.5"),
        ("per_device_train_batch_size", 0, "must be at least 1, got 0"),
        ("epochs", 0, "must be above 0 and at most 1000000000, got 0"),
        ("bf16", "maybe", "must be true or false, got 'maybe'"),
        ("lr_scheduler_type", "cosin", "unknown value 'cosin'; did you mean 'cosine'?"),
        ("warmup_ratio", 1.5, "must be at least 0 and at most 1, got 1.5"),
        ("num_train_epochs", None, "must be a number, got None"),
        ("seed", 2**32, "must be at least 0 and below 4294967296, got 4294967296"),
        ("max_steps", 0, "must be at least 1, or -1 to count epochs, got 0"),
        ("eval_delay", -1, "must be at least 0 and at most 1000000000, got -1"),
        ("dataloader_num_workers", -1, "must be at least 0, got -1"),
        ("optim", "adam", "unknown value 'adam'; did you mean 'adamw_torch'?"),
        ("optim", "AdamW", "unknown value 'AdamW'; did you mean 'adamw_torch'?"),
        ("optim", "ADAM", "unknown value 'ADAM'; did you mean 'adamw_torch'?"),
        ("optim", "Lion", "unknown value 'Lion'; did you mean 'lion_32bit'?"),
        ("lr_scheduler_type", "CosineAnnealingLR", "unknown value 'CosineAnnealingLR'; did you mean 'cosine'?"),
        (
            "train_sampling_strategy",
            "by_length",
            "unknown value 'by_length'; did you mean 'group_by_length'?",
        ),
        ("deepspeed", "zero2.json", "a trial uses one device; remove it, and train several trials at once"),
        ("push_to_hub", True, "a sweep does not upload models; remove it"),
    ],
)
def test_a_value_that_the_field_cannot_hold_is_refused_with_the_rule(name, value, message):
    with pytest.raises(ValueError) as caught:
        NAMES.convert(name, value)
    assert message in str(caught.value)


@pytest.mark.parametrize(("name", "value"), [("max_steps", -1), ("bf16", False), ("tf32", None)])
def test_a_value_that_only_says_the_default_is_no_mistake(name, value):
    assert NAMES.convert(name, value) == value


def test_a_refused_argument_may_be_switched_off():
    off = {"push_to_hub": False, "deepspeed": None, "hub_token": None}
    assert trial_settings(off | {"epochs": 2}).arguments == {"num_train_epochs": 2.0}


@pytest.mark.parametrize("name", sorted(set(FIELDS) - MANAGED - set(REFUSED)))
def test_every_field_takes_its_default_and_refuses_what_it_cannot_hold(name):
    field = next(field for field in fields(TrainingArguments) if field.name == name)
    default = field.default if field.default is not MISSING else field.default_factory()
    assert NAMES.convert(name, default) == default
    with pytest.raises(ValueError, match=r"^(must be (an? |true or false).*, got <object|unknown value <object)"):
        NAMES.convert(name, object())


@pytest.mark.parametrize(
    ("name", "suggestion"),
    [
        ("learning_rat", "learning_rate"),
        ("lr", "learning_rate"),
        ("batch_size", "per_device_train_batch_size"),
        ("num_epochs", "epochs"),
        ("wieght_decay", "weight_decay"),
        ("LR", "learning_rate"),
        ("optimizer", "optim"),
        ("scheduler", "lr_scheduler_type"),
        ("warmup", "warmup_ratio"),
        ("weight_decay_rate", "weight_decay"),
        ("grad-clip", "max_grad_norm"),
        ("training_args.lr", "training_args.learning_rate"),
        ("training_args.max_grad_nor", "training_args.max_grad_norm"),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_one(name, suggestion):
    with pytest.raises(ValueError, match=f"unknown parameter {name!r}; did you mean {suggestion!r}"):
        namespace_of(name)


@pytest.mark.parametrize("name", sorted(MISNOMERS))
def test_every_name_of_other_libraries_is_answered_with_one_that_exists(name):
    assert not NAMES.knows(name)
    assert NAMES.knows(MISNOMERS[name])
    with pytest.raises(ValueError, match=f"did you mean {MISNOMERS[name]!r}"):
        namespace_of(name)


@pytest.mark.parametrize("choice", sorted(OTHER_CHOICES))
def test_every_choice_of_other_libraries_is_answered_with_one_that_exists(choice):
    name = "lr_scheduler_type" if OTHER_CHOICES[choice] in {kind.value for kind in SchedulerType} else "optim"
    with pytest.raises(ValueError, match=f"did you mean {OTHER_CHOICES[choice]!r}"):
        NAMES.convert(name, choice)


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("dropout", "dropout belongs to the configuration of the model; write model_config.NAME with a name from"),
        ("max_length", "the tokens of a row are the same in all trials; remove it, and give --max-length"),
        ("model_name", "all trials train one model; remove it, give --model-name"),
        ("patience", "a trial keeps its best checkpoint, however long it goes on; remove it, and stop poor trials"),
        ("training_args.Dropout", "dropout belongs to the configuration of the model"),
    ],
)
def test_what_is_not_a_parameter_is_answered_with_what_it_is(name, answer):
    with pytest.raises(ValueError) as caught:
        namespace_of(name)
    assert str(caught.value).startswith(f"{name!r} is not a parameter of a trial: {answer}")


def test_no_name_of_a_field_counts_as_something_else():
    known = {name for names in (MISNOMERS, NOT_PARAMETERS) for name in names if NAMES.knows(name)}
    assert known == set()


def test_a_name_that_resembles_none_is_refused_with_where_to_look():
    with pytest.raises(ValueError, match="see the fields of transformers' TrainingArguments"):
        namespace_of("zzzzzzzz")


def test_the_training_args_object_and_its_dotted_spelling_stand_for_what_is_inside():
    parameters = {
        "epochs": 3,
        "training_args": {"max_grad_norm": 0.5, "optim": "adamw_torch"},
        "training_args.weight_decay": 0.1,
    }
    assert list(named_values(parameters)) == [
        ("epochs", 3),
        ("training_args.max_grad_norm", 0.5),
        ("training_args.optim", "adamw_torch"),
        ("training_args.weight_decay", 0.1),
    ]
    assert [NAMES.target(name) for name, _ in named_values(parameters)] == [
        *("num_train_epochs", "max_grad_norm", "optim", "weight_decay")
    ]


def test_an_override_replaces_its_twin_whatever_name_that_goes_by():
    parameters = {"epochs": 3, "warmup_ratio": 0.1, "training_args": {"weight_decay": 0.1, "optim": "sgd"}}
    overrides = {"num_train_epochs": 5, "weight_decay": 0.0}
    assert override_parameters(parameters, overrides) == {
        "warmup_ratio": 0.1,
        "training_args": {"optim": "sgd"},
        "num_train_epochs": 5,
        "weight_decay": 0.0,
    }
