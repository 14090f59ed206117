"""Small models with Python code that comes with them, as people publish them."""

import importlib.util
import json
import sys

import torch
from bertnado_train.transformers4_code import build_normally, provide_names
from safetensors.torch import save_file

from support import tokenizers

HEAD = """
import torch, torch.nn as nn
from transformers import PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import SequenceClassifierOutput

class SmallConfig(PretrainedConfig):
    model_type = "small_custom"
    def __init__(self, width=32, vocab_size=10, **rest):
        self.width, self.vocab_size = width, vocab_size
        super().__init__(**rest)

def masked_mean(hidden, mask):
    mask = mask.unsqueeze(-1).float()
    return (hidden * mask).sum(1) / mask.sum(1)
"""
CLASSIFIER = (
    HEAD
    + """
class SmallForSequenceClassification(PreTrainedModel):
    config_class = SmallConfig
    base_model_prefix = "small"
    def __init__(self, config):
        super().__init__(config)
        self.small = nn.ModuleDict(dict(
            embedding=nn.Embedding(config.vocab_size, config.width), mix=nn.Linear(config.width, config.width)))
        self.score = nn.Linear(config.width, config.num_labels)
        self.post_init()
    def forward(self, input_ids=None, attention_mask=None, labels=None, **rest):
        hidden = torch.relu(self.small["mix"](self.small["embedding"](input_ids)))
        return SequenceClassifierOutput(logits=self.score(masked_mean(hidden, attention_mask)))
"""
)


def write_tokenizer(directory, *, side="right", order=tokenizers.SPECIAL):
    """Write a tokenizer of single letters; ids follow `order`, then A, C, G, T, N."""
    made = tokenizers.letters(special=order, padding_side=side, model_max_length=512)
    made.save_pretrained(str(directory))
    return made


def write_model(directory, code=CLASSIFIER, config=None, *, rename=None, drop=(), tokenizer=True):
    """Write a model with its code, `modeling_small.py`, and random weights.

    Args:
        directory: The directory of the model.
        code: The code; it has the classes `SmallConfig` and `SmallForSequenceClassification`.
        config: Further values for `config.json`.
        rename: Changes the name under which a weight is stored.
        drop: Weights with one of these parts in their names are not stored.
        tokenizer: Write a tokenizer of single letters as well.
    """
    directory.mkdir(parents=True, exist_ok=True)
    file = directory / "modeling_small.py"
    file.write_text(code)
    name = f"written_{abs(hash(str(directory)))}"
    spec = importlib.util.spec_from_file_location(name, file)
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    provide_names()
    spec.loader.exec_module(module)
    build_normally(list(vars(module).values()))
    made = module.SmallConfig(**(config or {}))
    torch.manual_seed(0)
    model = module.SmallForSequenceClassification(made)
    state = model.state_dict()
    kept = {key: value.clone().contiguous() for key, value in state.items() if not any(part in key for part in drop)}
    if rename:
        kept = {rename(key): value for key, value in kept.items()}
    save_file(kept, str(directory / "model.safetensors"), metadata={"format": "pt"})
    classes = {
        "AutoConfig": "modeling_small.SmallConfig",
        "AutoModelForSequenceClassification": "modeling_small.SmallForSequenceClassification",
    }
    written = {"model_type": made.model_type, "auto_map": classes, **(config or {})}
    (directory / "config.json").write_text(json.dumps(written))
    if tokenizer:
        write_tokenizer(directory)
    return model
