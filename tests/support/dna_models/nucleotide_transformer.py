"""Nucleotide Transformer 1, 2 and 3, and AgroNT."""

import itertools

from transformers import EsmConfig, EsmForMaskedLM

from .writing import SPREAD, write_code, write_json, write_native, write_random_weights

SIX_MERS = tuple("".join(letters) for letters in itertools.product("ATCG", repeat=6))
V2_MAP = {
    "AutoConfig": "esm_config.EsmConfig",
    "AutoModelForSequenceClassification": "modeling_esm.EsmForSequenceClassification",
}
V3_MAP = {
    "AutoConfig": "configuration_ntv3_pretrained.Ntv3PreTrainedConfig",
    "AutoModel": "modeling_ntv3_pretrained.NTv3PreTrained",
    "AutoModelForMaskedLM": "modeling_ntv3_pretrained.NTv3PreTrained",
}
V3_MULTIPLE = 4
"""The lengths that the stand-in of version 3 takes are multiples of this; those of the real one of 128."""


def write_nucleotide_transformer(directory, longest=1000):
    """Write a stand-in of version 1: ESM as transformers has it, with absolute positions."""
    tokens = _write_six_mers(directory, longest)
    config = EsmConfig(
        vocab_size=tokens,
        mask_token_id=2,
        pad_token_id=1,
        hidden_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=longest + 2,
        position_embedding_type="absolute",
        emb_layer_norm_before=False,
        token_dropout=True,
        initializer_range=SPREAD,
        tie_word_embeddings=False,
    )
    write_native(directory, EsmForMaskedLM, config)


def write_agro_nt(directory):
    """Write a stand-in of AgroNT, which is version 1 with 1,024 tokens."""
    write_nucleotide_transformer(directory, longest=1024)


def write_nucleotide_transformer_v2(directory):
    """Write a stand-in of version 2: code of its own, for transformers 4."""
    write_code(
        directory,
        "nt_v2",
        model_type="esm",
        architectures=["EsmForMaskedLM"],
        auto_map=V2_MAP,
        add_bias_fnn=False,
        hidden_size=16,
        intermediate_size=16,
        num_attention_heads=2,
        num_hidden_layers=2,
        mask_token_id=2,
        pad_token_id=1,
        max_position_embeddings=2050,
        position_embedding_type="rotary",
        tie_word_embeddings=False,
        token_dropout=False,
        use_cache=False,
        vocab_size=_write_six_mers(directory, 2048),
    )
    write_random_weights(directory, V2_MAP["AutoModelForSequenceClassification"], head=("dense", "out_proj"))


def write_nucleotide_transformer_v3(directory):
    """Write a stand-in of version 3: a masked language model that takes a mask and ignores it."""
    write_code(
        directory,
        "nt_v3",
        model_type="ntv3",
        architectures=["NTv3PreTrained"],
        auto_map=V3_MAP,
        alphabet_size=11,
        attention_heads=2,
        conv_init_embed_dim=8,
        embed_dim=16,
        mask_token_id=2,
        num_downsamples=2,
        num_layers=1,
        pad_token_id=1,
        token_embed_dim=4,
    )
    auto_map = {"AutoTokenizer": ["tokenization_ntv3.NTv3Tokenizer", None]}
    write_json(directory / "tokenizer_config.json", {"tokenizer_class": "NTv3Tokenizer", "auto_map": auto_map})
    write_random_weights(directory, V3_MAP["AutoModelForMaskedLM"])


def _write_six_mers(directory, longest):
    words = ["<unk>", "<pad>", "<mask>", "<cls>", *SIX_MERS, *"ATCGN"]
    (directory / "vocab.txt").write_text("\n".join(words))
    write_json(
        directory / "tokenizer_config.json",
        {"tokenizer_class": "EsmTokenizer", "eos_token": None, "model_max_length": longest},
    )
    return len(words)
