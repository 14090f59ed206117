"""Lets transformers 5 load model code that was written for transformers 4, as transformers 4 loaded it.

This module depends on torch and transformers alone: BertNado copies it next to the code of a model that it saves, and
that code imports it, so that the plain `from_pretrained` reads the saved model as well.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import PreTrainedConfig, PreTrainedModel, file_utils, modeling_utils, pytorch_utils
from transformers.utils.import_utils import is_flash_attn_2_available

if TYPE_CHECKING:
    from collections.abc import Iterable

_CONFIG_DEFAULTS: dict[str, Any] = {
    "pad_token_id": None,  # HyenaDNA
    "bos_token_id": None,
    "eos_token_id": None,
    "is_decoder": False,  # Nucleotide Transformer v2, GENA-LM
    "add_cross_attention": False,  # Nucleotide Transformer v2, GENA-LM
    "tie_word_embeddings": True,  # HyenaDNA
    "position_embedding_type": "absolute",  # GENA-LM
    "classifier_dropout": None,  # Nucleotide Transformer v2, DNABERT-2
    "gradient_checkpointing": False,  # GENA-LM
    "pruned_heads": {},  # Nucleotide Transformer v2
    "cross_attention_hidden_size": None,
    "torchscript": False,
}
"""Attributes that every configuration had in transformers 4, with their defaults."""


def provide_names() -> None:
    """Add the names that code of these models imports from transformers 4 and that transformers 5 lacks."""
    for module, functions in {
        pytorch_utils: (find_pruneable_heads_and_indices,),  # Nucleotide Transformer v2
        modeling_utils: (  # GENA-LM
            find_pruneable_heads_and_indices,
            pytorch_utils.prune_linear_layer,
            pytorch_utils.apply_chunking_to_forward,
        ),
        file_utils: (is_flash_attn_2_available,),  # GENA-LM
    }.items():
        for function in functions:
            if not hasattr(module, function.__name__):
                setattr(module, function.__name__, function)
    for name, method in _MODEL_METHODS.items():
        if not hasattr(PreTrainedModel, name):
            setattr(PreTrainedModel, name, method)


def _complete_config(config: PreTrainedConfig) -> None:
    """Add the attributes that a configuration of transformers 4 had and that this one lacks."""
    for name, default in _CONFIG_DEFAULTS.items():
        if not hasattr(config, name):
            setattr(config, name, default)


def build_normally(candidates: Iterable[Any]) -> None:
    """Make `from_pretrained` of model classes build the model on the CPU, and load the stored weights into it.

    transformers 5 builds a model without memory, on the "meta" device. For code that is not its own, this leaves
    buffers that are not stored uninitialised, and code that computes with tensors while it builds the model fails.

    Args:
        candidates: Objects of a module. Classes of models and configurations from outside of transformers are changed.
    """
    for candidate in candidates:
        if not isinstance(candidate, type) or candidate.__module__.startswith("transformers."):
            continue
        if issubclass(candidate, PreTrainedModel) and "_shared" not in vars(candidate):
            _change_class(candidate)
        if issubclass(candidate, PreTrainedConfig) and "_keeps_head" not in vars(candidate):
            _keep_head(candidate)


def _change_class(model_class: Any) -> None:
    build = model_class.__init__

    @functools.wraps(build)
    def build_completely(self: Any, *args: Any, **kwargs: Any) -> None:
        if args and isinstance(args[0], PreTrainedConfig):
            _complete_config(args[0])
        build(self, *args, **kwargs)
        if type(self) is model_class:
            if not hasattr(self, "all_tied_weights_keys"):  # the code does not call post_init
                self.post_init()
            self._shared = names_of_shared_parameters(self)

    model_class._shared = []
    model_class.__init__ = build_completely
    model_class.get_init_context = classmethod(_contexts_without_meta_device)
    model_class._move_missing_keys_from_meta_to_device = _leave_as_built
    model_class._initialize_missing_keys = _share_parameters_again
    if isinstance(
        model_class._tied_weights_keys, list
    ):  # names alone, as in transformers 4: the model ties them itself
        model_class._tied_weights_keys = None
    tie = model_class.tie_weights
    if not inspect.signature(tie).parameters.keys() - {"self"}:  # transformers 5 passes arguments; Caduceus takes none
        model_class.tie_weights = lambda self, *args, **kwargs: tie(self)


def _keep_head(config_class: Any) -> None:
    """Let a configuration keep the names of the classes where its code does not hand them on to transformers."""
    build = config_class.__init__

    @functools.wraps(build)
    def build_with_head(self: Any, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)
        if "id2label" in kwargs:
            self.id2label = {int(index): name for index, name in (kwargs["id2label"] or {}).items()}
        for name in ("label2id", "problem_type"):
            if name in kwargs:
                setattr(self, name, kwargs[name])

    config_class._keeps_head = True
    config_class.__init__ = build_with_head


def _contexts_without_meta_device(model_class: Any, *args: Any, **kwargs: Any) -> list[Any]:
    contexts = PreTrainedModel.get_init_context.__func__(model_class, *args, **kwargs)  # pyright: ignore[reportFunctionMemberAccess]
    return [context for context in contexts if not isinstance(context, torch.device)]


def _leave_as_built(self: Any, *args: Any, **kwargs: Any) -> None:
    """Do nothing: what is not stored has the value that building the model gave it."""


def _share_parameters_again(self: Any, *args: Any, **kwargs: Any) -> None:
    """Make parameters one object again that the code registers under several names; loading separates them."""
    for names in self._shared:
        parameters = [self.get_parameter(name) for name in names]
        loaded = next((p for p in parameters if getattr(p, "_is_hf_initialized", False)), parameters[0])
        for name in names:
            module, _, attribute = name.rpartition(".")
            setattr(self.get_submodule(module), attribute, loaded)


def names_of_shared_parameters(model: nn.Module) -> list[list[str]]:
    """Return the names of each parameter that a model registers under several."""
    names: dict[int, list[str]] = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        names.setdefault(id(parameter), []).append(name)
    return [group for group in names.values() if len(group) > 1]


def find_pruneable_heads_and_indices(
    heads: Iterable[int], n_heads: int, head_size: int, already_pruned_heads: Iterable[int]
) -> tuple[set[int], torch.Tensor]:
    """Return the attention heads that can still be pruned, and the indices of the rows that the other heads keep."""
    pruned = set(already_pruned_heads)
    heads = set(heads) - pruned
    kept = torch.ones(n_heads, head_size)
    for head in heads:
        kept[head - sum(earlier < head for earlier in pruned)] = 0
    return heads, kept.view(-1).nonzero().view(-1)


def _get_head_mask(self: Any, head_mask: torch.Tensor | None, num_hidden_layers: int, *args: Any) -> Any:
    """Return one mask per layer; `None` for each layer if no heads are masked."""
    if head_mask is None:
        return [None] * num_hidden_layers
    if head_mask.dim() == 1:
        head_mask = head_mask[None, None, :, None, None].expand(num_hidden_layers, -1, -1, -1, -1)
    elif head_mask.dim() == 2:
        head_mask = head_mask[:, None, :, None, None]
    return head_mask.to(self.dtype)


def _invert_attention_mask(self: Any, encoder_attention_mask: torch.Tensor) -> torch.Tensor:
    """Return what is added to attention scores: 0 where the mask is 1, otherwise the lowest number."""
    mask = encoder_attention_mask
    mask = mask[:, None, :, :] if mask.dim() == 3 else mask[:, None, None, :]
    return (1.0 - mask.to(self.dtype)) * torch.finfo(self.dtype).min


def _get_extended_attention_mask(
    self: Any, attention_mask: torch.Tensor, input_shape: tuple[int, ...], *args: Any, **kwargs: Any
) -> torch.Tensor:
    """Return the same for a mask of shape (batch, tokens) or (batch, tokens, tokens), causal in a decoder."""
    if attention_mask.dim() == 2 and getattr(self.config, "is_decoder", False):
        tokens = input_shape[1]
        causal = torch.ones(tokens, tokens, device=attention_mask.device).tril()
        attention_mask = causal[None] * attention_mask[:, None, :]
    return _invert_attention_mask(self, attention_mask)


_MODEL_METHODS = {  # Nucleotide Transformer v2, GENA-LM
    "get_head_mask": _get_head_mask,
    "invert_attention_mask": _invert_attention_mask,
    "get_extended_attention_mask": _get_extended_attention_mask,
}
"""Methods that every model had in transformers 4."""
