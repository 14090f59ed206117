"""A BERT with layer normalisation in front of attention and feed-forward layers, for transformers 4."""

import torch
from torch import nn
from transformers.file_utils import add_start_docstrings, add_start_docstrings_to_model_forward
from transformers.modeling_outputs import (
    BaseModelOutputWithPoolingAndCrossAttentions,
    MaskedLMOutput,
    SequenceClassifierOutput,
)
from transformers.modeling_utils import (
    PreTrainedModel,
    apply_chunking_to_forward,
    find_pruneable_heads_and_indices,
    prune_linear_layer,
)
from transformers.models.bert.configuration_bert import BertConfig


class BertEmbeddings(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.word_embeddings = nn.Embedding(config.vocab_size, config.hidden_size, padding_idx=config.pad_token_id)
        self.position_embeddings = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.token_type_embeddings = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.LayerNorm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = nn.Dropout(config.hidden_dropout_prob)
        self.register_buffer("position_ids", torch.arange(config.max_position_embeddings).expand((1, -1)))
        self.register_buffer("token_type_ids", torch.zeros_like(self.position_ids), persistent=False)

    def forward(self, input_ids, token_type_ids=None):
        length = input_ids.shape[1]
        if token_type_ids is None:
            token_type_ids = self.token_type_ids[:, :length].expand_as(input_ids)
        embedded = self.word_embeddings(input_ids) + self.token_type_embeddings(token_type_ids)
        embedded = embedded + self.position_embeddings(self.position_ids[:, :length])
        return self.dropout(self.LayerNorm(embedded))


class BertSelfAttention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.heads = config.num_attention_heads
        self.is_decoder = config.is_decoder
        self.query = nn.Linear(config.hidden_size, config.hidden_size)
        self.key = nn.Linear(config.hidden_size, config.hidden_size)
        self.value = nn.Linear(config.hidden_size, config.hidden_size)
        self.pruned_heads = set()

    def prune_heads(self, heads):
        heads, index = find_pruneable_heads_and_indices(heads, self.heads, self.query.out_features, self.pruned_heads)
        self.query = prune_linear_layer(self.query, index)
        self.pruned_heads |= heads

    def forward(self, hidden, mask, head_mask):
        projected = (layer(hidden) for layer in (self.query, self.key, self.value))
        query, key, value = (values.unflatten(-1, (self.heads, -1)).transpose(1, 2) for values in projected)
        scores = (query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5 + mask).softmax(-1)
        if head_mask is not None:
            scores = scores * head_mask
        return (scores @ value).transpose(1, 2).flatten(2)


class BertLayer(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.chunk_size_feed_forward = config.chunk_size_feed_forward
        self.pre_layer_norm = config.pre_layer_norm
        self.pre_attention_ln = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.post_attention_ln = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention = nn.ModuleDict(
            {"self": BertSelfAttention(config), "output": nn.Linear(config.hidden_size, config.hidden_size)}
        )
        self.intermediate = nn.Linear(config.hidden_size, config.intermediate_size)
        self.output = nn.Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden, mask, head_mask):
        mixed = self.attention["self"](self.pre_attention_ln(hidden), mask, head_mask)
        hidden = hidden + self.attention["output"](mixed)
        return hidden + apply_chunking_to_forward(self.feed_forward, self.chunk_size_feed_forward, 1, hidden)

    def feed_forward(self, hidden):
        return self.output(nn.functional.gelu(self.intermediate(self.post_attention_ln(hidden))))


class BertPreTrainedModel(PreTrainedModel):
    config_class = BertConfig
    base_model_prefix = "bert"
    _keys_to_ignore_on_load_missing = [r"position_ids"]

    def _init_weights(self, module):
        if isinstance(module, nn.Linear | nn.Embedding):
            module.weight.data.normal_(mean=0.0, std=self.config.initializer_range)
        elif isinstance(module, nn.LayerNorm):
            module.weight.data.fill_(1.0)
        if isinstance(module, nn.Linear | nn.LayerNorm) and module.bias is not None:
            module.bias.data.zero_()


@add_start_docstrings("The bare model.")
class BertModel(BertPreTrainedModel):
    def __init__(self, config, add_pooling_layer=True):
        super().__init__(config)
        self.embeddings = BertEmbeddings(config)
        layers = nn.ModuleList(BertLayer(config) for _ in range(config.num_hidden_layers))
        self.encoder = nn.ModuleDict({"layer": layers})
        self.pooler = nn.Linear(config.hidden_size, config.hidden_size) if add_pooling_layer else None
        self.post_init()

    @add_start_docstrings_to_model_forward("Inputs of shape (batch_size, sequence_length).")
    def forward(self, input_ids=None, attention_mask=None, token_type_ids=None, head_mask=None, **kwargs):
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        extended = self.get_extended_attention_mask(mask, input_ids.shape, input_ids.device)
        head_mask = self.get_head_mask(head_mask, self.config.num_hidden_layers)
        hidden = self.embeddings(input_ids, token_type_ids)
        states = [hidden]
        for layer, layer_head_mask in zip(self.encoder["layer"], head_mask, strict=True):
            hidden = layer(hidden, extended, layer_head_mask)
            states.append(hidden)
        pooled = None if self.pooler is None else torch.tanh(self.pooler(hidden[:, 0]))
        return BaseModelOutputWithPoolingAndCrossAttentions(
            last_hidden_state=hidden, pooler_output=pooled, hidden_states=tuple(states)
        )


class BertForMaskedLM(BertPreTrainedModel):
    def __init__(self, config):
        super().__init__(config)
        if config.is_decoder:
            raise NotImplementedError("decoding")
        self.bert = BertModel(config, add_pooling_layer=False)
        self.cls = nn.Linear(config.hidden_size, config.vocab_size)
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
        outputs = self.bert(input_ids, attention_mask, token_type_ids, head_mask)
        logits = self.cls(outputs[0])
        states = outputs.hidden_states if output_hidden_states else None
        return MaskedLMOutput(logits=logits, hidden_states=states) if return_dict else (logits, states)


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
        outputs = self.bert(input_ids, attention_mask, token_type_ids, head_mask)
        logits = self.classifier(self.dropout(outputs[1]))
        return SequenceClassifierOutput(logits=logits) if return_dict else (logits,)
