"""A fingerprint of everything that the outputs of a frozen backbone depend on, besides the rows."""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import torch
import transformers

from .model_config import is_dropout_rate
from .model_parts import find_parts

if TYPE_CHECKING:
    from collections.abc import Mapping

    from transformers import PreTrainedModel

    from .stored_model import StoredModel

_VERSION = 1
"""Of what BertNado makes of the outputs."""
_UNRELATED = frozenset(
    {"id2label", "label2id", "problem_type", "_name_or_path", "transformers_version", "architectures", "auto_map"}
)
"""Names in a configuration that concern the head alone, or where the model comes from."""
_LIBRARIES = frozenset({"torch", "transformers"})


def backbone_fingerprint(model: PreTrainedModel, stored: StoredModel) -> str:
    """Return a hash of the weights below the head, of the configuration, and of the code.

    Args:
        model: The model that a trial trains, on the CPU.
        stored: What it is a copy of; its weights are hashed once.
    """
    digest = hashlib.blake2b(digest_size=16)
    about = {
        "version": [_VERSION, torch.__version__, transformers.__version__],
        "class": type(model).__qualname__,
        "config": _related(model.config.to_dict()),
    }
    digest.update(json.dumps(about, sort_keys=True, default=str).encode())
    for file in sorted(_own_code(model)):
        digest.update(file.read_bytes())
    parts = find_parts(model)
    for name, tensor in sorted(model.state_dict().items()):
        if not parts.is_in_head(name):
            digest.update(name.encode() + stored.digest_of(name, tensor))
    return digest.hexdigest()


def _related(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what may change the outputs; rates of dropout do not in evaluation mode, so that they may be swept."""
    return {
        str(name): _related(cast("Mapping[str, Any]", value)) if isinstance(value, dict) else value
        for name, value in config.items()
        if name not in _UNRELATED and not is_dropout_rate(str(name), value)
    }


def _own_code(model: PreTrainedModel) -> set[Path]:
    """Return the files with the code of a model that is not of transformers or torch."""
    modules = {type(module).__module__ for module in model.modules()}
    own = (sys.modules[name] for name in modules if name.partition(".")[0] not in _LIBRARIES and name in sys.modules)
    files = {inspect.getsourcefile(module) for module in own}
    return {Path(file) for file in files if file is not None}
