"""Messages for tokenizers whose own code transformers cannot use."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from transformers.utils.hub import TRANSFORMERS_DYNAMIC_MODULE_NAME

from .loading_errors import model_error

if TYPE_CHECKING:
    from bertnado_config import InvalidInputError


def tokenizer_error(model_name: str, error: Exception) -> InvalidInputError | None:
    """Return the error for a tokenizer whose own code fails, `None` if the reason is another one."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if TRANSFORMERS_DYNAMIC_MODULE_NAME in frame.filename]
    if not own:
        return None
    where = f"{own[-1].filename.rsplit('/', 1)[-1]}, line {own[-1].lineno}"
    if isinstance(error, NotImplementedError):
        missing = frames[-1].name
        reason = f"its code ({where}) does not define {missing}, which transformers 5 calls"
        cure = f"add {missing} to the class" + (", returning each token with its id" if missing == "get_vocab" else "")
    elif isinstance(error, AttributeError):
        reason = f"its code ({where}) fails: {error}; transformers 5 asks for the vocabulary in super().__init__()"
        cure = "set it before that call"
    else:
        reason, cure = f"its code ({where}) fails: {error}", "it may be written for another version of transformers"
    return model_error(f"the tokenizer of the model {model_name!r} cannot be loaded: {reason}; {cure}")
