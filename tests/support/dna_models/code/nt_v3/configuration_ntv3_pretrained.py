"""The configuration of a U-shaped model; its sizes have names that no other model uses."""

from transformers import PretrainedConfig


class Ntv3PreTrainedConfig(PretrainedConfig):
    model_type = "ntv3"

    def __init__(
        self,
        alphabet_size=11,
        pad_token_id=1,
        mask_token_id=2,
        num_downsamples=7,
        attention_heads=8,
        token_embed_dim=16,
        conv_init_embed_dim=256,
        embed_dim=256,
        num_layers=2,
        layer_norm_eps=1e-5,
        tie_word_embeddings=None,
        **kwargs,
    ):
        super().__init__(pad_token_id=pad_token_id, **kwargs)
        self.alphabet_size = alphabet_size
        self.mask_token_id = mask_token_id
        self.num_downsamples = num_downsamples
        self.attention_heads = attention_heads
        self.token_embed_dim = token_embed_dim
        self.conv_init_embed_dim = conv_init_embed_dim
        self.embed_dim = embed_dim
        self.num_layers = num_layers
        self.layer_norm_eps = layer_norm_eps
        self.tie_word_embeddings = bool(tie_word_embeddings)

    @property
    def filter_list(self):
        step = (self.embed_dim - self.conv_init_embed_dim) / self.num_downsamples
        return [int(self.conv_init_embed_dim + step * depth) for depth in range(self.num_downsamples + 1)]
