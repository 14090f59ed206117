"""Tiny models with random weights and the traits of those that the field uses.

Each `write_NAME(directory)` writes a model and its tokenizer. The code in `code/` is written for these tests, in the
manner of the published models: what they import, their signatures, buffers, configurations and tokenizers.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

from .berts import (
    overlapping_words,
    write_dnabert1,
    write_gena_bert,
    write_gena_bigbird,
    write_grover,
    write_modern_gena,
)
from .decoders import write_generator, write_mistral_dna
from .dnabert2 import write_dnabert2
from .long_convolutions import CADUCEUS, HYENADNA, write_caduceus, write_hyenadna
from .nucleotide_transformer import (
    V3_MULTIPLE,
    write_agro_nt,
    write_nucleotide_transformer,
    write_nucleotide_transformer_v2,
    write_nucleotide_transformer_v3,
)


@dataclass(frozen=True)
class StandIn:
    """A tiny model in place of a published one."""

    model: str
    """The published model."""
    write: Callable[[Path], None]
    needs_trust: bool = False
    """It comes with code of its own."""
    inputs: Mapping[str, Any] = field(default_factory=dict)
    """What else a person says of the model."""
    classifier: str = ""
    """The module and the name of the classifier in its code."""
    row: Callable[[str], str] = str
    """What of a DNA sequence stands in a row."""


def _whole_multiples(sequence):
    return sequence[: len(sequence) // V3_MULTIPLE * V3_MULTIPLE]


STAND_INS: Mapping[str, StandIn] = MappingProxyType(
    {
        "grover": StandIn("GROVER", write_grover),
        "dnabert2": StandIn(
            "DNABERT-2, DNABERT-S",
            write_dnabert2,
            needs_trust=True,
            classifier="bert_layers.BertForSequenceClassification",
        ),
        "nt_v1": StandIn("Nucleotide Transformer", write_nucleotide_transformer),
        "nt_v2": StandIn(
            "Nucleotide Transformer v2",
            write_nucleotide_transformer_v2,
            needs_trust=True,
            classifier="modeling_esm.EsmForSequenceClassification",
        ),
        "nt_v3": StandIn(
            "Nucleotide Transformer v3",
            write_nucleotide_transformer_v3,
            needs_trust=True,
            inputs={"head": "pooled"},
            row=_whole_multiples,
        ),
        "agro_nt": StandIn("AgroNT", write_agro_nt),
        "gena_bert": StandIn(
            "GENA-LM (BERT)",
            write_gena_bert,
            needs_trust=True,
            classifier="modeling_bert.BertForSequenceClassification",
        ),
        "gena_bigbird": StandIn("GENA-LM (BigBird)", write_gena_bigbird),
        "modern_gena": StandIn("ModernGENA", write_modern_gena),
        "hyenadna": StandIn("HyenaDNA", write_hyenadna, needs_trust=True, classifier=HYENADNA),
        "caduceus": StandIn("Caduceus, PlantCAD", write_caduceus, needs_trust=True, classifier=CADUCEUS),
        "generator": StandIn("GENERator", write_generator, needs_trust=True),
        "mistral_dna": StandIn("Mistral-DNA", write_mistral_dna),
        "dnabert1": StandIn("DNABERT", write_dnabert1, row=overlapping_words),
    }
)
