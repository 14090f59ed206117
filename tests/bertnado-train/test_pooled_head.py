"""A linear layer on the mean of the last hidden states, for models without a classifier."""

import json

import pytest
import torch
from bertnado_metrics import Objective
from bertnado_train import TrainingInputs, load_model, train_model
from bertnado_train.training_setup import open_training_setup
from support.custom_models import HEAD, write_model
from transformers import AutoModel, AutoModelForSequenceClassification, AutoTokenizer

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 4, "eval_steps": 2, "per_device_train_batch_size": 8, "learning_rate": 1e-2}
MASKED_LM = (
    HEAD
    + """
from transformers.modeling_outputs import MaskedLMOutput

class SmallForSequenceClassification(PreTrainedModel):
    config_class = SmallConfig
    def __init__(self, config):
        super().__init__(config)
        self.embedding = nn.Embedding(config.vocab_size, config.width)
        self.mix = nn.Linear(config.width, config.width)
        self.letters = nn.Linear(config.width, config.vocab_size)
        self.post_init()
    def forward(self, input_ids=None, attention_mask=None, output_hidden_states=None, return_dict=None):
        hidden = torch.relu(self.mix(self.embedding(input_ids)))
        return MaskedLMOutput(logits=self.letters(hidden), hidden_states=(hidden,) if output_hidden_states else None)
"""
)


@pytest.fixture
def masked_lm(tmp_path):
    """A model whose code has no classifier."""
    directory = tmp_path / "model"
    write_model(directory, MASKED_LM)
    config = json.loads((directory / "config.json").read_text())
    config["auto_map"]["AutoModelForMaskedLM"] = config["auto_map"].pop("AutoModelForSequenceClassification")
    file = directory / "modeling_small.py"
    file.write_text(file.read_text().replace("SmallForSequenceClassification", "SmallForMaskedLM"))
    config["auto_map"]["AutoModelForMaskedLM"] = "modeling_small.SmallForMaskedLM"
    (directory / "config.json").write_text(json.dumps(config))
    return directory


@pytest.mark.parametrize("kind", ["native", "custom"])
def test_the_model_trains_and_is_read_back(kind, request, tmp_path, dataset_dir, sequences):
    directory = request.getfixturevalue("model_dir" if kind == "native" else "masked_lm")
    inputs = TrainingInputs(
        model_name=str(directory), dataset=dataset_dir, head="pooled", trust_remote_code=kind == "custom"
    )
    final = train_model(inputs, QUICK, AUC, tmp_path / "final")
    plain = AutoModelForSequenceClassification.from_pretrained(final.model_path, trust_remote_code=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(final.model_path)
    texts, labels = sequences["validation"]
    for model in (plain, load_model(final.model_path, trust_remote_code=True)):
        with torch.no_grad():
            logits = torch.cat([model(**tokenizer(text, return_tensors="pt")).logits for text in texts])
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits[:, 0], torch.tensor(labels).float())
        assert final.metrics["validation"]["loss"] == pytest.approx(float(loss), abs=1e-5)
    assert final.result.details["head"] == "pooled"
    saved = TrainingInputs(model_name=str(final.model_path), dataset=dataset_dir, trust_remote_code=True)
    built = open_training_setup(saved).model.copy(0).config.backbone_class
    assert built == ("AutoModel" if kind == "native" else "AutoModelForMaskedLM")


def test_its_logits_are_those_of_the_mean_over_real_tokens(model_dir, dataset_dir):
    setup = open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=dataset_dir, head="pooled"))
    model = setup.model.copy(0).eval()
    batch = setup.batch_format(setup.validation.__getitems__(range(6)))
    backbone = AutoModel.from_pretrained(model_dir).eval()
    with torch.no_grad():
        hidden = backbone(batch["input_ids"], attention_mask=batch["attention_mask"]).last_hidden_state
        mean = torch.stack(
            [row[: int(mask.sum())].mean(0) for row, mask in zip(hidden, batch["attention_mask"], strict=True)]
        )
        expected = model.classifier(mean)
        found = model(batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    torch.testing.assert_close(found, expected)


def test_only_the_head_is_drawn_from_the_seed(masked_lm, dataset_dir):
    setup = open_training_setup(
        TrainingInputs(model_name=str(masked_lm), dataset=dataset_dir, head="pooled", trust_remote_code=True)
    )
    one, other = setup.model.copy(0).state_dict(), setup.model.copy(1).state_dict()
    assert {name for name in one if not torch.equal(one[name], other[name])} == {"classifier.weight"}
