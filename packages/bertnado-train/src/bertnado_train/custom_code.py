"""Python code that comes with a model: loading its class, and saving it so that plain transformers can read it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from transformers.dynamic_module_utils import custom_object_save, get_class_from_dynamic_module
from transformers.utils.hub import TRANSFORMERS_DYNAMIC_MODULE_NAME

from . import transformers4_code
from .transformers4_code import build_normally, provide_names

if TYPE_CHECKING:
    from transformers import PreTrainedConfig, PreTrainedModel

_CLASSIFIER = "AutoModelForSequenceClassification"
_NO_DROPOUT = 1e-6
"""A dropout that changes nothing and is not 0."""

_SUPPORT = Path(transformers4_code.__file__)
_PROVIDE = f"from .{_SUPPORT.stem} import build_normally, provide_names\n\nprovide_names()\n"
_BUILD = "\nbuild_normally(list(globals().values()))\n"
_FUTURE = re.compile(r"^from __future__ import [^\n]*\n", re.MULTILINE)


def load_classifier_class(config: PreTrainedConfig, model_name: str) -> type[PreTrainedModel] | None:
    """Load the sequence classifier of a model's code; `None` if it has no code, or no such class.

    A class that the code has and `auto_map` does not name, as in GENA-LM, is found by its name.

    Args:
        config: The configuration of the model.
        model_name: A directory, or a name on the Hugging Face hub.
    """
    auto_map = getattr(config, "auto_map", None) or {}
    if _CLASSIFIER in auto_map:
        return load_custom_class(config, model_name, _CLASSIFIER)
    other = next((name for name in auto_map if name.startswith("AutoModel")), None)
    found = None if other is None else _classifier_beside(load_custom_class(config, model_name, other))
    if found is not None:
        found.register_for_auto_class(_CLASSIFIER)
    return found


def load_custom_class(config: PreTrainedConfig, model_name: str, auto_class: str) -> type[PreTrainedModel]:
    """Load the class that a model's code has for an `Auto` class; its instances are built normally.

    Args:
        config: The configuration of the model.
        model_name: A directory, or a name on the Hugging Face hub.
        auto_class: The name of the `Auto` class, one of `auto_map`.
    """
    provide_names()
    repository, _, reference = config.auto_map[auto_class].rpartition("--")
    found: Any = get_class_from_dynamic_module(reference, repository or model_name)
    found.register_for_auto_class(auto_class)
    for base in found.__mro__:
        if base.__module__.startswith(TRANSFORMERS_DYNAMIC_MODULE_NAME):
            build_normally(list(vars(sys.modules[base.__module__]).values()))
    return found


def switch_off_kernels(config: PreTrainedConfig, model_class: type[PreTrainedModel]) -> str | None:
    """Change a configuration so that the model does not call kernels that today's Triton cannot compile.

    DNABERT-2 uses its kernel if attention has no dropout: https://github.com/MAGICS-LAB/DNABERT_2/issues/57

    Returns:
        What was changed, for the user; `None` if nothing was.
    """
    module = sys.modules[model_class.__module__]
    has_kernel = getattr(module, "flash_attn_qkvpacked_func", None) is not None
    if not has_kernel or getattr(config, "attention_probs_dropout_prob", None) != 0:
        return None
    config.attention_probs_dropout_prob = _NO_DROPOUT  # pyright: ignore[reportAttributeAccessIssue]
    return (
        f"attention_probs_dropout_prob is {_NO_DROPOUT:g} instead of 0 for training, which switches off its Triton "
        f"kernel: it does not run with today's Triton, nor without a GPU"
    )


def _classifier_beside(found: type[PreTrainedModel]) -> type[PreTrainedModel] | None:
    """Return the sequence classifier in the module of another class."""
    module = sys.modules[found.__module__]
    named = [value for name, value in vars(module).items() if name.endswith("ForSequenceClassification")]
    return next((value for value in named if value.__module__ == found.__module__), None)


def complete_saved_code(directory: Path, model: PreTrainedModel) -> None:
    """Change the code that `save_pretrained` wrote beside a model so that plain transformers reads the model right.

    Args:
        directory: The directory of the saved model.
        model: The model; nothing is changed if it is a class of transformers.
    """
    if not model.is_custom_code():
        return
    if hasattr(model.config, "backbone_class"):
        _save_backbone_code(directory, cast("PreTrainedModel", model.backbone))
    shutil.copyfile(_SUPPORT, directory / _SUPPORT.name)
    for file in sorted(directory.glob("*.py")):
        code = file.read_text(encoding="utf-8")
        if file.name != _SUPPORT.name and _PROVIDE not in code:
            file.write_text(_complete(code), encoding="utf-8")


def _save_backbone_code(directory: Path, backbone: PreTrainedModel) -> None:
    """Save the code of the model below a pooled head, and let the configuration refer to it."""
    for part in (backbone, backbone.config):
        if type(part).__module__.startswith(TRANSFORMERS_DYNAMIC_MODULE_NAME):
            custom_object_save(part, directory)
    file = directory / "config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    described = config["backbone"]
    described.pop("_name_or_path", None)
    for name, reference in described.get("auto_map", {}).items():
        described["auto_map"][name] = reference.rpartition("--")[2]
    file.write_text(json.dumps(config, indent=2), encoding="utf-8")


def complete_saved_tokenizer(directory: Path) -> None:
    """Change the code of a tokenizer that `save_pretrained` wrote so that plain transformers reads it right.

    transformers takes a class for a tokenizer only if its name says so, and then writes its name where a pair of names
    is read, of a slow and a fast one.
    """
    file = directory / "tokenizer_config.json"
    config = json.loads(file.read_text(encoding="utf-8"))
    name = config.get("auto_map", {}).get("AutoTokenizer")
    if isinstance(name, str):
        config["auto_map"]["AutoTokenizer"] = [None, name] if name.endswith("Fast") else [name, None]
        file.write_text(json.dumps(config, indent=2), encoding="utf-8")


def _complete(code: str) -> str:
    """Provide the names of transformers 4 before the first import, and change the classes after the last line."""
    imports = list(_FUTURE.finditer(code))
    start = imports[-1].end() if imports else 0
    return code[:start] + _PROVIDE + code[start:] + _BUILD
