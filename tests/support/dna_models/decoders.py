"""GENERator and Mistral-DNA: generative models of transformers, whose configurations have no padding token."""

import shutil

from transformers import LlamaConfig, LlamaForCausalLM, MixtralConfig, MixtralForCausalLM

from .writing import CODE, SPREAD, write_byte_pairs, write_json, write_native

WORD = 6
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "initializer_range": SPREAD,
}


def write_generator(directory):
    """Write a Llama with a tokenizer of its own for words of six bases."""
    config = LlamaConfig(
        **SMALL,
        num_key_value_heads=1,
        vocab_size=7 + 4**WORD,
        max_position_embeddings=512,
        bos_token_id=1,
        eos_token_id=2,
    )
    write_native(directory, LlamaForCausalLM, config)
    shutil.copy(CODE / "generator" / "tokenizer.py", directory)
    tokenizer = {
        "tokenizer_class": "DNAKmerTokenizer",
        "auto_map": {"AutoTokenizer": ["tokenizer.DNAKmerTokenizer", None]},
        "k": WORD,
        "padding_side": "left",
        "pad_token": "<pad>",
        "unk_token": "<oov>",
        "model_max_length": 512,
    }
    write_json(directory / "tokenizer_config.json", tokenizer)


def write_mistral_dna(directory):
    """Write a Mixtral with four experts, and the tokenizer of DNABERT-2 with the padding on the left."""
    config = MixtralConfig(
        **SMALL,
        num_key_value_heads=2,
        num_local_experts=4,
        num_experts_per_tok=1,
        vocab_size=write_byte_pairs(directory, side="left"),
        max_position_embeddings=256,
        bos_token_id=1,
        eos_token_id=2,
        sliding_window=None,
    )
    write_native(directory, MixtralForCausalLM, config)
