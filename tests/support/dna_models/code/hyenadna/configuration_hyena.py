"""The configuration of a model of long convolutions."""

from transformers import PretrainedConfig


class HyenaConfig(PretrainedConfig):
    model_type = "hyenadna"

    def __init__(
        self,
        vocab_size=12,
        d_model=256,
        d_inner=None,
        max_seq_len=1024,
        emb_dim=3,
        n_layer=12,
        filter_order=64,
        short_filter_order=3,
        activation_freq=1,
        train_freq=True,
        embed_dropout=0.1,
        pad_vocab_size_multiple=8,
        initializer_range=0.02,
        **kwargs,
    ):
        self.vocab_size = vocab_size
        self.d_model = d_model
        self.d_inner = 4 * d_model if d_inner is None else d_inner
        self.max_seq_len = max_seq_len
        self.emb_dim = emb_dim
        self.n_layer = n_layer
        self.filter_order = filter_order
        self.short_filter_order = short_filter_order
        self.activation_freq = activation_freq
        self.train_freq = train_freq
        self.embed_dropout = embed_dropout
        self.pad_vocab_size_multiple = pad_vocab_size_multiple
        self.initializer_range = initializer_range
        super().__init__(**kwargs)
