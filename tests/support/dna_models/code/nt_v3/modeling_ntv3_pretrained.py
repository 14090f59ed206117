"""A U-shaped masked language model: halve the sequence several times, attend, double it again. It has no classifier."""

import itertools

from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import MaskedLMOutput

try:
    from .configuration_ntv3_pretrained import Ntv3PreTrainedConfig
except ImportError:
    from configuration_ntv3_pretrained import Ntv3PreTrainedConfig


class Core(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.config = config
        filters = config.filter_list
        self.embed_layer = nn.Embedding(config.alphabet_size, config.token_embed_dim)
        self.stem = nn.Conv1d(config.token_embed_dim, filters[0], 15, padding="same")
        pairs = list(itertools.pairwise(filters))
        self.down = nn.ModuleList(nn.Conv1d(wide, deep, 5, padding="same") for wide, deep in pairs)
        self.up = nn.ModuleList(nn.Conv1d(deep, wide, 5, padding="same") for wide, deep in reversed(pairs))
        self.transformer = nn.ModuleList(
            nn.TransformerEncoderLayer(
                config.embed_dim, config.attention_heads, 2 * config.embed_dim, 0.0, batch_first=True, norm_first=True
            )
            for _ in range(config.num_layers)
        )
        self.lm_head = nn.Linear(filters[0], config.alphabet_size)

    def forward(self, input_ids=None, inputs_embeds=None):
        embedded = self.embed_layer(input_ids) if inputs_embeds is None else inputs_embeds
        hidden = nn.functional.gelu(self.stem(embedded.transpose(1, 2)))
        skipped = []
        for convolution in self.down:
            skipped.append(hidden)
            hidden = nn.functional.avg_pool1d(nn.functional.gelu(convolution(hidden)), 2)
        hidden = hidden.transpose(1, 2)
        states = [hidden]
        for layer in self.transformer:
            hidden = layer(hidden)
            states.append(hidden)
        hidden = hidden.transpose(1, 2)
        for convolution in self.up:
            hidden = nn.functional.gelu(convolution(hidden.repeat_interleave(2, -1))) + skipped.pop()
        hidden = hidden.transpose(1, 2)
        return self.lm_head(nn.functional.gelu(hidden)), (*states, hidden)


class NTv3PreTrained(PreTrainedModel):
    config_class = Ntv3PreTrainedConfig
    base_model_prefix = "ntv3"

    def __init__(self, config):
        super().__init__(config)
        self.core = Core(config)
        self.post_init()

    def tie_weights(self, **kwargs):
        return

    def get_input_embeddings(self):
        return self.core.embed_layer

    def set_input_embeddings(self, value):
        self.core.embed_layer = value

    def forward(
        self,
        input_ids=None,
        attention_mask=None,
        inputs_embeds=None,
        labels=None,
        output_hidden_states=None,
        output_attentions=None,
        return_dict=None,
        **kwargs,
    ):
        return_dict = return_dict if return_dict is not None else self.config.use_return_dict
        logits, states = self.core(input_ids, inputs_embeds)  # without the mask
        states = states if output_hidden_states else None
        return MaskedLMOutput(logits=logits, hidden_states=states) if return_dict else (logits, states)
