"""What is taken from the config of a whole run, as tracking callbacks record it."""

import pytest
from bertnado_train import ReducedConfig, reduce_run_config
from bertnado_train.parameters.namespaces import trial_settings
from transformers import BertConfig, TrainingArguments

MODEL = BertConfig().to_dict() | {"_name_or_path": "PoetschLab/GROVER", "torch_dtype": "float32", "use_cache": True}
OLDER = {
    "evaluation_strategy": None,
    "warmup_ratio": 0.0,
    "warmup_steps": 0,
    "group_by_length": False,
    "no_cuda": False,
    "logging_dir": "output/logs",
    "per_gpu_train_batch_size": None,
    "past_index": -1,
    "tpu_num_cores": None,
    "fp16_opt_level": "O1",
    "half_precision_backend": "auto",
    "sharded_ddp": [],
    "adafactor": False,
    "fsdp": [],
    "fsdp_config": {"min_num_params": 0, "xla": False},
    "deepspeed": None,
    "hub_token": "<HUB_TOKEN>",
    "debug": [],
    "include_num_input_tokens_seen": False,
    "mp_parameters": "",
    "optim_args": "",
    "lr_scheduler_kwargs": {},
    "average_tokens_across_devices": False,
    "accelerator_config": {"even_batches": True},
    "local_rank": 0,
    "push_to_hub": True,
    "hub_model_id": "someone/model",
    "report_to": ["wandb"],
    "dataloader_num_workers": 64,
}
"""Training arguments of transformers 4 with the values that a run records by default, or that depend on the machine."""
DEFAULTS = {
    "learning_rate": 5e-05,
    "num_train_epochs": 3.0,
    "per_device_train_batch_size": 8,
    "weight_decay": 0.0,
    "seed": 42,
    "bf16": False,
}


def run(**changed):
    return MODEL | TrainingArguments(output_dir="output", optim="adamw_torch_fused").to_dict() | OLDER | changed


def test_of_a_run_with_defaults_the_arguments_that_people_look_for_are_taken():
    config = run()
    assert reduce_run_config(config) == ReducedConfig(DEFAULTS, len(config) - len(DEFAULTS), ())


@pytest.mark.parametrize(
    ("changed", "taken"),
    [
        ({"learning_rate": 1e-5, "epochs": 5, "num_train_epochs": 5}, {"learning_rate": 1e-5, "num_train_epochs": 5}),
        ({"epochs": 5, "num_train_epochs": 3.0}, {}),
        ({"warmup_ratio": 0.06}, {"warmup_ratio": 0.06}),
        ({"warmup_ratio": 0.06, "warmup_steps": 30}, {"warmup_steps": 30}),
        ({"warmup_ratio": None, "warmup_steps": 0.1}, {"warmup_steps": 0.1}),
        ({"max_steps": 1000, "lr_scheduler_type": "cosine"}, {"max_steps": 1000, "lr_scheduler_type": "cosine"}),
        ({"group_by_length": True}, {"group_by_length": True}),
        ({"eval_strategy": "steps", "eval_steps": 100}, {"eval_strategy": "steps", "eval_steps": 100}),
        ({"class_weight": "balanced"}, {"class_weight": "balanced"}),
        ({"pos_weight": 3.0}, {"pos_weight": 3.0}),
        ({"pos_weight": None}, {}),
        ({"training_args": {"max_grad_norm": 0.5}}, {"training_args.max_grad_norm": 0.5}),
        ({"lora_r": 8, "lora_alpha": 16}, {"lora_r": 8, "lora_alpha": 16}),
        (
            {"peft_config": {"default": {"peft_type": "LORA", "r": 8, "lora_alpha": 8, "target_modules": ["query"]}}},
            {"lora_r": 8, "lora_alpha": 8, "lora_target_modules": ["query"]},
        ),
        (
            {"peft_config": {"r": 4, "lora_alpha": 8, "use_dora": True}},
            {"lora_r": 4, "lora_alpha": 8, "use_dora": True},
        ),
        ({"training_args__max_grad_norm": 0.5, "max_grad_norm": 0.5}, {"max_grad_norm": 0.5}),
    ],
    ids=str,
)
def test_what_was_changed_is_taken_once(changed, taken):
    reduced = reduce_run_config(run(**changed))
    assert reduced.parameters == DEFAULTS | taken
    assert reduced.unusable == ()
    trial_settings(reduced.parameters)


def test_a_precision_that_was_set_is_kept():
    reduced = reduce_run_config(run(fp16=True)).parameters
    assert (reduced["fp16"], "bf16" in reduced) == (True, False)


@pytest.mark.parametrize(
    ("changed", "unusable"),
    [
        ({"optim": "adamw_hf"}, "optim='adamw_hf': unknown value 'adamw_hf'; did you mean 'adamw_torch'?"),
        ({"adafactor": True}, "adafactor=True: use optim: adafactor"),
        ({"deepspeed": "zero3.json"}, "deepspeed='zero3.json': a trial uses one device"),
        ({"max_grad_norm": float("inf")}, "max_grad_norm=inf: must be a number, got inf"),
        (
            {"peft_config": {"peft_type": "IA3"}},
            "peft_config={'peft_type': 'IA3'}: of the adapters of peft, those of LoRA can be trained here; see lora_r",
        ),
    ],
    ids=str,
)
def test_what_mattered_and_cannot_be_used_is_named(changed, unusable):
    reduced = reduce_run_config(run(**changed))
    assert reduced.unusable == (unusable,)
    assert reduced.parameters == DEFAULTS
