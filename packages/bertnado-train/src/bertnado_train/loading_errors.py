"""Messages for models that transformers cannot load, each with what to do."""

from __future__ import annotations

import re
from pathlib import Path

from bertnado_config import ArgumentProblem, InvalidInputError
from bertnado_metrics import nearest
from huggingface_hub import is_offline_mode
from transformers import __version__

_HUB_NAME = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*")

SAVE_AGAIN = "download or save it again"

_LFS_POINTER_START = b"version https://git-lfs"

_MISSING_NAME = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")
_MISSING_MODULE = re.compile(r"No module named '([\w.]+)'")
_MISSING_PACKAGES = re.compile(r"packages that were not found in your environment: ([\w., -]+?)\. Run")
_MISSING_ATTRIBUTE = re.compile(r"'(\w+)' object has no attribute '(\w+)'")

_DISTRIBUTIONS = {"mamba_ssm": "mamba-ssm", "flash_attn": "flash-attn", "causal_conv1d": "causal-conv1d"}
"""Packages whose name for pip differs from the one that code imports."""


def model_error(message: str) -> InvalidInputError:
    """Return the error for a model that cannot be used."""
    return InvalidInputError([ArgumentProblem("model_name", message)])


def loading_error(model_name: str, error: Exception) -> InvalidInputError:
    """Return an error that says why a model cannot be loaded and what to do, in place of that of transformers."""
    if "trust_remote_code" in str(error):
        return model_error(
            f"the model {model_name!r} requires custom code, which runs only if you allow it: "
            f"read that code, then allow it with {{trust_remote_code}}"
        )
    return model_error(f"the model {model_name!r} cannot be loaded: {_reason_and_cure(model_name, error)}")


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, or its type."""
    return (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")


def _reason_and_cure(model_name: str, error: Exception) -> str:
    if problem := _code_problem(error):
        return problem
    if "weights_only" in str(error) or "Weights only" in str(error):
        return _pickle_and_cure(str(error))
    reason = first_line(error)
    if reason.startswith("Unrecognized configuration class"):
        return (
            "there is no sequence classifier for its architecture; put a linear layer on the mean of its hidden states "
            "with {head} pooled, or choose another model of DNA sequences"
        )
    path = Path(model_name)
    if path.is_file():
        return "it is a file; pass the directory that contains it"
    if path.is_dir():
        if not (path / "config.json").is_file() and (path / "adapter_config.json").is_file():
            return (
                "it is an adapter (adapter_config.json), not a whole model; merge it into its base model with "
                "peft's merge_and_unload(), and save the result with save_pretrained"
            )
        if not (path / "config.json").is_file():
            return "the directory has no config.json; pass one that save_pretrained wrote"
        pointer = next((file.name for file in sorted(path.iterdir()) if _is_lfs_pointer(file)), None)
        if pointer:
            return f"{pointer} is a Git LFS pointer, not the file itself; run `git lfs pull` in the directory"
        return f"{reason}; {SAVE_AGAIN}"
    suggestion = _nearest_model(path)
    hint = f"did you mean the directory {suggestion!r}? " if suggestion else ""
    if not _HUB_NAME.fullmatch(model_name):
        return f"there is no such directory; {hint}pass one that holds a model, or a name on the Hugging Face hub"
    download = f"(`hf download {model_name}`) with HF_HOME on a disk that both machines share"
    if is_offline_mode() and "connect" in reason:
        return (
            f"it is not in the cache, and HF_HUB_OFFLINE forbids downloading it; {hint}pass a directory that holds a "
            f"model, or download this one on a machine with internet access {download}"
        )
    return (
        f"{reason}; {hint}pass a directory that holds a model, or a name on the Hugging Face hub; without internet "
        f"access, first download it on a machine that has it {download}, and set HF_HUB_OFFLINE=1"
    )


def _code_problem(error: Exception) -> str | None:
    """Return what the code of a model lacks, and what to do; `None` if the error is of another kind."""
    reason = str(error)
    if isinstance(error, ImportError):
        packages = _missing_packages(reason)
        if packages:
            names = ", ".join(packages)
            command = f"pip install {' '.join(_DISTRIBUTIONS.get(name, name) for name in packages)}"
            verb = "is" if len(packages) == 1 else "are"
            return f"its code imports {names}, which {verb} not installed; run `{command}`"
        found = _MISSING_NAME.search(reason)
        if found and found[2].startswith("transformers"):
            return _made_for_transformers_4(f"{found[1]} from {found[2]}")
        module = _MISSING_MODULE.search(reason)
        if module:
            return _made_for_transformers_4(f"the module {module[1]}")
    found = _MISSING_ATTRIBUTE.search(reason) if isinstance(error, AttributeError) else None
    if found and found[1].endswith("Config"):
        return (
            f"its code requires {found[2]!r} of its configuration, which transformers {__version__} does not set; "
            f"add {found[2]!r} to its config.json"
        )
    return None


def _made_for_transformers_4(missing: str) -> str:
    return (
        f"its code is made for transformers 4.x: it imports {missing}, which transformers {__version__} lacks; "
        f"use a version of the model for transformers 5, or replace the import in a copy of its code"
    )


def _missing_packages(reason: str) -> list[str]:
    """Return the packages that an import error says are not installed."""
    found = _MISSING_PACKAGES.search(reason)
    if found:
        return [name.strip() for name in found[1].split(",")]
    module = _MISSING_MODULE.search(reason)
    name = module[1].split(".")[0] if module else "transformers"
    return [] if name in ("transformers", "transformers_modules") else [name]


def _pickle_and_cure(reason: str) -> str:
    """Return why torch refuses a pickle; its own message advises to load it regardless."""
    if "GLOBAL" in reason:
        return (
            "its weights file contains more than tensors, which could run code when it is loaded; "
            "save it as safetensors with save_pretrained where it is trusted"
        )
    return f"its weights file is damaged, or not one that torch.save wrote; {SAVE_AGAIN}"


def _is_lfs_pointer(file: Path) -> bool:
    """Return whether `git clone` wrote the file in place of a large one because Git LFS is not installed."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(_LFS_POINTER_START)) == _LFS_POINTER_START


def _nearest_model(path: Path) -> str | None:
    """Return the directory of a model whose name is similar to that of `path`."""
    siblings = [file.parent.name for file in path.parent.glob("*/config.json")]
    suggestion = nearest(path.name, sorted(siblings))
    return str(path.with_name(suggestion)) if suggestion else None
