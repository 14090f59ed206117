"""A BERT with ALiBi instead of position embeddings, which computes nothing on padding."""

import math

import torch
from torch import nn
from transformers.modeling_outputs import SequenceClassifierOutput
from transformers.models.bert.modeling_bert import BertPreTrainedModel

from .bert_padding import with_padding, without_padding

try:
    from .flash_attn_triton import flash_attn_qkvpacked_func
except ImportError:
    flash_attn_qkvpacked_func = None


class Embeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        types = torch.zeros(config.max_position_embeddings, dtype=torch.long)
        self.register_buffer("token_type_ids", types, persistent=False)

    def forward(self, input_ids, token_type_ids):
        embedded = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)
        return self.dropout(self.LayerNorm(embedded))


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.num_attention_heads
        self.p_dropout = config.attention_probs_dropout_prob
        self.Wqkv = nn.Linear(config.hidden_size, 3 * config.hidden_size)
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(self.p_dropout)

    def forward(self, hidden, where, mask, bias):
        batch, length = mask.shape
        qkv = with_padding(self.Wqkv(hidden), where, batch, length).unflatten(-1, (3, self.heads, -1))
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        if self.p_dropout or flash_attn_qkvpacked_func is None:
            scores = query @ key.transpose(-1, -2) / math.sqrt(query.shape[-1]) + bias
            mixed = self.dropout(scores.softmax(-1)) @ value
        else:
            mixed = flash_attn_qkvpacked_func(query, key, value, bias)
        mixed, _ = without_padding(mixed.transpose(1, 2).flatten(2), mask)
        return self.LayerNorm(hidden + self.dense(mixed))


class GatedFeedForward(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.gated_layers = nn.Linear(config.hidden_size, 2 * config.intermediate_size, bias=False)
        self.wo = nn.Linear(config.intermediate_size, config.hidden_size)
        self.layernorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)

    def forward(self, hidden):
        gate, value = self.gated_layers(hidden).chunk(2, -1)
        return self.layernorm(hidden + self.wo(nn.functional.gelu(gate) * value))


class Layer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.attention = Attention(config)
        self.mlp = GatedFeedForward(config)

    def forward(self, hidden, where, mask, bias):
        return self.mlp(self.attention(hidden, where, mask, bias))


class Encoder(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.layer = nn.ModuleList(Layer(config) for _ in range(config.num_hidden_layers))
        self.heads = config.num_attention_heads
        self.rebuild_alibi(config.alibi_starting_size)

    def rebuild_alibi(self, size, device=None):
        at = torch.arange(size, device=device)
        slopes = torch.Tensor([2.0 ** (-8 * (head + 1) / self.heads) for head in range(self.heads)]).to(device)
        self.alibi = -slopes[None, :, None, None] * (at[:, None] - at[None, :]).abs()
        self.alibi_size = size

    def forward(self, hidden, mask):
        batch, length = mask.shape
        if self.alibi_size < length:
            self.rebuild_alibi(length, hidden.device)
        elif self.alibi.device != hidden.device:
            self.alibi = self.alibi.to(hidden.device)
        bias = self.alibi[:, :, :length, :length] + (1.0 - mask[:, None, None, :].to(hidden.dtype)) * -10000.0
        hidden, where = without_padding(hidden, mask)
        for layer in self.layer:
            hidden = layer(hidden, where, mask, bias)
        return with_padding(hidden, where, batch, length)


class BertModel(BertPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.embeddings = Embeddings(config)
        self.encoder = Encoder(config)
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size)
        self.post_init()

    def forward(self, input_ids, token_type_ids=None, attention_mask=None, **kwargs):
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        types = torch.zeros_like(input_ids) if token_type_ids is None else token_type_ids
        hidden = self.encoder(self.embeddings(input_ids, types), mask)
        return hidden, torch.tanh(self.pooler(hidden[:, 0]))


class BertForSequenceClassification(BertPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        self.num_labels = config.num_labels
        self.bert = BertModel(config)
        dropout = config.hidden_dropout_prob if config.classifier_dropout is None else config.classifier_dropout
        self.dropout = nn.Dropout(dropout)
        self.classifier = nn.Linear(config.hidden_size, config.num_labels)
        self.post_init()

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        token_type_ids=None,
        position_ids=None,
        head_mask=None,
        inputs_embeds=None,
        labels=None,
        output_attentions=None,
        output_hidden_states=None,
        return_dict=None,
    ):
        return_dict = return_dict if return_dict is not None else self.config.use_return_dict
        outputs = self.bert(input_ids, attention_mask=attention_mask, token_type_ids=token_type_ids)
        logits = self.classifier(self.dropout(outputs[1]))
        return SequenceClassifierOutput(logits=logits) if return_dict else (logits, *outputs[2:])
