"""DNABERT-2 and DNABERT-S: a BERT with ALiBi, without padding inside, and with a Triton kernel for attention."""

import torch

from .writing import write_byte_pairs, write_code, write_random_weights

AUTO_MAP = {
    "AutoConfig": "configuration_bert.BertConfig",
    "AutoModel": "bert_layers.BertModel",
    "AutoModelForSequenceClassification": "bert_layers.BertForSequenceClassification",
}


def write_dnabert2(directory, *, attention_dropout=0.0, imports=None):
    """Write the stand-in; its configuration names no `pad_token_id`, though the tokenizer pads with 3.

    Args:
        directory: An empty directory.
        attention_dropout: The dropout of attention, without which the code takes its Triton kernel.
        imports: A package that the code imports as well.
    """
    tokens = write_byte_pairs(directory)
    write_code(
        directory,
        "dnabert2",
        model_type="bert",
        architectures=["BertForMaskedLM"],
        auto_map=AUTO_MAP,
        alibi_starting_size=32,
        attention_probs_dropout_prob=attention_dropout,
        classifier_dropout=None,
        hidden_size=32,
        intermediate_size=32,
        max_position_embeddings=32,
        num_attention_heads=2,
        num_hidden_layers=2,
        position_embedding_type="absolute",
        type_vocab_size=2,
        vocab_size=tokens,
    )
    pretraining_head = {"cls.predictions.decoder.bias": torch.zeros(tokens)}
    head = ("classifier", "bert.pooler")
    write_random_weights(
        directory, AUTO_MAP["AutoModelForSequenceClassification"], head=head, left_over=pretraining_head, binary=True
    )
    if imports:
        code = directory / "bert_layers.py"
        code.write_text(code.read_text().replace("import torch\n", f"import torch\nimport {imports}\n", 1))
