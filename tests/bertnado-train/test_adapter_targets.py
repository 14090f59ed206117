"""The modules that get an adapter."""

import pytest
import torch
from bertnado_metrics import get_task
from bertnado_train.adapter_targets import find_targets
from bertnado_train.model_parts import find_parts
from bertnado_train.pretrained import load_config
from bertnado_train.stored_model import read_model
from support.dna_models import STAND_INS
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    PreTrainedConfig,
    PreTrainedModel,
)

OF_BERT = ("attention.self.query", "attention.self.key", "attention.self.value", "attention.output.dense")
OF_LLAMA = ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj")
PROJECTIONS = {
    "grover": ("bert.encoder.layer", OF_BERT),
    "dnabert2": ("bert.encoder.layer", ("attention.Wqkv", "attention.dense")),
    "nt_v1": ("esm.encoder.layer", OF_BERT),
    "nt_v2": ("esm.layer", ("attention.query", "attention.key", "attention.value", "attention.dense")),
    "nt_v3": ("backbone.core.transformer", ("self_attn",)),
    "agro_nt": ("esm.encoder.layer", OF_BERT),
    "gena_bert": ("bert.encoder.layer", (*OF_BERT[:3], "attention.output")),
    "gena_bigbird": ("bert.encoder.layer", OF_BERT),
    "modern_gena": ("model.layers", ("attn.Wqkv", "attn.Wo")),
    "hyenadna": ("hyena.layers", ("mixer.in_proj", "mixer.out_proj")),
    "caduceus": (
        "caduceus.layers",
        ("mamba_fwd.in_proj", "mamba_fwd.out_proj", "mamba_rev.in_proj", "mamba_rev.out_proj"),
    ),
    "generator": ("model.layers", OF_LLAMA),
    "mistral_dna": ("model.layers", OF_LLAMA),
    "dnabert1": ("bert.encoder.layer", OF_BERT),
}
"""The list of layers, and what `auto` adapts in each."""


def read(directory, name):
    stand_in = STAND_INS[name]
    stand_in.write(directory)
    trust, head = stand_in.needs_trust, stand_in.inputs.get("head", "auto")
    config, task = load_config(str(directory), trust_remote_code=trust), get_task("binary_classification")
    given = {"label2id": None, "trust_remote_code": trust, "allow_new_weights": True, "head": head}
    return read_model(str(directory), config, task, 1, **given).copy(0)


@pytest.fixture(scope="module")
def bert():
    sizes = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertForSequenceClassification(BertConfig(vocab_size=9, max_position_embeddings=16, **sizes))


def targets(model, chosen):
    return find_targets(model, find_parts(model), chosen)


@pytest.mark.parametrize("name", PROJECTIONS)
def test_auto_is_the_projections_of_attention_or_of_what_stands_in_its_place(tmp_path, name):
    model = read(tmp_path, name)
    layers, ends = PROJECTIONS[name]

    found = targets(model, "auto")

    numbers = range(len(find_parts(model).layers))
    assert found == [f"{layers}.{number}.{end}" for number in numbers for end in ends]


def test_fused_projections_of_gpt2_are_found():
    model = GPT2ForSequenceClassification(GPT2Config(vocab_size=9, n_embd=8, n_layer=1, n_head=2, n_positions=16))

    assert targets(model, "auto") == ["transformer.h.0.attn.c_attn", "transformer.h.0.attn.c_proj"]


def test_all_linear_leaves_out_the_head(bert):
    layer = "bert.encoder.layer.0"

    found = targets(bert, "all-linear")

    assert found == [*(f"{layer}.{end}" for end in OF_BERT), f"{layer}.intermediate.dense", f"{layer}.output.dense"]


def test_a_name_stands_for_all_modules_whose_path_ends_with_it(bert):
    layer = "bert.encoder.layer.0"

    assert targets(bert, ("query",)) == [f"{layer}.attention.self.query"]
    assert targets(bert, ("attention.output.dense", "key")) == [f"{layer}.{OF_BERT[1]}", f"{layer}.{OF_BERT[3]}"]
    assert targets(bert, ("dense",)) == [
        f"{layer}.{end}" for end in ("attention.output.dense", "intermediate.dense", "output.dense")
    ]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("qurey", "this model has no module 'qurey'; did you mean 'query'? (dense, key, query, value)"),
        ("q_proj", "this model has no module 'q_proj'; choose from dense, key, query, value"),
        ("classifier", "'classifier' belongs to the head, which is trained whole; remove it"),
        ("pooler.dense", "'pooler.dense' belongs to the head, which is trained whole; remove it"),
        ("LayerNorm", "'LayerNorm' is not a linear layer of this model; choose from dense, key, query, value"),
    ],
)
def test_a_name_that_stands_for_none_is_an_error_with_those_of_the_model(bert, name, message):
    with pytest.raises(ValueError) as error:
        targets(bert, ("query", name))
    assert str(error.value) == f"lora_target_modules: {message}"


class WithoutAttention(PreTrainedModel):
    """A model of which nothing is called attention."""

    config_class = PreTrainedConfig

    def __init__(self, config):
        super().__init__(config)
        self.look_up = torch.nn.Embedding(9, 8)
        self.blocks = torch.nn.ModuleList(torch.nn.ModuleDict({"mix": torch.nn.Linear(8, 8)}) for _ in range(2))
        self.last = torch.nn.Linear(8, 1)


def test_a_model_without_known_projections_is_an_error_with_its_linear_layers():
    with pytest.raises(ValueError, match=r"auto finds nothing to adapt in this model; name some of .*: mix$"):
        targets(WithoutAttention(PreTrainedConfig()), "auto")
