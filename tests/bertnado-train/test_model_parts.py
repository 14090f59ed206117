import pytest
import torch
from bertnado_metrics import get_task
from bertnado_train.model_parts import find_parts
from bertnado_train.pretrained import load_config
from bertnado_train.stored_model import read_model
from support.dna_models import STAND_INS
from transformers import GPT2Config, GPT2ForSequenceClassification, PreTrainedConfig, PreTrainedModel

HEADS = {
    "grover": ("classifier", "bert.pooler"),
    "dnabert2": ("classifier", "bert.pooler"),
    "nt_v1": ("classifier",),
    "nt_v2": ("dense", "out_proj"),
    "gena_bigbird": ("classifier", "bert.pooler"),
    "modern_gena": ("head", "classifier"),
    "hyenadna": ("score",),
    "caduceus": ("score",),
    "generator": ("score",),
}


def read(directory, name, head="auto"):
    stand_in = STAND_INS[name]
    stand_in.write(directory)
    config = load_config(str(directory), trust_remote_code=stand_in.needs_trust)
    task = get_task("binary_classification")
    given = {"label2id": None, "trust_remote_code": stand_in.needs_trust, "allow_new_weights": True, "head": head}
    return read_model(str(directory), config, task, 1, **given).copy(0)


@pytest.mark.parametrize("name", HEADS)
def test_the_parts_of_a_published_architecture_are_found(tmp_path, name):
    model = read(tmp_path, name)

    parts = find_parts(model)

    assert parts.head == HEADS[name]
    assert len(parts.layers) == 2
    assert parts.is_in_embeddings(next(n for n, _ in model.named_parameters() if "embed" in n))
    rest = [n for n, _ in model.named_parameters() if parts.layer_of(n) is None]
    rest = [n for n in rest if not parts.is_in_head(n) and not parts.is_in_embeddings(n)]
    assert all("norm" in n or "ln_f" in n or "contact_head" in n for n in rest)


def test_a_pooled_head_is_above_the_whole_model(tmp_path):
    parts = find_parts(read(tmp_path, "nt_v3", head="pooled"))

    assert parts.head == ("classifier",)
    assert all(name.startswith("backbone.") for name in (*parts.embeddings, *parts.layers))


def test_a_pooler_below_a_pooled_head_is_not_used_and_not_part_of_it(tmp_path):
    assert find_parts(read(tmp_path, "grover", head="pooled")).head == ("classifier",)


def test_embeddings_of_tokens_and_of_positions_may_be_two_modules():
    model = GPT2ForSequenceClassification(GPT2Config(vocab_size=9, n_embd=8, n_layer=3, n_head=2, n_positions=16))

    parts = find_parts(model)

    assert parts.embeddings == ("transformer.wte", "transformer.wpe")
    assert parts.layers == ("transformer.h.0", "transformer.h.1", "transformer.h.2")


def test_a_parameter_belongs_to_one_part(tmp_path):
    parts = find_parts(read(tmp_path, "grover"))

    assert parts.layer_of("bert.encoder.layer.1.output.dense.weight") == 1
    assert parts.layer_of("bert.encoder.layer.10.output.dense.weight") is None
    assert parts.is_in_head("bert.pooler.dense.bias")
    assert not parts.is_in_embeddings("bert.pooler.dense.bias")


class WithoutNames(PreTrainedModel):
    """A model whose code names none of its parts as others do."""

    config_class = PreTrainedConfig

    def __init__(self, config):
        super().__init__(config)
        self.look_up = torch.nn.Embedding(9, 8)
        self.blocks = torch.nn.ModuleList(torch.nn.Linear(8, 8) for _ in range(3))
        self.last = torch.nn.Linear(8, 1)


def test_parts_without_usual_names_are_found_by_their_kind():
    parts = find_parts(WithoutNames(PreTrainedConfig()))

    assert parts.embeddings == ("look_up",)
    assert parts.layers == ("blocks.0", "blocks.1", "blocks.2")
    assert parts.head == ("last",)


class OneModule(PreTrainedModel):
    """A model whose classifier is the last of one list."""

    config_class = PreTrainedConfig

    def __init__(self, config):
        super().__init__(config)
        self.all = torch.nn.Sequential(torch.nn.Embedding(9, 8), torch.nn.Linear(8, 8), torch.nn.Linear(8, 1))


def test_the_head_of_a_model_in_one_module_is_its_last_linear_layer():
    parts = find_parts(OneModule(PreTrainedConfig()))

    assert parts.head == ("all.2",)
    assert parts.layers == ()
    assert parts.embeddings == ("all.0",)
