"""An ESM with rotary positions and gated feed-forward layers, for transformers 4."""

import torch
from torch import nn
from transformers.file_utils import add_start_docstrings
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput
from transformers.modeling_utils import PreTrainedModel
from transformers.pytorch_utils import find_pruneable_heads_and_indices, prune_linear_layer
from transformers.utils import logging

from .esm_config import EsmConfig

logger = logging.get_logger(__name__)


def rotate(values, cos, sin):
    first, second = values.chunk(2, -1)
    return values * cos + torch.cat((-second, first), -1) * sin


class RotaryEmbedding(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.register_buffer("inv_freq", 1.0 / (10000 ** (torch.arange(0, width, 2).float() / width)))
        self._length_cached = None
        self._cos_cached = None
        self._sin_cached = None

    def forward(self, query, key):
        length = key.shape[-2]
        if length != self._length_cached or self._cos_cached.device != key.device:
            angles = torch.outer(torch.arange(length, device=key.device).type_as(self.inv_freq), self.inv_freq)
            angles = torch.cat((angles, angles), -1)
            self._length_cached, self._cos_cached, self._sin_cached = length, angles.cos(), angles.sin()
        return rotate(query, self._cos_cached, self._sin_cached), rotate(key, self._cos_cached, self._sin_cached)


class EsmAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.num_attention_heads
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.rotary_embeddings = RotaryEmbedding(config.hidden_size // config.num_attention_heads)
        self.is_decoder = config.is_decoder
        self.pruned_heads = set()

    def prune_heads(self, heads):
        heads, index = find_pruneable_heads_and_indices(heads, self.heads, self.query.out_features, self.pruned_heads)
        self.query = prune_linear_layer(self.query, index)
        self.pruned_heads |= heads

    def split(self, values):
        return values.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, hidden, mask, head_mask):
        normed = self.LayerNorm(hidden)
        query, key, value = (self.split(layer(normed)) for layer in (self.query, self.key, self.value))
        query, key = self.rotary_embeddings(query * query.shape[-1] ** -0.5, key)
        scores = (query @ key.transpose(-1, -2) + mask).softmax(-1)
        if head_mask is not None:
            scores = scores * head_mask
        return hidden + self.dense((scores @ value).transpose(1, 2).flatten(2))


class EsmLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = EsmAttention(config)
        if config.add_cross_attention:
            raise NotImplementedError("cross-attention")
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.intermediate = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=config.add_bias_fnn)
        self.output = nn.Linear(config.intermediate_size, config.hidden_size, bias=config.add_bias_fnn)
        self.chunk_size_feed_forward = config.chunk_size_feed_forward

    def forward(self, hidden, mask, head_mask):
        hidden = self.attention(hidden, mask, head_mask)
        gate, value = self.intermediate(self.LayerNorm(hidden)).chunk(2, -1)
        return hidden + self.output(nn.functional.silu(gate) * value)


class EsmPreTrainedModel(PreTrainedModel):
    config_class = EsmConfig
    base_model_prefix = "esm"

    def _init_weights(self, module):
        if isinstance(module, nn.Linear):
            module.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
            if module.bias is not None:
                module.bias.data.zero_()
        elif isinstance(module, nn.Embedding):
            module.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
            if module.padding_idx is not None:
                module.weight.data[module.padding_idx].zero_()
        elif isinstance(module, nn.LayerNorm):
            module.bias.data.zero_()
            module.weight.data.fill_(1.0)


@add_start_docstrings("The bare model.")
class EsmModel(EsmPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.register_buffer(
            "position_ids", torch.arange(config.max_position_embeddings).expand((1, -1)), persistent=False
        )
        self.layer = nn.ModuleList(EsmLayer(config) for _ in range(config.num_hidden_layers))
        self.emb_layer_norm_after = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_init()

    def forward(self, input_ids=None, attention_mask=None, head_mask=None, return_dict=None):
        if self.config.is_decoder:
            raise NotImplementedError("decoding")
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        extended = self.get_extended_attention_mask(mask, input_ids.shape)
        head_mask = self.get_head_mask(head_mask, self.config.num_hidden_layers)
        hidden = self.word_embeddings(input_ids) * mask.unsqueeze(-1)
        for layer, layer_head_mask in zip(self.layer, head_mask, strict=True):
            hidden = layer(hidden, extended, layer_head_mask)
        hidden = self.emb_layer_norm_after(hidden)
        return BaseModelOutput(last_hidden_state=hidden) if return_dict else (hidden,)


class EsmForSequenceClassification(EsmPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.esm = EsmModel(config)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.out_proj = nn.Linear(config.hidden_size, config.num_labels)
        self.init_weights()

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        position_ids=None,
        head_mask=None,
        inputs_embeds=None,
        labels=None,
        output_attentions=None,
        output_hidden_states=None,
        return_dict=None,
    ):
        return_dict = return_dict if return_dict is not None else self.config.use_return_dict
        hidden = self.esm(input_ids, attention_mask, head_mask, return_dict)[0]
        logits = self.out_proj(torch.tanh(self.dense(hidden[:, 0])))
        return SequenceClassifierOutput(logits=logits) if return_dict else (logits,)
