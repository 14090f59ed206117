"""A sequence classifier on top of any model: a linear layer on the mean of its last hidden states.

This module depends on torch and transformers alone: BertNado copies it next to a model that it saves, so that
`AutoModelForSequenceClassification.from_pretrained(..., trust_remote_code=True)` reads the model.
"""

from __future__ import annotations

import inspect
from typing import Any

import torch
import transformers
from torch import nn
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.dynamic_module_utils import get_class_from_dynamic_module
from transformers.modeling_outputs import SequenceClassifierOutput


class PooledConfig(PreTrainedConfig):
    """The configuration of a `PooledForSequenceClassification`."""

    model_type = "bertnado_pooled"

    def __init__(
        self,
        backbone: dict[str, Any] | None = None,
        backbone_class: str = "AutoModel",
        pooled_size: int = 1,
        head_dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        """Describe a model.

        Args:
            backbone: The configuration of the model below the head.
            backbone_class: The `Auto` class that it is built with.
            pooled_size: The width of its last hidden state.
            head_dropout: The dropout before the linear layer, from 0 to 1.
            kwargs: See `PreTrainedConfig`.
        """
        self.backbone = backbone or {}
        self.backbone_class = backbone_class
        self.pooled_size = pooled_size
        self.head_dropout = head_dropout
        super().__init__(**kwargs)


class PooledForSequenceClassification(PreTrainedModel):
    """Dropout and a linear layer on the mean of the last hidden states of the tokens that are not padding."""

    config_class = PooledConfig
    base_model_prefix = "backbone"
    supports_gradient_checkpointing = True

    def __init__(self, config: PooledConfig) -> None:
        super().__init__(config)
        self.backbone = build_backbone(config)
        self.dropout = nn.Dropout(config.head_dropout)
        self.classifier = nn.Linear(config.pooled_size, config.num_labels or 1)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        """Return the embeddings of the model below the head."""
        return self.backbone.get_input_embeddings()

    def forward(
        self,
        input_ids: torch.Tensor,
        attention_mask: torch.Tensor | None = None,
        labels: torch.Tensor | None = None,
        **inputs: Any,
    ) -> SequenceClassifierOutput:
        """Compute the logits of a batch.

        Args:
            input_ids: Shape (batch, tokens).
            attention_mask: 0 for padding, otherwise 1; by default what is not the padding token: (batch, tokens).
            labels: Not used.
            inputs: Further inputs that the model below the head takes, such as `token_type_ids`.
        """
        hidden = last_hidden_state(self.backbone, input_ids, attention_mask=attention_mask, **inputs)
        pad = -1 if self.config.pad_token_id is None else self.config.pad_token_id
        mask = (input_ids != pad) if attention_mask is None else attention_mask
        weights = mask.to(hidden.dtype).unsqueeze(-1)
        pooled = (hidden * weights).sum(1) / weights.sum(1).clamp(min=1)
        return SequenceClassifierOutput(logits=self.classifier(self.dropout(pooled)))


def build_backbone(config: PooledConfig) -> Any:
    """Build the model below the head, without its stored weights."""
    described = config.backbone
    code = described.get("auto_map", {})
    if config.backbone_class not in code:
        described = {name: value for name, value in described.items() if name != "auto_map"}
        return getattr(transformers, config.backbone_class).from_config(AutoConfig.for_model(**described))
    place: Any = described.get("_name_or_path") or config.name_or_path
    if "AutoConfig" in code:
        kind: Any = get_class_from_dynamic_module(code["AutoConfig"], place)
    else:
        kind = type(AutoConfig.for_model(described["model_type"]))
    model_class: Any = get_class_from_dynamic_module(code[config.backbone_class], place)
    return model_class(kind.from_dict(described))


def last_hidden_state(model: nn.Module, input_ids: torch.Tensor, **inputs: Any) -> torch.Tensor:
    """Return the last hidden state of a model: shape (batch, tokens, width).

    Args:
        model: The model.
        input_ids: Shape (batch, tokens).
        inputs: Further inputs; those that the model does not take and those that are `None` are left out.
    """
    parameters = inspect.signature(model.forward).parameters
    asked = {"output_hidden_states": True, "return_dict": True, **inputs}
    outputs = model(
        input_ids=input_ids,
        **{name: value for name, value in asked.items() if name in parameters and value is not None},
    )
    if isinstance(outputs, tuple):
        return outputs[0]
    states = outputs.get("hidden_states")
    return outputs["last_hidden_state"] if "last_hidden_state" in outputs or not states else states[-1]
