"""Models and tokenizers by name or path, and what a model can read."""

from __future__ import annotations

import copy
import re
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from bertnado_metrics import nearest
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, PreTrainedConfig, set_seed
from transformers.utils import logging
from transformers.utils.hub import is_offline_mode

from .model_files import foreign_code_problem, model_name_problem, oversize_problem, require_readable_files

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from bertnado_metrics import Task
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

_HUB_NAME = re.compile(r"(\w[\w.-]*/)?\w[\w.-]*")

_AGAIN = "fetch or save it again"

_LFS = b"version https://git-lfs"
"""How a pointer of Git LFS begins."""

_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "esm", "longformer", "data2vec-text"})
"""Model types that number positions from `pad_token_id + 1`, so that many fewer tokens fit."""


def load_config(model_name: str, *, trust_remote_code: bool) -> PreTrainedConfig:
    """Read a model's configuration from a directory, the local cache or the hub.

    Raises:
        ValueError: It cannot be found or read, or asks for code that is not part of transformers; the message says
            what to do.
    """
    problem = model_name_problem(model_name)
    if problem:
        raise ValueError(f"model_name {problem}")
    _refuse_unfit_files(model_name, trust_remote_code)
    return _load(AutoConfig, model_name, trust_remote_code)


def _refuse_unfit_files(model_name: str, trust_remote_code: bool) -> None:
    """Look at what `config.json` asks for before anything of it is done."""
    try:
        require_readable_files(model_name)
    except (ValueError, OSError) as error:
        raise ValueError(f"the model {model_name!r} cannot be loaded: {error}; {_AGAIN}") from None
    try:
        config, _ = PreTrainedConfig.get_config_dict(model_name)
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise ValueError(_explain(model_name, error)) from error
    foreign = None if trust_remote_code else foreign_code_problem(config)
    if foreign:
        cure = "take it out, or look at that code and add --trust-remote-code"
        raise ValueError(f"the model {model_name!r} cannot be used: {foreign}; {cure}")
    oversize = oversize_problem(config)
    if oversize:
        raise ValueError(f"the model {model_name!r} cannot be used: {oversize}; {_AGAIN}")


def load_tokenizer(model_name: str, *, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    """Read a model's tokenizer from a directory, the local cache or the hub.

    Raises:
        ValueError: It cannot be found or read; the message says what to do without internet.
    """
    tokenizer = _load(AutoTokenizer, model_name, trust_remote_code)
    if not set(tokenizer.get_vocab()) - set(tokenizer.all_special_tokens):  # transformers makes up an empty one
        raise ValueError(
            f"the model {model_name!r} comes without a tokenizer; save one beside it with its save_pretrained, "
            f"or give a dataset with the column 'input_ids'"
        )
    return tokenizer


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A model as it was read: each trial trains a copy of its own."""

    kind: type[PreTrainedModel]
    config: PreTrainedConfig
    weights: Mapping[str, torch.Tensor]
    """What was stored. A head that was not is missing here."""

    def copy(self, seed: int) -> PreTrainedModel:
        """Make the model that reading it anew would give.

        Args:
            seed: What weights that were not stored, those of a new head, are initialised with.
        """
        set_seed(seed)
        weights = {name: weight.clone() for name, weight in self.weights.items()}
        with without_bars(), _without_reports():
            return self.kind.from_pretrained(
                None, config=copy.deepcopy(self.config), state_dict=weights, dtype=torch.float32
            )


def read_model(
    model_name: str,
    task: Task,
    logits: int,
    *,
    label2id: Mapping[str, int] | None,
    trust_remote_code: bool,
) -> StoredModel:
    """Read a model with a classification head of `logits` outputs for `task`, in fp32 whatever it is stored in.

    Args:
        model_name: A directory or the name of a model on the hub.
        task: What the head is for.
        logits: Outputs of the head, at least 1.
        label2id: Names of the classes, kept in the model's configuration.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        ValueError: It cannot be found or read; the message says what to do without internet.
    """
    with without_bars():
        model, loading = _load(
            AutoModelForSequenceClassification,
            model_name,
            trust_remote_code,
            num_labels=logits,
            problem_type=task.problem_type,
            ignore_mismatched_sizes=True,  # a head that was trained for other classes gives way to a new one
            dtype=torch.float32,
            output_loading_info=True,
            **_class_names(logits, label2id or {}),
        )
    unfit = _unfit_weights(model, loading)
    if unfit:
        raise ValueError(f"the model {model_name!r} cannot be used: {unfit}; {_AGAIN}")
    new = {*loading["missing_keys"], *(name for name, *_ in loading["mismatched_keys"])}
    weights = {name: weight for name, weight in model.state_dict().items() if name not in new}
    return StoredModel(type(model), model.config, weights)


def _unfit_weights(model: PreTrainedModel, loading: Mapping[str, Any]) -> str | None:
    """Say how what is stored differs from the model below the head: those weights would be random."""
    inner = {name for name in model.state_dict() if name.startswith(f"{model.base_model_prefix}.")}
    changed = sorted((name, tuple(stored), tuple(made)) for name, stored, made in loading["mismatched_keys"])
    changed = [entry for entry in changed if entry[0] in inner]
    if changed:
        name, stored, made = changed[0]
        return f"{name} is stored in the shape {stored}, and its config.json means {made}"
    if inner and inner <= set(loading["missing_keys"]):
        return f"none of its weights is one of a {model.config.model_type} model, which its config.json says it is"
    return None


def _class_names(logits: int, label2id: Mapping[str, int]) -> dict[str, Any]:
    """Name the outputs of the head, as a model's configuration holds them."""
    names = {index: name for name, index in label2id.items()}
    if logits == 1 and set(names) == {0, 1}:
        names = {0: names[1]}  # one logit speaks of the positive class
    elif set(names) != set(range(logits)):
        names = {index: f"LABEL_{index}" for index in range(logits)}
    return {"id2label": names, "label2id": {name: index for index, name in names.items()}}


def position_limit(config: PreTrainedConfig) -> int | None:
    """Return how many tokens the model has positions for; `None` where it computes them (rotary, ALiBi)."""
    limit = getattr(config, "max_position_embeddings", None)
    computed = (
        getattr(config, "position_embedding_type", "absolute") not in ("absolute", None)
        or getattr(config, "rope_parameters", None) is not None
        or getattr(config, "rope_theta", None) is not None
        or hasattr(config, "alibi_starting_size")
    )
    if computed or not isinstance(limit, int):
        return None
    if config.model_type in _OFFSET_POSITIONS:
        return limit - (getattr(config, "pad_token_id", None) or 0) - 1
    return limit


@contextmanager
def without_bars() -> Generator[None]:
    """Hide the bars of reading and writing weights, a flash at every trial; downloads keep theirs."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def _without_reports() -> Generator[None]:
    """Leave out the report of weights that are new: it was given when the model was read."""
    shown = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(shown)


def _load(kind: Any, model_name: str, trust_remote_code: bool, **options: Any) -> Any:
    try:
        return kind.from_pretrained(model_name, trust_remote_code=trust_remote_code, **options)
    except Exception as error:  # a damaged file raises whatever its reader raises
        raise ValueError(_explain(model_name, error)) from error


def _explain(model_name: str, error: Exception) -> str:
    if "trust_remote_code" in str(error):
        return (
            f"the model {model_name!r} comes with code of its own, which runs only if you allow it: "
            f"look at that code, then add --trust-remote-code"
        )
    return f"the model {model_name!r} cannot be loaded: {_reason_and_cure(model_name, error)}"


def _reason_and_cure(model_name: str, error: Exception) -> str:
    if "weights_only" in str(error) or "Weights only" in str(error):
        return _pickle_and_cure(str(error))
    reason = (str(error).strip().split("\n")[0] or type(error).__name__).rstrip(".")
    if reason.startswith("Unrecognized configuration class"):
        return "transformers has no sequence classifier of its kind; name a model of DNA sequences"
    path = Path(model_name)
    if path.is_file():
        return "that is a file; give the directory that it lies in"
    if path.is_dir():
        if not (path / "config.json").is_file():
            return "the directory holds no config.json; give one that save_pretrained wrote"
        pointer = next((file.name for file in sorted(path.iterdir()) if _is_lfs_pointer(file)), None)
        if pointer:
            return f"{pointer} only points at the file that is meant; run `git lfs pull` in the directory"
        return f"{reason}; {_AGAIN}"
    suggestion = _nearest_model(path)
    hint = f"did you mean the directory {suggestion!r}? " if suggestion else ""
    if not _HUB_NAME.fullmatch(model_name):
        return f"there is no such directory; {hint}give one that holds a model, or a name on the Hugging Face hub"
    fetch = f"(`hf download {model_name}`) with HF_HOME on a disk that both machines see"
    if is_offline_mode() and "connect" in reason:
        return (
            f"it is not in the cache, and HF_HUB_OFFLINE forbids to fetch it; {hint}give a directory that holds a "
            f"model, or fetch this one where there is internet {fetch}"
        )
    return (
        f"{reason}; {hint}give a directory that holds a model, or a name on the Hugging Face hub; without internet, "
        f"fetch it first where there is some {fetch}, and set HF_HUB_OFFLINE=1"
    )


def _pickle_and_cure(reason: str) -> str:
    """Say what torch would not read; its own advice is to read it whatever it does."""
    if "GLOBAL" in reason:
        return (
            "its weights file holds more than tensors, which could run code when it is read; "
            "save it as safetensors with save_pretrained where it is trusted"
        )
    return f"its weights file is damaged, or none that torch.save wrote; {_AGAIN}"


def _is_lfs_pointer(file: Path) -> bool:
    """Whether it is what `git clone` writes in the place of a large file where Git LFS is not installed."""
    if not file.is_file():
        return False
    with file.open("rb") as opened:
        return opened.read(len(_LFS)) == _LFS


def _nearest_model(path: Path) -> str | None:
    """Find the model's directory that `path` was probably meant to be."""
    siblings = [file.parent.name for file in path.parent.glob("*/config.json")]
    suggestion = nearest(path.name, sorted(siblings))
    return str(path.with_name(suggestion)) if suggestion else None
