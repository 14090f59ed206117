"""Simulated DNA and a small model, for trying everything without a download."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import datasets
import numpy as np
from tokenizers import Tokenizer, models, processors, trainers
from transformers import BertConfig, BertForMaskedLM, PreTrainedTokenizerFast, set_seed

from .dataset_splits import TEST, TRAIN, VALIDATION
from .file_modes import apply_umask
from .stored_model import hide_progress_bars

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

BASES = "ACGT"
MOTIF = "CCACTAGGTGGC"
"""The consensus of the planted binding site, invented for this purpose."""
CONSERVATION = 0.9
"""The probability that a base of a planted site is kept; otherwise it is drawn at random."""

_SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_SPLIT_SIZES = {TRAIN: 2400, VALIDATION: 600, TEST: 600}


def simulate_sequences(rows: int, rng: np.random.Generator) -> tuple[list[str], NDArray[np.int64]]:
    """Simulate DNA sequences of 100 to 160 base pairs, about half of them with binding sites.

    A positive sequence contains one to three degenerate copies of `MOTIF` at random positions. A negative one contains
    the same with their bases shuffled, so that neither length nor base composition separates the classes.

    Args:
        rows: The number of sequences, at least 1.
        rng: The source of randomness.

    Returns:
        The sequences and their labels, 0 or 1, of shape (rows,).
    """
    labels = rng.integers(0, 2, rows)
    return [_simulate_sequence(bool(label), rng) for label in labels], labels


def write_dataset(directory: Path | str, *, seed: int = 42, random_labels: bool = False) -> list[str]:
    """Write a simulated `DatasetDict` (2400, 600 and 600 rows of `sequence` and `labels`) to `directory`.

    Args:
        directory: The directory of the dataset.
        seed: Seed of the simulation.
        random_labels: Shuffle the labels, so that nothing can be learnt: a control.

    Returns:
        The sequences of the training split, to train a tokenizer on.
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
    """Write an untrained BERT of 2 layers without a classification head, and its byte-pair tokenizer of 160 tokens.

    Args:
        directory: The directory of both, for `from_pretrained`.
        sequences: The sequences to train the tokenizer on.
        seed: Seed of the model's initial weights.
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
    with hide_progress_bars():
        BertForMaskedLM(config).save_pretrained(str(directory))
    apply_umask(Path(directory))


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
    tokenizer = Tokenizer(models.BPE(unk_token="[UNK]"))  # noqa: S106  (the name of a token, not a secret)
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
