"""Published fine-tuning settings of DNA language models, each with its source.

Parameters have the names of a sweep file. What a source does not set is left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_OBJECT_NAME = "training_args"
_OTHER_NAMES = {"epochs": "num_train_epochs"}


@dataclass(frozen=True)
class Preset:
    """Published settings: those of one script, notebook or paper."""

    settings: Mapping[str, Any]
    """Parameters by name."""
    source: str
    """Where they stand."""

    @property
    def has_adapters(self) -> bool:
        """True if adapters are trained, and not the whole model."""
        return "lora_r" in self.settings

    @property
    def parameters(self) -> dict[str, Any]:
        """The parameters by every name that a sweep file may give them; 0 as `lora_r` trains the whole model."""
        named = {"lora_r": 0, **self.settings}
        named |= {other: named[name] for name, other in _OTHER_NAMES.items() if name in named}
        return {**named, _OBJECT_NAME: named, **{f"{_OBJECT_NAME}.{name}": value for name, value in named.items()}}


@dataclass(frozen=True)
class ModelFamily:
    """Models that are fine-tuned with the same settings."""

    name: str
    has: Callable[[Mapping[str, Any]], bool]
    """Tells from the content of `config.json` whether a model is one of them."""
    presets: Sequence[Preset]
    """The recommended ones first."""

    def presets_with(self, *, adapters: bool) -> Sequence[Preset]:
        """Return the presets that train adapters, or those that train the whole model; none if none are known."""
        return [preset for preset in self.presets if preset.has_adapters == adapters]


def _code_modules(config: Mapping[str, Any]) -> set[str]:
    """Return the modules of the model's own code that `auto_map` names."""
    named = config.get("auto_map")
    found = cast("dict[str, Any]", named).values() if isinstance(named, dict) else ()
    return {name.rpartition("--")[2].partition(".")[0] for name in found if isinstance(name, str)}


def _tokens(config: Mapping[str, Any]) -> int:
    size = config.get("vocab_size")
    return size if isinstance(size, int) else 0


def _is_dnabert2(config: Mapping[str, Any]) -> bool:
    return config.get("model_type") == "bert" and "bert_layers" in _code_modules(config) and _tokens(config) <= 4096


def _is_nucleotide_transformer(config: Mapping[str, Any]) -> bool:
    """Return whether the vocabulary holds all words of six bases: other models of that type read proteins."""
    return config.get("model_type") == "esm" and 4096 < _tokens(config) < 4200


def _is_grover(config: Mapping[str, Any]) -> bool:
    """Return whether it is a plain BERT with the 609 tokens of GROVER, or a few more that a user has added."""
    return config.get("model_type") == "bert" and not config.get("auto_map") and 600 <= _tokens(config) <= 620


def _is_gena(config: Mapping[str, Any]) -> bool:
    kind = config.get("model_type")
    is_bert = kind == "bert" and ("pre_layer_norm" in config or "modeling_bert" in _code_modules(config))
    return is_bert or (kind == "big_bird" and 0 < _tokens(config) <= 32_000)


def _is_hyenadna(config: Mapping[str, Any]) -> bool:
    return config.get("model_type") == "hyenadna"


def _is_caduceus(config: Mapping[str, Any]) -> bool:
    return config.get("model_type") == "caduceus"


_DNABERT2 = {"warmup_steps": 50, "weight_decay": 0.01, "lr_scheduler_type": "linear", "gradient_accumulation_steps": 1}
_NOTEBOOK = {"per_device_train_batch_size": 8, "max_steps": 1000, "lr_scheduler_type": "linear"}
_HYENA = {"weight_decay": 0.1, "warmup_ratio": 0.01, "lr_scheduler_type": "cosine", "max_grad_norm": 1.0}
_CADUCEUS = (
    "kuleshov-group/caduceus: slurm_scripts/run_genomics_benchmark.sh, wrapper_run_genomics.sh, "
    "configs/experiment/hg38/genomic_benchmark.yaml"
)

_BERT = (
    "the middle of batches of 16 and 32, learning rates of 2e-5, 3e-5 and 5e-5, 2, 3 and 4 epochs (Devlin et al. 2019, "
    "BERT, appendix A.3); warm-up and weight decay of google-research/bert: run_classifier.py, optimization.py"
)

GENERAL = Preset(
    {
        "learning_rate": 3e-5,
        "per_device_train_batch_size": 32,
        "epochs": 3,
        "warmup_ratio": 0.1,
        "weight_decay": 0.01,
        "lr_scheduler_type": "linear",
    },
    _BERT,
)
"""The settings of BERT, for models without published ones."""

FAMILIES: Sequence[ModelFamily] = (
    ModelFamily(
        "DNABERT-2",
        _is_dnabert2,
        (
            Preset(
                {**_DNABERT2, "learning_rate": 3e-5, "per_device_train_batch_size": 8, "epochs": 4},
                "MAGICS-LAB/DNABERT_2, commit 7d569d7: finetune/scripts/run_dnabert2.sh (promoters of GUE), "
                "finetune/train.py",
            ),
            Preset(
                {**_DNABERT2, "learning_rate": 2e-5, "per_device_train_batch_size": 32, "epochs": 4},
                "MAGICS-LAB/DNABERT_2, commit 603b20a: finetune/scripts/run_dnabert2.sh (promoters of GUE), "
                "finetune/train.py",
            ),
        ),
    ),
    ModelFamily(
        "Nucleotide Transformer",
        _is_nucleotide_transformer,
        (
            Preset(
                {**_NOTEBOOK, "learning_rate": 1e-5},
                "huggingface/notebooks: examples/nucleotide_transformer_dna_sequence_modelling.ipynb",
            ),
            Preset(
                {
                    **_NOTEBOOK,
                    "learning_rate": 5e-4,
                    "lora_r": 1,
                    "lora_alpha": 32,
                    "lora_dropout": 0.1,
                    "lora_target_modules": ["query", "value"],
                },
                "huggingface/notebooks: examples/nucleotide_transformer_dna_sequence_modelling_with_peft.ipynb",
            ),
            Preset(
                {
                    **_DNABERT2,
                    "learning_rate": 1e-4,
                    "per_device_train_batch_size": 8,
                    "epochs": 4,
                    "lora_r": 8,
                    "lora_alpha": 16,
                    "lora_dropout": 0.05,
                    "lora_target_modules": ["query", "value", "key", "dense"],
                },
                "MAGICS-LAB/DNABERT_2: finetune/scripts/run_nt.sh (promoters of GUE), finetune/train.py",
            ),
        ),
    ),
    ModelFamily(
        "GROVER",
        _is_grover,
        (
            Preset(
                GENERAL.settings,
                f"none of its authors was found; those of BERT, whose architecture it has: {_BERT}",
            ),
        ),
    ),
    ModelFamily(
        "GENA-LM",
        _is_gena,
        (
            Preset(
                {
                    "learning_rate": 5e-5,
                    "per_device_train_batch_size": 128,
                    "weight_decay": 0.0,
                    "warmup_steps": 250,
                    "lr_scheduler_type": "constant_with_warmup",
                    "max_grad_norm": 1.0,
                },
                "AIRI-Institute/GENA_LM: downstream_tasks/promoter_prediction/finetune_promoter.sh",
            ),
            Preset(
                {
                    "learning_rate": 5e-5,
                    "per_device_train_batch_size": 32,
                    "weight_decay": 1e-4,
                    "warmup_steps": 1000,
                    "lr_scheduler_type": "cosine",
                    "gradient_accumulation_steps": 1,
                },
                "AIRI-Institute/GENA_LM: downstream_tasks/nucleotide_transformer_bench/configs/gena_alltask_grid/"
                "gena-lm-bert-base-t2t_bs32_lr5e-05_wd1e-04.yaml",
            ),
        ),
    ),
    ModelFamily(
        "HyenaDNA",
        _is_hyenadna,
        (
            Preset(
                {**_HYENA, "learning_rate": 6e-4, "per_device_train_batch_size": 128, "epochs": 100},
                "HazyResearch/hyena-dna: configs/experiment/hg38/genomic_benchmark.yaml (there the cosine ends at a "
                "tenth of the learning rate)",
            ),
        ),
    ),
    ModelFamily(
        "Caduceus",
        _is_caduceus,
        (
            Preset(
                {**_HYENA, "learning_rate": 1e-3, "per_device_train_batch_size": 128, "epochs": 10},
                f"{_CADUCEUS} (the lower of two learning rates; there the cosine ends at a tenth of it)",
            ),
            Preset(
                {**_HYENA, "learning_rate": 2e-3, "per_device_train_batch_size": 128, "epochs": 10},
                f"{_CADUCEUS} (the higher of two learning rates; there the cosine ends at a tenth of it)",
            ),
        ),
    ),
)


def find_family(config: Mapping[str, Any]) -> ModelFamily | None:
    """Return the family of a model; None if it is of no known one.

    Args:
        config: The content of the model's `config.json`.
    """
    return next((family for family in FAMILIES if family.has(config)), None)
