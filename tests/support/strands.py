"""A model that tells strands from each other, and the logits of both by plain transformers."""

import numpy as np
import torch
from bertnado_train.sequence_rules import reverse_complement
from bertnado_train.simulated import write_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForSequenceClassification, AutoTokenizer


def write_telling_model(directory, sequences):
    """Write a BERT of 2 layers with large weights, whose logits differ between strands before it is trained."""
    write_model(directory, sequences, seed=1)
    weights = load_file(directory / "model.safetensors")
    larger = {name: weight * 6 if weight.dim() == 2 else weight for name, weight in weights.items()}
    save_file(larger, directory / "model.safetensors", {"format": "pt"})


def plain_logits(directory, texts):
    """The logits of a saved model, read and run by plain transformers, row by row."""
    tokenizer = AutoTokenizer.from_pretrained(directory)
    model = AutoModelForSequenceClassification.from_pretrained(directory).eval()
    with torch.no_grad():
        return np.array([model(**tokenizer(text, return_tensors="pt")).logits[0].numpy() for text in texts])


def averaged_logits(directory, texts):
    forward, reverse = (plain_logits(directory, list(chosen)) for chosen in (texts, map(reverse_complement, texts)))
    assert abs(forward - reverse).max() > 1e-3
    return (forward + reverse) / 2
