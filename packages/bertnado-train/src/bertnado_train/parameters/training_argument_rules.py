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
    "batch_size": "per_device_train_batch_size",
    "train_batch_size": "per_device_train_batch_size",
    "eval_batch_size": "per_device_eval_batch_size",
    "num_epochs": "epochs",
    "n_epochs": "epochs",
    "scheduler": "lr_scheduler_type",
    "lr_scheduler": "lr_scheduler_type",
    "optimizer": "optim",
    "warmup": "warmup_ratio",
    "grad_accum": "gradient_accumulation_steps",
    "accumulation_steps": "gradient_accumulation_steps",
    "adam": "adamw_torch",
    "adamw": "adamw_torch",
}
"""Names and choices that are common in other libraries, with their equivalents."""

SCHEDULE = frozenset(
    {"num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps"}
    | {"eval_steps", "eval_strategy", "eval_delay", "dataloader_drop_last"}
)
"""Fields that determine the number of steps or evaluations of a trial."""

INDEPENDENT = frozenset(
    {"learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm"}
    | {"label_smoothing_factor", "warmup_steps", "seed", "data_seed"}
)
"""Fields that `TrainingArguments` neither combines with others nor checks beyond their bounds."""
