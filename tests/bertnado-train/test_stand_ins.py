"""The stand-ins have the traits for which they stand."""

import pytest
from support.dna_models import STAND_INS
from transformers import AutoTokenizer

pytestmark = pytest.mark.models

TOKENIZERS = [
    ("grover", "right", 0, False),
    ("dnabert2", "right", 3, False),
    ("nt_v1", "right", 1, False),
    ("nt_v2", "right", 1, False),
    ("nt_v3", "right", 1, True),
    ("agro_nt", "right", 1, False),
    ("gena_bert", "right", 3, False),
    ("gena_bigbird", "right", 3, False),
    ("modern_gena", "right", 3, False),
    ("hyenadna", "left", 4, False),
    ("caduceus", "left", 4, True),
    ("generator", "left", 3, False),
    ("mistral_dna", "left", 3, False),
    ("dnabert1", "right", 0, False),
]
"""The side and the number of the padding, and whether lower-case DNA is read as upper-case."""


@pytest.mark.parametrize(("name", "side", "pad", "lower_case_is_read"), TOKENIZERS)
def test_a_stand_in_has_the_tokenizer_of_its_model(name, side, pad, lower_case_is_read, tmp_path):
    stand_in = STAND_INS[name]
    stand_in.write(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(tmp_path, trust_remote_code=stand_in.needs_trust)
    assert (tokenizer.padding_side, tokenizer.pad_token_id) == (side, pad)
    upper, lower = (tokenizer(stand_in.row(text))["input_ids"] for text in ("ACGTACGTACGT", "acgtacgtacgt"))
    assert (upper == lower) is lower_case_is_read


def test_every_stand_in_is_among_them():
    assert [name for name, *_ in TOKENIZERS] == list(STAND_INS)
