"""What a tokenizer does, as a hash: its files, its code and the tokens that it makes of some sequences."""

from __future__ import annotations

import hashlib
import inspect
from pathlib import Path
from typing import TYPE_CHECKING

import tokenizers
import transformers
from transformers.utils.hub import TRANSFORMERS_DYNAMIC_MODULE_NAME

from .token_rows import tokenise

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from transformers import PreTrainedTokenizerBase


def tokenizer_identity(tokenizer: PreTrainedTokenizerBase, samples: Sequence[Sequence[str]]) -> bytes:
    """Hash what a tokenizer does.

    Args:
        tokenizer: The tokenizer.
        samples: Some sequences to tokenise, and, for pairs, their partners; none for rows of token ids.
    """
    digest = hashlib.blake2b(digest_size=16)
    for part in _parts(tokenizer, samples):
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.digest()


def _parts(tokenizer: PreTrainedTokenizerBase, samples: Sequence[Sequence[str]]) -> Iterator[bytes]:
    yield f"{transformers.__version__} {tokenizers.__version__} {type(tokenizer).__qualname__}".encode()
    yield repr(tokenizer.init_kwargs).encode()
    backend = getattr(tokenizer, "backend_tokenizer", None)
    yield (backend.to_str() if backend is not None else repr(sorted(tokenizer.get_vocab().items()))).encode()
    for file in (*_own_code(tokenizer), *_own_files(tokenizer)):
        yield file.read_bytes()
    if samples:
        yield repr(tokenise(tokenizer, *samples)).encode()


def _own_code(tokenizer: PreTrainedTokenizerBase) -> list[Path]:
    """Return the modules that came with the tokenizer, those that its class imports included."""
    if not type(tokenizer).__module__.startswith(TRANSFORMERS_DYNAMIC_MODULE_NAME):
        return []
    return sorted(Path(inspect.getfile(type(tokenizer))).parent.glob("*.py"))


def _own_files(tokenizer: PreTrainedTokenizerBase) -> list[Path]:
    """Return the files that the tokenizer was made of; their paths alone do not tell their content."""
    named = [Path(value) for value in tokenizer.init_kwargs.values() if isinstance(value, str) and value]
    return [path for path in named if path.is_file()]
