"""Models and tokenizers by name or path, and what a model can read."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

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


def load_model(
    model_name: str,
    task: Task,
    logits: int,
    *,
    label2id: Mapping[str, int] | None,
    seed: int,
    trust_remote_code: bool,
) -> PreTrainedModel:
    """Read a model with a classification head of `logits` outputs for `task`.

    Args:
        model_name: A directory or the name of a model on the hub.
        task: What the head is for.
        logits: Outputs of the head, at least 1.
        label2id: Names of the classes, kept in the model's configuration.
        seed: What a head that is not part of the stored weights is initialised with.
        trust_remote_code: Whether code that comes with the model may run.

    Raises:
        ValueError: It cannot be found or read; the message says what to do without internet.
    """
    set_seed(seed)
    with without_bars():
        return _load(
            AutoModelForSequenceClassification,
            model_name,
            trust_remote_code,
            num_labels=logits,
            problem_type=task.problem_type,
            ignore_mismatched_sizes=True,  # a head that was trained for other classes gives way to a new one
            **_class_names(logits, label2id or {}),
        )


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
