"""A pretrained model in memory, of which each trial trains a copy."""

from __future__ import annotations

import copy
import hashlib
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from torch.nn.modules.batchnorm import _BatchNorm
from transformers import AutoModelForSequenceClassification, PreTrainedConfig, set_seed
from transformers.utils import logging

from .backbone import backbone_class_of, pooled_config
from .custom_code import load_classifier_class, switch_off_kernels
from .loading_errors import SAVE_AGAIN, loading_error, model_error
from .model_config import changed_config
from .model_files import ADAPTER_INSTEAD
from .pooled_head import PooledForSequenceClassification
from .pretrained import load_pretrained
from .state_file import checksum_of
from .stored_weights import WeightReport, has_checkpoint, report_weights, stored_tensors

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping

    from bertnado_config import Head
    from bertnado_metrics import Task
    from transformers import PreTrainedModel

_Value = TypeVar("_Value")

_DIGESTED = 1024
"""The elements at the beginning of each stored weight that tell models apart."""

POOLED_HEAD = ("classifier.weight", "classifier.bias")
"""The weights of a pooled head."""


@dataclass(frozen=True, eq=False)
class StoredModel:
    """A pretrained model in memory. Each trial trains a copy."""

    kind: type[PreTrainedModel]
    config: PreTrainedConfig
    weights: Mapping[str, torch.Tensor]
    """The stored weights; those of a new head are not among them."""
    notes: tuple[str, ...]
    """What is new, left over, different or changed below the head, for the user."""
    vocabulary: int | None
    """The number of tokens that it has embeddings for, if known."""
    normalises_batches: bool
    """Whether it has batch normalisation, which cannot train on a batch of one row."""
    name: str
    """The directory that it was read from, or its name on the Hugging Face hub."""
    frozen: frozenset[str]
    """The parameters that its own code does not train."""
    new: frozenset[str]
    """The names of the weights that are not stored."""
    code: type[Any]
    """Its class; with a pooled head, that of the model below it."""

    def copy(self, seed: int, changes: Mapping[str, Any] | None = None) -> PreTrainedModel:
        """Return the model that loading it again would give.

        Args:
            seed: Seed of the weights that are not stored, those of a new head.
            changes: Other values of its configuration, by field.

        Raises:
            ValueError: The configuration cannot have these values, or the stored weights do not fit them.
        """
        config = changed_config(self.config, changes, self.code) if changes else copy.deepcopy(self.config)
        set_seed(seed)
        weights = {name: weight.clone() for name, weight in self.weights.items()}
        with hide_progress_bars(), hide_reports():
            model = self.kind.from_pretrained(
                None,
                config=config,
                state_dict=weights,
                dtype=torch.float32,
                ignore_mismatched_sizes=bool(changes),  # see `_require_fitting`
            )
        if changes and self.weights:
            self._require_fitting(model)
        return model

    def _require_fitting(self, model: PreTrainedModel) -> None:
        """Refuse a model that leaves a stored weight out, or adds a random one.

        Raises:
            ValueError: It does; the message names a weight.
        """
        state = model.state_dict()
        for name, weight in self.weights.items():
            if name in state and state[name].shape != weight.shape:
                raise ValueError(f"{name} is stored with shape {tuple(weight.shape)}, not {tuple(state[name].shape)}")
        if unused := sorted(self.weights.keys() - state.keys()):
            raise ValueError(f"{len(unused)} stored weights would be left out, among them {unused[0]}")
        if added := sorted(state.keys() - self.weights.keys() - self.new):
            raise ValueError(f"{len(added)} weights would be random that are not stored, among them {added[0]}")

    @cached_property
    def fingerprint(self) -> str:
        """A hash that differs between models; the beginning of each weight is enough to tell them apart."""
        digest = 0
        for name, weight in sorted(self.weights.items()):
            digest = zlib.crc32(f"{name}{tuple(weight.shape)}".encode(), digest)
            digest = checksum_of(weight.reshape(-1)[:_DIGESTED], digest)
        return f"{digest:08x}"

    def digest_of(self, name: str, tensor: torch.Tensor) -> bytes:
        """Return a hash of a weight of a copy, on the CPU; that of a stored one is computed once."""
        stored = self.weights.get(name)
        if stored is None or stored.dtype != tensor.dtype or not torch.equal(stored, tensor):
            return _digest(tensor)
        if name not in self._digests:
            self._digests[name] = _digest(stored)
        return self._digests[name]

    @cached_property
    def _digests(self) -> dict[str, bytes]:
        return {}


def _digest(tensor: torch.Tensor) -> bytes:
    values = tensor.detach().contiguous().view(-1).view(torch.uint8).numpy()
    return hashlib.blake2b(values.data, digest_size=16).digest()


def read_model(
    model_name: str,
    config: PreTrainedConfig,
    task: Task,
    logits: int,
    *,
    label2id: Mapping[str, int] | None,
    trust_remote_code: bool,
    allow_new_weights: bool = False,
    head: Head = "auto",
    is_checked: bool = False,
) -> StoredModel:
    """Load a model with a classification head, in fp32 whatever the precision it is stored in.

    Args:
        model_name: A directory that holds a model, or the name of a model on the Hugging Face hub.
        config: The model's configuration.
        task: The task of the head.
        logits: The outputs of the head, at least 1.
        label2id: Names of the classes for the model's configuration.
        trust_remote_code: Allow Python code that comes with the model to run.
        allow_new_weights: Accept a model of which a tenth or more is not what is stored.
        head: The model's own, or a linear layer on the mean of its last hidden states.
        is_checked: Another process has compared the model with what is stored and accepted it.

    Raises:
        InvalidInputError: It cannot be loaded; the message says what to do, without internet as well.
    """
    changed = _with_head(config, task, logits, label2id or {})
    if isinstance(described := getattr(changed, "backbone", None), dict):
        described.setdefault("_name_or_path", model_name)  # the code of a model with a pooled head that was saved
    if head == "auto":
        kind, backbone_class = class_of(model_name, changed, trust_remote_code), None
    else:
        kind, backbone_class = backbone_class_of(model_name, changed, trust_remote_code)
    kernels = switch_off_kernels(changed, kind)
    if allow_new_weights and not has_checkpoint(model_name):
        model, loading = _build_without_weights(kind, changed)
    else:
        model, loading = _load(kind, model_name, changed, trust_remote_code)
    if getattr(model, "_hf_peft_config_loaded", False):  # from the hub; a directory was looked at before
        raise model_error(f"the model {model_name!r} {ADAPTER_INSTEAD}")
    notes = [kernels] if kernels else []
    if not is_checked:
        report = report_weights(model, loading, stored_tensors(model_name), has_head=head == "auto")
        if not allow_new_weights:
            _require_stored_weights(model_name, model, loading, report)
        notes += [report.message] if report.message else []
    normalises = any(isinstance(part, _BatchNorm) for part in model.modules())
    new = {*loading["missing_keys"], *(name for name, *_ in loading["mismatched_keys"])}
    weights = {name: weight for name, weight in model.state_dict().items() if name not in new}
    frozen = {name for name, weight in model.named_parameters() if not weight.requires_grad}
    code, made = type(model), model.config
    if backbone_class is not None:
        made = pooled_config(model, model_name, backbone_class, changed)
        weights, new = _below_pooled_head(weights), {*_below_pooled_head(dict.fromkeys(new)), *POOLED_HEAD}
        frozen = _below_pooled_head(dict.fromkeys(frozen))
    return StoredModel(
        code if backbone_class is None else PooledForSequenceClassification,
        made,
        weights,
        tuple(notes),
        _vocabulary_of(model),
        normalises,
        model_name,
        frozenset(frozen),
        frozenset(new),
        code,
    )


def _below_pooled_head(weights: Mapping[str, _Value]) -> dict[str, _Value]:
    return {f"{PooledForSequenceClassification.base_model_prefix}.{name}": weight for name, weight in weights.items()}


def _load(
    kind: Any, model_name: str, config: PreTrainedConfig, trust_remote_code: bool
) -> tuple[PreTrainedModel, Mapping[str, Any]]:
    """Load a model; return it with what transformers says of its weights."""
    with hide_progress_bars(), hide_reports():
        return load_pretrained(
            kind,
            model_name,
            trust_remote_code,
            config=config,
            ignore_mismatched_sizes=True,  # a head for other classes is replaced by a new one
            dtype=torch.float32,
            output_loading_info=True,
        )


def _build_without_weights(kind: Any, config: PreTrainedConfig) -> tuple[PreTrainedModel, Mapping[str, Any]]:
    """Build a model that is to be trained from scratch; return it as one of which nothing is stored."""
    build = getattr(kind, "from_config", None) or kind._from_config
    model = build(config, dtype=torch.float32)
    return model, {"missing_keys": set(model.state_dict()), "unexpected_keys": set(), "mismatched_keys": set()}


def _vocabulary_of(model: PreTrainedModel) -> int | None:
    try:
        return model.get_input_embeddings().get_parameter("weight").shape[0]
    except Exception:  # noqa: BLE001 (its code may not say what its embeddings are, in any manner)
        return getattr(model.config, "vocab_size", None)


def class_of(model_name: str, config: PreTrainedConfig, trust_remote_code: bool) -> Any:
    """Return the class to load: that of the model's own code if it has one and may run."""
    if not trust_remote_code:
        return AutoModelForSequenceClassification
    try:
        custom = load_classifier_class(config, model_name)
    except Exception as error:  # its code raises whatever it raises
        raise loading_error(model_name, error) from error
    return custom or AutoModelForSequenceClassification


def _with_head(config: PreTrainedConfig, task: Task, logits: int, label2id: Mapping[str, int]) -> PreTrainedConfig:
    """Return the configuration of a model with a head for a task."""
    changed = copy.deepcopy(config)
    for name, value in _class_names(task, logits, label2id).items():
        setattr(changed, name, value)
    changed.problem_type = task.problem_type
    return changed


def _require_stored_weights(
    model_name: str, model: PreTrainedModel, loading: Mapping[str, Any], report: WeightReport
) -> None:
    """Refuse a model that would train from random weights.

    Raises:
        InvalidInputError: Stored weights do not belong to the model, or much of it is new or left over.
    """
    mismatch = _weight_mismatch(model, loading)
    if mismatch:
        raise model_error(f"the model {model_name!r} cannot be used: {mismatch}; {SAVE_AGAIN}")
    if report.is_alarming:
        raise model_error(
            f"the model {model_name!r} cannot be used: {report.message}; {SAVE_AGAIN}, make its config.json and code "
            f"fit its weights, or accept the new weights with {{allow_new_weights}}"
        )


def _weight_mismatch(model: PreTrainedModel, loading: Mapping[str, Any]) -> str | None:
    """Return why stored weights do not belong to the model: weights below the head would be random."""
    inner = {name for name in model.state_dict() if name.startswith(f"{model.base_model_prefix}.")}
    changed = sorted((name, tuple(stored), tuple(made)) for name, stored, made in loading["mismatched_keys"])
    changed = [entry for entry in changed if entry[0] in inner]
    if changed:
        name, stored, made = changed[0]
        return f"{name} is stored with shape {stored}, but its config.json requires {made}"
    if inner and inner <= set(loading["missing_keys"]):
        return f"none of its weights belongs to a {model.config.model_type} model, which its config.json declares"
    return None


def _class_names(task: Task, logits: int, label2id: Mapping[str, int]) -> dict[str, Any]:
    """Return the names of the head's outputs for a model's configuration."""
    names = {index: name for name, index in label2id.items()}
    if logits == 1 and task.has_positive_class:
        names = {0: names.get(1, "positive")}  # the one logit is that of the positive class
    elif set(names) != set(range(logits)):
        names = {index: f"LABEL_{index}" for index in range(logits)}
    return {"id2label": names, "label2id": {name: index for index, name in names.items()}}


@contextmanager
def hide_progress_bars() -> Generator[None]:
    """Hide the progress bars of loading and saving weights, which would flash up in every trial."""
    shown = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if shown:
            logging.enable_progress_bar()


@contextmanager
def hide_reports() -> Generator[None]:
    """Hide the report of new weights, which transformers logged when the model was first loaded."""
    shown = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(shown)
