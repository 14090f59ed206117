"""HyenaDNA and Caduceus (PlantCAD): no attention, no mask, one token for each base, padding on the left."""

import torch

from .writing import write_code, write_json, write_random_weights

HYENADNA = "modeling_hyena.HyenaDNAForSequenceClassification"
CADUCEUS = "modeling_caduceus.CaduceusForSequenceClassification"
COMPLEMENTS = (*range(7), 10, 9, 8, 7, *range(11, 16))
"""The number of each token's complement: A and T, C and G; the rest are their own."""


def write_hyenadna(directory):
    """Write a stand-in of HyenaDNA."""
    write_code(
        directory,
        "hyenadna",
        model_type="hyenadna",
        architectures=["HyenaDNAForCausalLM"],
        auto_map={
            "AutoConfig": "configuration_hyena.HyenaConfig",
            "AutoModel": "modeling_hyena.HyenaDNAModel",
            "AutoModelForSequenceClassification": HYENADNA,
        },
        d_model=16,
        d_inner=32,
        emb_dim=5,
        filter_order=8,
        max_seq_len=194,
        n_layer=2,
        pad_token_id=4,
        tie_word_embeddings=False,
        vocab_size=12,
    )
    _write_tokenizer(directory, "tokenization_hyena", "HyenaDNATokenizer", 192)
    write_random_weights(directory, HYENADNA, head=("score",), left_over={"lm_head.weight": torch.zeros(16, 16)})


def write_caduceus(directory, *, imports=None):
    """Write a stand-in of Caduceus.

    Args:
        directory: An empty directory.
        imports: A package that the code imports, as the real one imports `mamba_ssm`.
    """
    write_code(
        directory,
        "caduceus",
        model_type="caduceus",
        architectures=["CaduceusForMaskedLM"],
        auto_map={
            "AutoConfig": "configuration_caduceus.CaduceusConfig",
            "AutoModel": "modeling_caduceus.Caduceus",
            "AutoModelForSequenceClassification": CADUCEUS,
        },
        complement_map={str(number): other for number, other in enumerate(COMPLEMENTS)},
        d_model=16,
        n_layer=2,
        pad_token_id=4,
        vocab_size=len(COMPLEMENTS),
    )
    _write_tokenizer(directory, "tokenization_caduceus", "CaduceusTokenizer", 512)
    write_random_weights(directory, CADUCEUS, head=("score",))
    if imports:
        code = directory / "modeling_caduceus.py"
        code.write_text(code.read_text().replace("import torch\n", f"import torch\nimport {imports}\n", 1))


def _write_tokenizer(directory, module, name, longest):
    config = {
        "tokenizer_class": name,
        "auto_map": {"AutoTokenizer": [f"{module}.{name}", None]},
        "model_max_length": longest,
        "padding_side": "left",
    }
    write_json(directory / "tokenizer_config.json", config)
