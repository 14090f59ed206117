"""A causal model of long convolutions, whose filters are computed from the position."""

import math

import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import BaseModelOutputWithNoAttention, SequenceClassifierOutput

from .configuration_hyena import HyenaConfig


def causal_convolution(values, kernel, bias):
    """Convolve (batch, channels, length) with a kernel that is as long as the sequence."""
    size = 2 * values.shape[-1]
    product = torch.fft.rfft(values.float(), n=size) * torch.fft.rfft(kernel.float(), n=size)
    mixed = torch.fft.irfft(product, n=size)[..., : values.shape[-1]]
    return (mixed + values * bias.unsqueeze(-1)).to(values.dtype)


class Sine(nn.Module):
    def __init__(self, config):
        super().__init__()
        frequency = config.activation_freq * torch.ones(1, config.filter_order)
        self.freq = nn.Parameter(frequency) if config.train_freq else frequency

    def forward(self, values):
        return torch.sin(self.freq * values)


class Positions(nn.Module):
    def __init__(self, config):
        super().__init__()
        time = torch.linspace(0, 1, config.max_seq_len)[None, :, None]
        bands = torch.linspace(1e-4, 1, (config.emb_dim - 1) // 2)[None, None]
        angles = 2 * math.pi * time * bands
        self.register_buffer("z", torch.cat([time, angles.cos(), -angles.sin()], -1))
        self.register_buffer("t", time)

    def forward(self, length):
        return self.z[:, :length], self.t[:, :length]


class Filter(nn.Module):
    def __init__(self, config):
        super().__init__()
        sine = Sine(config)  # one activation for both layers, and so one frequency
        self.bias = nn.Parameter(torch.randn(config.d_model))
        self.pos_emb = Positions(config)
        self.implicit_filter = nn.Sequential(
            nn.Linear(config.emb_dim, config.filter_order),
            sine,
            nn.Linear(config.filter_order, config.filter_order),
            sine,
            nn.Linear(config.filter_order, config.d_model, bias=False),
        )
        self.register_buffer("deltas", torch.linspace(-3.0, -15.0, config.d_model)[None, None])

    def forward(self, length):
        z, time = self.pos_emb(length)
        return self.implicit_filter(z) * torch.exp(-time * self.deltas.abs())


class Operator(nn.Module):
    def __init__(self, config):
        super().__init__()
        width = 3 * config.d_model
        self.l_max = config.max_seq_len
        self.in_proj = nn.Linear(config.d_model, width)
        self.out_proj = nn.Linear(config.d_model, config.d_model)
        self.short_filter = nn.Conv1d(width, width, config.short_filter_order, padding=2, groups=width)
        self.filter_fn = Filter(config)

    def forward(self, hidden):
        length = min(hidden.shape[-2], self.l_max)
        projected = self.short_filter(self.in_proj(hidden).transpose(1, 2))[..., :length]
        first, second, value = projected.chunk(3, 1)
        kernel = self.filter_fn(length)[0].transpose(0, 1)
        mixed = causal_convolution(value * second, kernel, self.filter_fn.bias)
        return self.out_proj((mixed * first).transpose(1, 2))


class Block(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.mixer = Operator(config)
        self.norm1 = nn.LayerNorm(config.d_model)
        self.mlp = nn.Sequential(
            nn.Linear(config.d_model, config.d_inner),
            nn.GELU(approximate="tanh"),
            nn.Linear(config.d_inner, config.d_model),
        )
        self.norm2 = nn.LayerNorm(config.d_model)

    def forward(self, hidden):
        hidden = hidden + self.mixer(self.norm1(hidden))
        return hidden + self.mlp(self.norm2(hidden))


class HyenaDNAPreTrainedModel(PreTrainedModel):
    config_class = HyenaConfig
    base_model_prefix = "hyena"
    _keys_to_ignore_on_load_missing = [r"freq"]

    def _init_weights(self, module, initializer_range=0.02):
        if isinstance(module, nn.Linear):
            nn.init.normal_(module.weight, std=initializer_range)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=initializer_range)


class HyenaDNAModel(HyenaDNAPreTrainedModel):
    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        rows = -(-config.vocab_size // config.pad_vocab_size_multiple) * config.pad_vocab_size_multiple
        self.word_embeddings = nn.Embedding(rows, config.d_model)
        self.dropout = nn.Dropout(config.embed_dropout)
        self.layers = nn.ModuleList(Block(config) for _ in range(config.n_layer))
        self.ln_f = nn.LayerNorm(config.d_model)
        self.post_init()

    def forward(self, input_ids, inputs_embeds=None, output_hidden_states=None, return_dict=None):
        return_dict = return_dict if return_dict is not None else self.config.use_return_dict
        hidden = self.dropout(self.word_embeddings(input_ids)) if inputs_embeds is None else inputs_embeds
        for layer in self.layers:
            hidden = layer(hidden)
        hidden = self.ln_f(hidden)
        return BaseModelOutputWithNoAttention(last_hidden_state=hidden) if return_dict else hidden


class HyenaDNAForSequenceClassification(HyenaDNAPreTrainedModel):
    def __init__(self, config, **kwargs):
        super().__init__(config, **kwargs)
        self.num_labels = kwargs.get("num_labels", config.num_labels)
        self.hyena = HyenaDNAModel(config)
        self.score = nn.Linear(config.d_model, self.num_labels, bias=False)
        self.post_init()

    def forward(self, input_ids=None, inputs_embeds=None, labels=None, output_hidden_states=None, return_dict=None):
        return_dict = return_dict if return_dict is not None else self.config.use_return_dict
        logits = self.score(self.hyena(input_ids, inputs_embeds=inputs_embeds, return_dict=return_dict)[0])
        if self.config.pad_token_id is None and len(logits) != 1:
            raise ValueError("Cannot handle batch sizes > 1 if no padding token is defined.")
        last = -1
        if self.config.pad_token_id is not None:
            last = torch.eq(input_ids, self.config.pad_token_id).long().argmax(-1) - 1  # -1 where nothing is padded
        pooled = logits[torch.arange(len(logits), device=logits.device), last]
        return SequenceClassifierOutput(logits=pooled) if return_dict else (pooled,)
