"""The configuration of a model that reads both ways."""

from transformers import PretrainedConfig


class CaduceusConfig(PretrainedConfig):
    model_type = "caduceus"

    def __init__(
        self,
        d_model=256,
        n_layer=4,
        vocab_size=12,
        pad_vocab_size_multiple=8,
        norm_epsilon=1e-5,
        initializer_cfg=None,
        bidirectional_weight_tie=True,
        fused_add_norm=False,
        rms_norm=False,
        rcps=False,
        complement_map=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.d_model = d_model
        self.n_layer = n_layer
        self.vocab_size = vocab_size
        self.pad_vocab_size_multiple = pad_vocab_size_multiple
        self.norm_epsilon = norm_epsilon
        self.initializer_cfg = initializer_cfg
        self.bidirectional_weight_tie = bidirectional_weight_tie
        self.fused_add_norm = fused_add_norm
        self.rms_norm = rms_norm
        self.rcps = rcps
        self.complement_map = complement_map
