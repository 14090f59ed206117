"""Encoders that transformers has itself: GROVER, DNABERT-1, GENA-LM with BigBird, ModernGENA; and GENA-LM with BERT."""

import itertools

from transformers import (
    BertConfig,
    BertForMaskedLM,
    BigBirdConfig,
    BigBirdForMaskedLM,
    ModernBertConfig,
    ModernBertForMaskedLM,
)

from .writing import SPREAD, write_byte_pairs, write_code, write_json, write_native, write_random_weights

SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": SPREAD,
}
WORDS = 3
"""The bases of a word of DNABERT-1."""


def write_grover(directory):
    """Write a BERT with byte pairs that have no unknown token."""
    special = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
    tokens = write_byte_pairs(directory, special, unknown=None)
    write_native(directory, BertForMaskedLM, BertConfig(**SMALL, vocab_size=tokens, max_position_embeddings=128))


def write_dnabert1(directory):
    """Write a BERT whose vocabulary holds all words of three bases, which overlap and stand apart in a row."""
    words = ["".join(letters) for letters in itertools.product("ATCG", repeat=WORDS)]
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *words]
    (directory / "vocab.txt").write_text("\n".join(tokens))
    write_json(
        directory / "tokenizer_config.json",
        {"tokenizer_class": "BertTokenizer", "do_lower_case": False, "model_max_length": 512},
    )
    config = BertConfig(**SMALL, vocab_size=len(tokens), max_position_embeddings=512)
    write_native(directory, BertForMaskedLM, config)


def overlapping_words(sequence):
    """Return the words of a sequence as DNABERT-1 reads them."""
    return " ".join(sequence[start : start + WORDS] for start in range(len(sequence) - WORDS + 1))


def write_gena_bert(directory):
    """Write code with a classifier of which `auto_map` says nothing: it names the masked language model alone."""
    config = SMALL | {"vocab_size": write_byte_pairs(directory), "max_position_embeddings": 128, "pad_token_id": 3}
    write_code(
        directory,
        "gena",
        model_type="bert",
        architectures=["BertForMaskedLM"],
        auto_map={"AutoModel": "modeling_bert.BertForMaskedLM"},
        pre_layer_norm=True,
        type_vocab_size=2,
        **config,
    )
    write_random_weights(directory, "modeling_bert.BertForMaskedLM", binary=True)


def write_gena_bigbird(directory):
    """Write a BigBird with sparse attention, which it gives up for good at the first batch of short rows."""
    tokens = write_byte_pairs(directory)
    config = BigBirdConfig(
        **SMALL,
        vocab_size=tokens,
        max_position_embeddings=128,
        attention_type="block_sparse",
        block_size=8,
        num_random_blocks=1,
        pad_token_id=3,
        bos_token_id=1,
        eos_token_id=2,
        sep_token_id=2,
    )
    write_native(directory, BigBirdForMaskedLM, config)


def write_modern_gena(directory):
    """Write a ModernBERT with local attention in every second layer."""
    tokens = write_byte_pairs(directory)
    config = ModernBertConfig(
        **SMALL,
        vocab_size=tokens,
        max_position_embeddings=1024,
        local_attention=16,
        global_attn_every_n_layers=2,
        pad_token_id=3,
        bos_token_id=1,
        cls_token_id=1,
        eos_token_id=2,
        sep_token_id=2,
    )
    write_native(directory, ModernBertForMaskedLM, config)
