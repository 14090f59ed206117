"""What model code for transformers 4 needs, to build a stand-in the ordinary way, without the product."""

import sys
from contextlib import contextmanager

import pytest
import torch
import transformers.modeling_utils
import transformers.pytorch_utils
from transformers import AutoConfig, PreTrainedConfig, PreTrainedModel
from transformers.dynamic_module_utils import get_class_from_dynamic_module

_OF_CONFIGURATIONS = {"is_decoder": False, "add_cross_attention": False, "pad_token_id": None, "pruned_heads": {}}


@contextmanager
def transformers_4():
    """Lend transformers the names that it had in version 4; what is imported meanwhile is forgotten afterwards."""
    imported = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        for module in (transformers.pytorch_utils, transformers.modeling_utils):
            patch.setattr(module, "find_pruneable_heads_and_indices", _no_pruning, raising=False)
        for name in ("apply_chunking_to_forward", "prune_linear_layer"):
            there = getattr(transformers.pytorch_utils, name)
            patch.setattr(transformers.modeling_utils, name, there, raising=False)
        for name, value in _OF_CONFIGURATIONS.items():
            patch.setattr(PreTrainedConfig, name, value, raising=False)
        patch.setattr(PreTrainedModel, "all_tied_weights_keys", {}, raising=False)  # for `init_weights` alone
        patch.setattr(PreTrainedModel, "get_extended_attention_mask", _extended_mask, raising=False)
        patch.setattr(PreTrainedModel, "get_head_mask", lambda self, mask, layers: [None] * layers, raising=False)
        yield
    for name in set(sys.modules) - imported:
        if name.startswith("transformers_modules."):
            del sys.modules[name]


def build(directory, reference, **changes):
    """Build the model of a directory the ordinary way, with random weights.

    Args:
        directory: The directory of a model with code of its own.
        reference: The module and the name of the class, as `auto_map` writes them.
        changes: Entries of the configuration that are replaced.
    """
    config = AutoConfig.from_pretrained(directory, trust_remote_code=True, **changes)
    kind = get_class_from_dynamic_module(reference, str(directory))
    torch.manual_seed(0)
    return kind(config)


def _no_pruning(heads, n_heads, head_size, already_pruned_heads):
    raise NotImplementedError("heads are not pruned")


def _extended_mask(self, mask, input_shape, device=None, dtype=None):
    return (1.0 - mask[:, None, None, :].to(self.dtype)) * torch.finfo(self.dtype).min
