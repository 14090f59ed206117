"""How a stand-in is written: its code, its configuration, random weights, its tokenizer."""

import json
import random
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, models, processors, trainers
from transformers import PreTrainedTokenizerFast, set_seed

from .transformers_4 import build, transformers_4

CODE = Path(__file__).parent / "code"
SPREAD = 0.2
"""The standard deviation of random weights: enough for a wrong mask, order or position to show in the numbers."""
GENA_TOKENS = ("[UNK]", "[CLS]", "[SEP]", "[PAD]", "[MASK]")
"""The special tokens of DNABERT-2 and GENA-LM, in their order."""


def write_json(path, content):
    path.write_text(json.dumps(content, indent=1))


def write_code(directory, family, **config):
    """Write the Python files of a family, and `config.json`."""
    shutil.copytree(CODE / family, directory, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
    write_json(directory / "config.json", config)


def write_random_weights(directory, reference, *, head=(), left_over=None, binary=False):
    """Write random weights of a model with code of its own.

    Args:
        directory: The directory, with the code and `config.json`.
        reference: The module and the name of the class whose weights these are, as `auto_map` writes them.
        head: Beginnings of the names that a pretrained model does not hold.
        left_over: Weights of a head for pretraining, which a classifier has no place for.
        binary: Write `pytorch_model.bin` instead of `model.safetensors`.
    """
    with transformers_4():
        stored = build(directory, reference).state_dict()
    for name, value in stored.items():
        if name.endswith("weight") and value.ndim == 2:
            value.normal_(std=SPREAD)
    kept = {name: value.clone() for name, value in stored.items() if not name.startswith(tuple(head))}
    kept |= left_over or {}
    if binary:
        torch.save(kept, directory / "pytorch_model.bin")
    else:
        save_file(kept, directory / "model.safetensors", metadata={"format": "pt"})


def write_native(directory, model_class, config):
    """Write a model that needs no code of its own, with random weights."""
    set_seed(0)
    model_class(config).save_pretrained(str(directory))


def random_dna(rows, length, seed=0):
    """Return random sequences to train a tokenizer on."""
    source = random.Random(seed)
    return ["".join(source.choices("ACGT", k=length)) for _ in range(rows)]


def write_byte_pairs(directory, special=GENA_TOKENS, *, unknown="[UNK]", side="right", longest=128):
    """Write a byte-pair tokenizer of 64 tokens as `tokenizer.json`, and return its length.

    Args:
        directory: The directory of the model.
        special: The special tokens, numbered from 0.
        unknown: The token of what is in no word; without one, the tokenizer leaves it out.
        side: The side of the padding.
        longest: The largest number of tokens that the tokenizer declares.
    """
    tokenizer = Tokenizer(models.BPE(unk_token=unknown))
    trainer = trainers.BpeTrainer(vocab_size=64, special_tokens=list(special), show_progress=False)
    tokenizer.train_from_iterator(random_dna(20, 200), trainer)
    ends = [(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    names |= {"unk_token": unknown} if unknown else {}
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, padding_side=side, model_max_length=longest, **names)
    fast.save_pretrained(str(directory))
    return len(fast)
