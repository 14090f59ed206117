"""The parameter namespace of learning rates by part of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from annotated_types import Interval

from bertnado_train.learning_rates import PartRates

from .namespace import ParameterNamespace, TrialSettings
from .value_types import value_type

if TYPE_CHECKING:
    from collections.abc import Mapping

LAYER_DECAY, HEAD_RATE = "layer_lr_decay", "head_learning_rate"
_TYPES = {
    LAYER_DECAY: value_type(float, bounds=Interval(gt=0, le=1)),
    HEAD_RATE: value_type(float, bounds=Interval(gt=0)),
}
_MISNOMERS = {
    **dict.fromkeys(
        ("llrd", "layerwise_lr_decay", "layer_wise_lr_decay", "layerwise_decay", "layer_decay"), LAYER_DECAY
    ),
    **dict.fromkeys(("layerwise_learning_rate_decay", "layer_wise_decay", "lr_layer_decay", "lr_decay"), LAYER_DECAY),
    **dict.fromkeys(("head_lr", "lr_head", "classifier_lr", "lr_classifier", "classifier_learning_rate"), HEAD_RATE),
    **dict.fromkeys(("learning_rate_head", "top_lr", "decoder_lr"), HEAD_RATE),
}


class LearningRateNames(ParameterNamespace):
    """`layer_lr_decay`, the decrease of the learning rate from layer to layer, and `head_learning_rate`."""

    names = tuple(_TYPES)

    def convert(self, name: str, value: Any) -> Any:
        """Convert a share above 0 and at most 1, or a learning rate above 0.

        Raises:
            ValueError: The parameter does not accept `value`.
        """
        return _TYPES[name].convert(value)

    def apply(self, values: Mapping[str, Any], settings: TrialSettings) -> None:
        """Set the learning rates of the parts of the model."""
        settings.part_rates = PartRates(values.get(LAYER_DECAY, 1.0), values.get(HEAD_RATE))

    def equivalent(self, name: str) -> str | None:
        """Return the name that a name from another library stands for."""
        return _MISNOMERS.get(name.lower().replace("-", "_"))
