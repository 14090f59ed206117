"""A recurrent model that reads both ways with the same projections, and averages over all positions."""

import math

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithNoAttention, SequenceClassifierOutput

from .configuration_caduceus import CaduceusConfig


class Recurrence(nn.Module):
    """A decaying sum over what came before, in place of a selective scan, for which a GPU is needed."""

    def __init__(self, width):
        super().__init__()
        self.in_proj = nn.Linear(width, 2 * width, bias=False)
        self.out_proj = nn.Linear(width, width, bias=False)
        self.decay = nn.Parameter(torch.linspace(0.0, 2.0, width))

    def forward(self, hidden):
        value, gate = self.in_proj(hidden).chunk(2, -1)
        at = torch.arange(hidden.shape[1], device=hidden.device)
        distance = (at[:, None] - at[None, :]).clamp(min=0)
        seen = (at[:, None] >= at[None, :]).unsqueeze(-1)
        weights = torch.exp(-distance.unsqueeze(-1) * nn.functional.softplus(self.decay)) * seen
        return self.out_proj(torch.einsum("tsd,bsd->btd", weights, value) * nn.functional.silu(gate))


class BothWays(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.norm = nn.LayerNorm(config.d_model, eps=config.norm_epsilon)
        self.mamba_fwd = Recurrence(config.d_model)
        self.mamba_rev = Recurrence(config.d_model)
        if config.bidirectional_weight_tie:
            self.mamba_rev.in_proj.weight = self.mamba_fwd.in_proj.weight
            self.mamba_rev.out_proj.weight = self.mamba_fwd.out_proj.weight

    def forward(self, hidden):
        normed = self.norm(hidden)
        return hidden + self.mamba_fwd(normed) + self.mamba_rev(normed.flip(1)).flip(1)


class CaduceusPreTrainedModel(PreTrainedModel):
    config_class = CaduceusConfig
    base_model_prefix = "caduceus"
    supports_gradient_checkpointing = False

    def _init_weights(self, module, initializer_range=0.02, **kwargs):
        if isinstance(module, nn.Linear) and module.bias is not None:
            nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=initializer_range)
        for name, weight in module.named_parameters():
            if name == "out_proj.weight":
                nn.init.kaiming_uniform_(weight, a=math.sqrt(5))
                with torch.no_grad():
                    weight /= math.sqrt(self.config.n_layer)


class Caduceus(CaduceusPreTrainedModel):
    def __init__(self, config, device=None, dtype=None, **kwargs):
        super().__init__(config)
        config.vocab_size = -(-config.vocab_size // config.pad_vocab_size_multiple) * config.pad_vocab_size_multiple
        if config.complement_map is not None:
            for number in range(len(config.complement_map), config.vocab_size):
                config.complement_map[number] = number
        self.word_embeddings = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(BothWays(config) for _ in range(config.n_layer))
        self.norm_f = nn.LayerNorm(config.d_model, eps=config.norm_epsilon)

    def forward(self, input_ids=None, inputs_embeds=None, output_hidden_states=None, return_dict=None):
        hidden = self.word_embeddings(input_ids) if inputs_embeds is None else inputs_embeds
        for layer in self.layers:
            hidden = layer(hidden)
        return BaseModelOutputWithNoAttention(last_hidden_state=self.norm_f(hidden))


class CaduceusForSequenceClassification(CaduceusPreTrainedModel):
    def __init__(self, config, pooling_strategy="mean", device=None, dtype=None, **kwargs):
        super().__init__(config, **kwargs)
        self.pooling_strategy = pooling_strategy
        self.num_labels = kwargs.get("num_labels", config.num_labels)
        self.caduceus = Caduceus(config, device=device, dtype=dtype, **kwargs)
        self.score = nn.Linear(config.d_model, self.num_labels, bias=False)
        self.post_init()
        self.score.weight.data.normal_(std=0.02)

    def forward(self, input_ids=None, inputs_embeds=None, labels=None, output_hidden_states=None, return_dict=None):
        return_dict = return_dict if return_dict is not None else self.config.use_return_dict
        logits = self.score(self.caduceus(input_ids, inputs_embeds=inputs_embeds)[0].mean(1))
        return SequenceClassifierOutput(logits=logits) if return_dict else (logits,)
