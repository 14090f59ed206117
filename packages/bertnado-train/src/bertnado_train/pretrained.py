"""Configurations, tokenizers and models by name or path, loaded by transformers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bertnado_config import InvalidInputError
from transformers import AutoConfig, AutoTokenizer, PreTrainedConfig

from .loading_errors import SAVE_AGAIN, loading_error, model_error
from .model_files import (
    foreign_code_problem,
    incomplete_model_problem,
    model_name_problem,
    oversize_problem,
    require_readable_files,
)
from .tokenizer_errors import tokenizer_error
from .transformers4_code import provide_names

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


def load_config(model_name: str, *, trust_remote_code: bool) -> PreTrainedConfig:
    """Load a model's configuration from a directory, the local cache or the hub.

    Raises:
        InvalidInputError: It cannot be loaded, or asks for code that is not part of transformers; the message says
            what to do.
    """
    problem = model_name_problem(model_name)
    if problem:
        raise InvalidInputError([problem])
    incomplete = incomplete_model_problem(Path(model_name))
    if incomplete:
        raise model_error(f"the model {model_name!r} {incomplete}")
    _require_harmless_files(model_name, trust_remote_code)
    return load_pretrained(AutoConfig, model_name, trust_remote_code)


def read_stored_config(model_name: str) -> dict[str, Any]:
    """Return the content of a model's `config.json`, from a directory, the local cache or the hub.

    Raises:
        InvalidInputError: It cannot be read.
    """
    try:
        return PreTrainedConfig.get_config_dict(model_name)[0]
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise loading_error(model_name, error) from error


def _require_harmless_files(model_name: str, trust_remote_code: bool) -> None:
    """Refuse files that would block, run or fill the machine before transformers acts on them.

    Raises:
        InvalidInputError: There are such files; the message says what to do.
    """
    try:
        require_readable_files(model_name)
    except (ValueError, OSError) as error:
        raise model_error(f"the model {model_name!r} cannot be loaded: {error}; {SAVE_AGAIN}") from None
    config = read_stored_config(model_name)
    foreign = None if trust_remote_code else foreign_code_problem(config)
    if foreign:
        cure = "remove it, or read that code and allow it with {trust_remote_code}"
        raise model_error(f"the model {model_name!r} cannot be used: {foreign}; {cure}")
    oversize = oversize_problem(config)
    if oversize:
        raise model_error(f"the model {model_name!r} cannot be used: {oversize}; {SAVE_AGAIN}")


def find_tokenizer(model_name: str, *, trust_remote_code: bool) -> PreTrainedTokenizerBase | None:
    """Load a model's tokenizer; `None` if it has none that can be loaded."""
    try:
        return load_tokenizer(model_name, trust_remote_code=trust_remote_code)
    except InvalidInputError:
        return None


def load_tokenizer(model_name: str, *, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer from a directory, the local cache or the hub.

    Raises:
        InvalidInputError: It cannot be loaded; the message says what to do, without internet as well.
    """
    provide_names()
    try:
        tokenizer = AutoTokenizer.from_pretrained(model_name, trust_remote_code=trust_remote_code)
        words = set(tokenizer.get_vocab())
    except Exception as error:  # a damaged file raises whatever its reader raises, and so does its own code
        raise tokenizer_error(model_name, error) or loading_error(model_name, error) from error
    if not words - set(tokenizer.all_special_tokens):  # transformers makes an empty one
        raise model_error(
            f"the model {model_name!r} has no tokenizer; save one in its directory with save_pretrained, "
            f"or use a dataset with the column 'input_ids'"
        )
    return tokenizer


def load_pretrained(kind: Any, model_name: str, trust_remote_code: bool, **options: Any) -> Any:
    """Call `from_pretrained` of one of the `Auto` classes of transformers.

    Args:
        kind: The class.
        model_name: A directory, or a name on the Hugging Face hub.
        trust_remote_code: Allow Python code that comes with the model to run.
        options: Passed on to `from_pretrained`.

    Raises:
        InvalidInputError: It failed; the message says what to do.
    """
    provide_names()
    try:
        return kind.from_pretrained(model_name, trust_remote_code=trust_remote_code, **options)
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise loading_error(model_name, error) from error
