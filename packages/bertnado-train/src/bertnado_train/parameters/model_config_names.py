"""The parameter namespace of the fields of a model's configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .namespace import ParameterNamespace, TrialSettings
from .value_types import show

if TYPE_CHECKING:
    from collections.abc import Mapping

OBJECT_NAME = "model_config"
"""The parameter that takes an object of fields."""
PREFIX = f"{OBJECT_NAME}."

_OF_TASK = "the task and the labels determine it"
_OF_TOKENS = "the model's tokenizer determines it"
_OF_FILES = "it says which model is read, not how it is trained"
_OF_OUTPUTS = "it has no influence on training"
MANAGED: Mapping[str, str] = {
    **dict.fromkeys(("num_labels", "id2label", "label2id", "problem_type"), _OF_TASK),
    **dict.fromkeys(("vocab_size", "vocab_list", "pad_token_id", "bos_token_id", "eos_token_id"), _OF_TOKENS),
    **dict.fromkeys(("cls_token_id", "sep_token_id", "mask_token_id", "unk_token_id"), _OF_TOKENS),
    **dict.fromkeys(("architectures", "model_type", "auto_map", "transformers_version"), _OF_FILES),
    **dict.fromkeys(("name_or_path", "dtype", "torch_dtype", "backbone", "backbone_class"), _OF_FILES),
    **dict.fromkeys(("return_dict", "use_cache", "output_hidden_states", "output_attentions"), _OF_OUTPUTS),
}
"""Fields that a trial may not set, with the reason."""

_DROPOUTS = frozenset(
    {"dropout", "dropout_rate", "dropout_prob", "hidden_dropout", "hidden_dropout_prob"}
    | {"attention_dropout", "attention_probs_dropout_prob", "classifier_dropout", "p_dropout"}
)
"""Names, in lower case, that people write for a dropout of the model."""


def is_dropout(name: str) -> bool:
    """Return whether people write `name`, alone or after a prefix, for a dropout of the model."""
    return name.rpartition(".")[2].lower().replace("-", "_") in _DROPOUTS


def is_refused(field: str, value: Any) -> bool:
    """Return whether no model takes `value` for `field`."""
    return field in MANAGED or not isinstance(value, bool | int | float | str | None)


class ModelConfigNames(ParameterNamespace):
    """`model_config.NAME` for a field of the model's configuration, or an object `model_config` of such fields.

    Which fields there are is known when the model is; see `bertnado_train.model_config`.
    """

    names = ()

    def knows(self, name: str) -> bool:
        """Return whether `name` begins with `model_config.`."""
        return name.startswith(PREFIX) and name != PREFIX

    def holds_parameters(self, name: str) -> bool:
        """Return whether `name` is the object `model_config`."""
        return name == OBJECT_NAME

    def convert(self, name: str, value: Any) -> Any:
        """Accept a value that is not a list or an object; it is converted when the model is known.

        Raises:
            ValueError: Trials may not set the field, or the value is of another kind.
        """
        field = name.removeprefix(PREFIX)
        if field in MANAGED:
            raise ValueError(f"{MANAGED[field]}; remove it")
        if is_refused(field, value):
            raise ValueError(f"must be a number, a string, true, false or null, got {show(value)}")
        return value

    def apply(self, values: Mapping[str, Any], settings: TrialSettings) -> None:
        """Set the fields before the model is built."""
        settings.config_changes.update({name.removeprefix(PREFIX): value for name, value in values.items()})

    def suggest(self, name: str) -> str | None:
        """Return nothing: the fields of the model are unknown here."""
        return None

    def explain(self, name: str) -> str | None:
        """Return how to write a dropout, or the object."""
        if is_dropout(name):
            return (
                "dropout belongs to the configuration of the model; write model_config.NAME with a name from its "
                "config.json, such as model_config.hidden_dropout_prob"
            )
        if name == OBJECT_NAME:
            return "it takes an object of fields; write model_config.NAME with a name from the model's config.json"
        return None
