"""Simulated DNA and a small model: enough to try everything without any download."""

from __future__ import annotations

from typing import TYPE_CHECKING

import datasets
import numpy as np
from tokenizers import Tokenizer, models, processors, trainers
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast, set_seed

from .model import without_bars
from .prepared import TEST, TRAIN, VALIDATION

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from numpy.typing import NDArray

BASES = "ACGT"
MOTIF = "CCACTAGGTGGC"
"""The consensus of the planted binding site, made up for this purpose."""
CONSERVATION = 0.9
"""How likely a base of a planted site is kept; otherwise it is drawn anew."""

_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_SPLIT_SIZES = {TRAIN: 2400, VALIDATION: 600, TEST: 600}


def simulate_sequences(rows: int, rng: np.random.Generator) -> tuple[list[str], NDArray[np.int64]]:
    """Simulate DNA of 100 to 160 base pairs, half of it with binding sites.

    A positive sequence holds one to three degenerate copies of `MOTIF` at random places. A negative one holds the
    same, their bases shuffled, so that neither length nor base composition tells the two apart.

    Args:
        rows: How many sequences, at least 1.
        rng: Where the randomness comes from.

    Returns:
        The sequences, and their labels, 0 or 1: shape (rows,).
    """
    labels = rng.integers(0, 2, rows)
    return [_simulate_sequence(bool(label), rng) for label in labels], labels


def write_dataset(directory: Path | str, *, seed: int = 42, random_labels: bool = False) -> list[str]:
    """Write a simulated `DatasetDict` (2400, 600 and 600 rows of `sequence` and `labels`) to `directory`.

    Args:
        directory: Where it goes.
        seed: Decides every base of it.
        random_labels: Shuffle the labels, so that there is nothing to learn: a control.

    Returns:
        The sequences of the training split, for a tokenizer to learn from.
    """
    rng = np.random.default_rng(seed)
    splits = datasets.DatasetDict()
    for name, rows in _SPLIT_SIZES.items():
        sequences, labels = simulate_sequences(rows, rng)
        if random_labels:
            labels = rng.permutation(labels)
        splits[name] = datasets.Dataset.from_dict({"sequence": sequences, "labels": labels.tolist()})
    splits.save_to_disk(str(directory))
    return splits[TRAIN]["sequence"][:]


def write_model(directory: Path | str, sequences: Iterable[str], *, seed: int = 42) -> None:
    """Write an untrained BERT of 2 layers, without a classification head, and its byte-pair tokenizer.

    Args:
        directory: Where both go, as `from_pretrained` reads them.
        sequences: What the tokenizer learns its 160 tokens from.
        seed: Decides the model's initial weights.
    """
    tokenizer = _train_tokenizer(sequences)
    tokenizer.save_pretrained(str(directory))
    set_seed(seed)
    config = BertConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=128,
        max_position_embeddings=256,
        hidden_dropout_prob=0.05,
        attention_probs_dropout_prob=0.05,
        pad_token_id=_SPECIAL_TOKENS.index("[PAD]"),
    )
    with without_bars():
        BertForMaskedLM(config).save_pretrained(str(directory))


def _simulate_sequence(positive: bool, rng: np.random.Generator) -> str:
    length = int(rng.integers(100, 161))
    gc = rng.beta(20, 25)
    sequence = rng.choice(4, length, p=[(1 - gc) / 2, gc / 2, gc / 2, (1 - gc) / 2])
    motif = np.array([BASES.index(base) for base in MOTIF])
    for _ in range(int(rng.integers(1, 4))):
        kept = rng.random(len(motif)) < CONSERVATION
        site = np.where(kept, motif, rng.integers(0, 4, len(motif)))
        start = int(rng.integers(0, length - len(site) + 1))
        sequence[start : start + len(site)] = site if positive else rng.permutation(site)
    return "".join(BASES[base] for base in sequence)


def _train_tokenizer(sequences: Iterable[str]) -> PreTrainedTokenizerFast:
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))  # noqa: S106  (the name of a token, no secret)
    tokenizer.train_from_iterator(
        sequences,
        trainers.BpeTrainer(vocab_size=160, special_tokens=list(_SPECIAL_TOKENS), show_progress=False),
    )
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        special_tokens=[(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
        cls_token="[CLS]",  # noqa: S106
        sep_token="[SEP]",  # noqa: S106
        mask_token="[MASK]",  # noqa: S106
        model_max_length=256,
    )
