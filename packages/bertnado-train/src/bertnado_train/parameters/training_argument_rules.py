"""Training arguments that BertNado sets itself, refuses, or knows under another name."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

MANAGED = frozenset(
    {
        # where things go and what tracks them
        *("output_dir", "logging_dir", "overwrite_output_dir", "report_to", "run_name", "project", "disable_tqdm"),
        # the best checkpoint
        *("load_best_model_at_end", "metric_for_best_model", "greater_is_better"),
        # how checkpoints reach the disk
        *("save_strategy", "save_steps", "save_total_limit", "save_only_model", "save_safetensors"),
        "enable_jit_checkpoint",
        # the evaluation's own plumbing
        *("prediction_loss_only", "batch_eval_metrics", "eval_do_concat_batches", "include_for_metrics"),
        *("label_names", "remove_unused_columns", "do_train", "do_eval", "do_predict", "resume_from_checkpoint"),
    }
)
"""Names that a sweep file may set and that are ignored: BertNado decides them itself."""

_ONE_DEVICE = "a trial has one device; leave it out, and train several trials at once with --workers"
_LOG_IN = (
    "a token must stay out of sweep files and arguments, which are written into every record; "
    "take it out, and log in with `hf auth login` or set HF_TOKEN"
)
_NO_UPLOAD = "a sweep uploads no model; leave it out, and upload what full-train writes"
REFUSED: Mapping[str, str] = {
    **dict.fromkeys(("deepspeed", "fsdp", "fsdp_config", "parallelism_config"), _ONE_DEVICE),
    **dict.fromkeys(("push_to_hub", "hub_model_id", "hub_strategy", "hub_private_repo"), _NO_UPLOAD),
    **dict.fromkeys(("hub_always_push", "hub_revision"), _NO_UPLOAD),
    "hub_token": _LOG_IN,
}
"""Names that no sweep file may set, and why."""

RENAMED = {
    "epochs": "num_train_epochs",
    "evaluation_strategy": "eval_strategy",
    "no_cuda": "use_cpu",
    "push_to_hub_token": "hub_token",
}
"""Other names of a field, by name: short ones, and those of older versions of transformers."""

TRANSLATED = {"warmup_ratio": "warmup_steps", "group_by_length": "train_sampling_strategy"}
"""Fields of older versions whose values say the same in another way, with the field that replaced each."""

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
"""Names and choices that people take from elsewhere, with what they mean here."""

SCHEDULE = frozenset(
    {"num_train_epochs", "max_steps", "per_device_train_batch_size", "gradient_accumulation_steps"}
    | {"eval_steps", "eval_strategy", "eval_delay", "dataloader_drop_last"}
)
"""Fields that decide how many steps or evaluations a trial has."""

INDEPENDENT = frozenset(
    {"learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "max_grad_norm"}
    | {"label_smoothing_factor", "warmup_steps", "seed", "data_seed"}
)
"""Fields that `TrainingArguments` neither relates to another field nor checks beyond their bounds."""
