"""The token and the side that rows are padded with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedTokenizerBase

    from .batch_format import PaddingSide


@dataclass(frozen=True)
class Padding:
    """The token and the side that rows are padded with."""

    declared: int | None
    """The token that the tokenizer or else the configuration declares, if it is in the vocabulary."""
    token_id: int
    """The token to pad with: the declared one, otherwise one that ends a sequence, otherwise 0."""
    side: PaddingSide


def choose_padding(config: PreTrainedConfig, tokenizer: PreTrainedTokenizerBase | None) -> Padding:
    """Choose the token and the side, those of the tokenizer first; a configuration without a valid token gets it.

    Args:
        config: The model's configuration; `pad_token_id` is set if it is missing, negative or beyond the vocabulary.
        tokenizer: The model's tokenizer, if it has one.
    """
    vocabulary = getattr(config, "vocab_size", None)

    def is_valid(token: object) -> TypeGuard[int]:
        return isinstance(token, int) and token >= 0 and (vocabulary is None or token < vocabulary)

    configured = getattr(config, "pad_token_id", None)
    mine = None if tokenizer is None or tokenizer.pad_token is None else tokenizer.pad_token_id
    declared = next((token for token in (mine, configured) if is_valid(token)), None)
    ends = (getattr(tokenizer, "eos_token_id", None), getattr(config, "eos_token_id", None))
    token_id = next((token for token in (declared, *ends) if is_valid(token)), 0)
    if not is_valid(configured):
        config.pad_token_id = token_id
    side = getattr(tokenizer, "padding_side", "right")
    return Padding(declared, token_id, "left" if side == "left" else "right")
