"""Training arguments that BertNado sets itself, refuses, or accepts under other names."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MANAGED = frozenset(
    {
        # output and tracking
        *("output_dir", "logging_dir", "overwrite_output_dir", "report_to", "run_name", "project", "disable_tqdm"),
        # the best checkpoint
        *("load_best_model_at_end", "metric_for_best_model", "greater_is_better"),
        # writing of checkpoints
        *("save_strategy", "save_steps", "save_total_limit", "save_only_model", "save_safetensors"),
        "enable_jit_checkpoint",
        # internals of the evaluation
        *("prediction_loss_only", "batch_eval_metrics", "eval_do_concat_batches", "include_for_metrics"),
        *("label_names", "remove_unused_columns", "do_train", "do_eval", "do_predict", "resume_from_checkpoint"),
    }
)
"""Names that a sweep file may contain but that are ignored: BertNado sets them itself."""

REPEATED = {"save_steps": "eval_steps"}
"""Ignored names that need no mention if they have the value of another field, which then has the same effect."""

_ONE_DEVICE = "a trial uses one device; remove it, and train several trials at once with more workers"
_LOG_IN = (
    "a token must not be in sweep files or arguments, which are written to every record; "
    "remove it, and log in with `hf auth login` or set HF_TOKEN"
)
_NO_UPLOAD = "a sweep does not upload models; remove it, and upload the model that full-train writes"
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("deepspeed", "fsdp", "fsdp_config", "parallelism_config"), _ONE_DEVICE),
    **dict.fromkeys(("push_to_hub", "hub_model_id", "hub_strategy", "hub_private_repo"), _NO_UPLOAD),
    **dict.fromkeys(("hub_always_push", "hub_revision"), _NO_UPLOAD),
    "hub_token": _LOG_IN,
}
"""Names that a sweep file may not set, with the reason."""

RENAMED = {
    "epochs": "num_train_epochs",
    "evaluation_strategy": "eval_strategy",
    "no_cuda": "use_cpu",
    "push_to_hub_token": "hub_token",
}
"""Other names of fields: short ones, and those of older versions of transformers."""

TRANSLATED = {"warmup_ratio": "warmup_steps", "group_by_length": "train_sampling_strategy"}
"""Fields of older versions whose values must be translated, with the field that replaced each."""

MISNOMERS = {
    "lr": "learning_rate",
    "base_lr": "learning_rate",
    "max_lr": "learning_rate",
    "batch_size": "per_device_train_batch_size",
    "train_batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "per_gpu_train_batch_size": "per_device_train_batch_size",
    "per_gpu_eval_batch_size": "per_device_eval_batch_size",
    "epoch": "epochs",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "max_epochs": "epochs",
    "steps": "max_steps",
    "num_steps": "max_steps",
    "num_training_steps": "max_steps",
    "wd": "weight_decay",
    "weight_decay_rate": "weight_decay",
    "l2": "weight_decay",
    "scheduler": "lr_scheduler_type",
    "lr_scheduler": "lr_scheduler_type",
    "scheduler_type": "lr_scheduler_type",
    "lr_schedule": "lr_scheduler_type",
    "scheduler_kwargs": "lr_scheduler_kwargs",
    "optimizer": "optim",
    "optimizer_type": "optim",
    "warmup": "warmup_ratio",
    "warmup_proportion": "warmup_ratio",
    "num_warmup_steps": "warmup_steps",
    "grad_accum": "gradient_accumulation_steps",
    "grad_accum_steps": "gradient_accumulation_steps",
    "accumulation_steps": "gradient_accumulation_steps",
    "accumulate_grad_batches": "gradient_accumulation_steps",
    "grad_clip": "max_grad_norm",
    "gradient_clip_val": "max_grad_norm",
    "clip_grad_norm": "max_grad_norm",
    "label_smoothing": "label_smoothing_factor",
    "random_seed": "seed",
    "random_state": "seed",
    "beta1": "adam_beta1",
    "beta2": "adam_beta2",
    "eps": "adam_epsilon",
    "epsilon": "adam_epsilon",
    "num_workers": "dataloader_num_workers",
}
"""Names that are common in other libraries, in lower case, with their equivalents."""

OTHER_CHOICES = {
    "adam": "adamw_torch",
    "adamw": "adamw_torch",
    "adamw_hf": "adamw_torch",
    "torch_adamw": "adamw_torch",
    "adamw_apex_fused": "adamw_torch_fused",
    "adamw_fused": "adamw_torch_fused",
    "adam8bit": "adamw_8bit",
    "adamw8bit": "adamw_8bit",
    "lion": "lion_32bit",
    "cosineannealinglr": "cosine",
    "cosine_annealing": "cosine",
    "cosine_with_warmup": "cosine",
    "linear_with_warmup": "linear",
    "none": "constant",
    "reducelronplateau": "reduce_lr_on_plateau",
    "plateau": "reduce_lr_on_plateau",
}
"""Choices that are common in other libraries, in lower case, with their equivalents."""

NOT_PARAMETERS: Mapping[str, str] = {
    **dict.fromkeys(
        ("max_length", "max_len", "max_seq_length", "max_seq_len", "seq_length", "model_max_length"),
        "the tokens of a row are the same in all trials; remove it, and give --max-length (max_length)",
    ),
    "truncation": "remove it, and give --max-length and --too-long truncate (max_length, too_long)",
    **dict.fromkeys(
        ("model_name", "model", "model_name_or_path", "pretrained_model", "checkpoint", "base_model"),
        "all trials train one model; remove it, give --model-name (model_name), and run a sweep for each model",
    ),
    **dict.fromkeys(
        ("dataset", "dataset_name", "data_dir", "train_file"),
        "all trials train on one dataset; remove it, and give --dataset (dataset)",
    ),
    **dict.fromkeys(
        ("patience", "early_stopping_patience", "early_stopping"),
        "a trial keeps its best checkpoint, however long it goes on; remove it, and stop poor trials with "
        "early_terminate, or give --early-stopping-patience to full-train",
    ),
    "task_type": "all trials have one task; remove it, and give --task-type (task_type)",
    **dict.fromkeys(
        ("precision", "mixed_precision", "dtype", "torch_dtype"),
        "remove it, and give --precision (precision), or write bf16 or fp16",
    ),
    "head": "all trials have the same classifier; remove it, and give --head (head)",
    **dict.fromkeys(
        ("metric_name", "metric_goal"),
        'write "metric": {"name": ..., "goal": ...} beside "parameters", or give --metric-name and --metric-goal',
    ),
    **dict.fromkeys(
        ("momentum", "nesterov"), "it belongs to the optimizer; write optim_args, such as momentum=0.9, beside optim"
    ),
    **dict.fromkeys(
        ("num_cycles", "power", "lr_end", "min_lr", "min_lr_rate"),
        "it belongs to the scheduler; write it under lr_scheduler_kwargs",
    ),
    **dict.fromkeys(
        ("class_weights", "use_class_weights", "weighted_loss"), "write class_weight: balanced, or pos_weight"
    ),
    **dict.fromkeys(
        ("num_labels", "loss", "loss_function", "criterion"),
        "the task and the labels determine it; remove it, and give --task-type (task_type)",
    ),
}
"""Names, in lower case, that people write for what is not a parameter of a trial, with what to do instead."""

SCHEDULE = frozenset(
    {"num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps"}
    | {"eval_steps", "eval_strategy", "eval_delay", "dataloader_drop_last"}
)
"""Fields that determine the number of steps or evaluations of a trial."""

COSTLY = frozenset(
    {"optim", "gradient_checkpointing", "activation_checkpointing", "torch_compile", "use_liger_kernel"}
    | {"bf16", "fp16", "tf32", "use_cpu"}
)
"""Fields that change what a training step costs."""

INDEPENDENT = frozenset(
    {"learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm"}
    | {"label_smoothing_factor", "warmup_steps", "seed", "data_seed"}
)
"""Fields that `TrainingArguments` neither combines with others nor checks beyond their bounds."""
