"""Models and tokenizers by name or path, and what a model can read."""

from __future__ import annotations

import copy
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer, set_seed
from transformers.utils import logging

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from bertnado_metrics import Task
    from transformers import PreTrainedConfig, PreTrainedModel, PreTrainedTokenizerBase

_OFFSET_POSITIONS = frozenset({"roberta", "xlm-roberta", "camembert", "esm", "longformer", "data2vec-text"})
"""Model types that number positions from `pad_token_id + 1`, so that many fewer tokens fit."""


def load_config(model_name: str, *, trust_remote_code: bool) -> PreTrainedConfig:
    """Read a model's configuration from a directory, the local cache or the hub.

    Raises:
        ValueError: It cannot be found or read; the message says what to do without internet.
    """
    return _load(AutoConfig, model_name, trust_remote_code)


def load_tokenizer(model_name: str, *, trust_remote_code: bool) -> PreTrainedTokenizerBase:
    """Read a model's tokenizer from a directory, the local cache or the hub.

    Raises:
        ValueError: It cannot be found or read; the message says what to do without internet.
    """
    return _load(AutoTokenizer, model_name, trust_remote_code)


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
    new = {*loading["missing_keys"], *(name for name, *_ in loading["mismatched_keys"])}
    weights = {name: weight for name, weight in model.state_dict().items() if name not in new}
    return StoredModel(type(model), model.config, weights)


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
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ValueError(_explain(model_name, error)) from error


def _explain(model_name: str, error: Exception) -> str:
    reason = str(error).strip().split("\n")[0] or type(error).__name__
    if "trust_remote_code" in str(error):
        return (
            f"the model {model_name!r} comes with code of its own, which runs only if you allow it: "
            f"look at that code, then add --trust-remote-code"
        )
    return (
        f"the model {model_name!r} cannot be loaded: {reason} "
        f"Give a directory that holds a model, or a name on the Hugging Face hub. Without internet, fetch it first "
        f"where there is some (`hf download {model_name}`) with HF_HOME on a disk that both machines see, "
        f"and set HF_HUB_OFFLINE=1"
    )
