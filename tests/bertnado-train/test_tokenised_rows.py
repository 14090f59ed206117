"""Tokenised sequences: kept for the same tokenizer, made anew for one that does something else."""

import shutil

import pytest
from bertnado_config import InvalidInputError
from bertnado_metrics import get_task
from bertnado_train.prepared_dataset import open_dataset
from bertnado_train.pretrained import load_tokenizer
from bertnado_train.sequence_options import SequenceOptions
from support import tokenizers
from tokenizers import Regex, pre_tokenizers

CODE = tokenizers.LETTERS_CODE
AS_THEY_ARE = SequenceOptions()
OTHERS = [a + b + c for a in "ACGT" for b in "ACGT" for c in "ACGT"]
"""Sequences that every tokenizer here reads well: others alone would be refused."""
CONFIG = '{"tokenizer_class": "Letters", "auto_map": {"AutoTokenizer": ["letters.Letters", null]}}'


@pytest.fixture
def with_code(tmp_path):
    """Write the directory of a tokenizer with code of its own, and load it."""

    def load(code):
        directory = tmp_path / "tokenizer"
        directory.mkdir(exist_ok=True)
        (directory / "letters.py").write_text(code)
        (directory / "tokenizer_config.json").write_text(CONFIG)
        (directory / "config.json").write_text('{"model_type": "bert"}')
        return load_tokenizer(str(directory), trust_remote_code=True)

    return load


@pytest.fixture
def opened(write_dataset):
    """Write sequences, and open them with a tokenizer."""

    def open_(tokenizer, sequences=("acgt", "GGTT"), options=AS_THEY_ARE):
        split = {"sequence": [*sequences, *OTHERS], "labels": [0.5] * (len(sequences) + len(OTHERS))}
        path = write_dataset(train=split, validation=split)
        return open_dataset(path, get_task("regression"), lambda: tokenizer, 0, options).splits["train"]

    return open_


@pytest.fixture
def tokens(opened):
    """The tokens of sequences, as a dataset of them has them."""

    def read(*arguments, **options):
        split = opened(*arguments, **options)
        return [split[row]["input_ids"].tolist() for row in range(len(split) - len(OTHERS))]

    return read


def test_corrected_code_with_the_same_vocabulary_gives_the_corrected_tokens(with_code, tokens):
    assert tokens(with_code(CODE)) == [[1, 1, 1, 1], [4, 4, 5, 5]]
    assert tokens(with_code(CODE.replace("list(text)", "list(text.upper())"))) == [
        [2, 3, 4, 5],
        [4, 4, 5, 5],
    ]


def test_code_that_differs_in_rare_sequences_alone_is_told_apart(with_code, tokens):
    sequences = ["ACGT"] * 300
    sequences[151] = "acgt"
    assert tokens(with_code(CODE), sequences=sequences)[151] == [1, 1, 1, 1]
    corrected = with_code(CODE.replace("list(text)", "list(text.upper())"))
    assert tokens(corrected, sequences=sequences)[151] == [2, 3, 4, 5]


def test_another_pre_tokenizer_with_the_same_vocabulary_gives_its_tokens(tokens):
    tokenizer = tokenizers.chunks()
    whole = tokens(tokenizer)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    assert [len(row) for row in whole] == [6, 4]
    assert [len(row) for row in tokens(tokenizer)] == [6, 6]


def test_another_form_gives_its_tokens(tokens):
    tokenizer = tokenizers.letters()
    assert tokens(tokenizer)[0] == [2, 1, 1, 1, 1, 3]
    assert tokens(tokenizer, options=SequenceOptions(uppercase=True))[0] == [2, 5, 6, 7, 8, 3]


def test_the_rows_of_a_copy_are_found(write_dataset, tmp_path):
    split = {"sequence": ["TTTT", "ACGT", "GGTT"], "labels": [0, 1, 0]}
    path = write_dataset(train=split, validation=split)
    shutil.copytree(path, tmp_path / "copy")
    task, tokenizer = get_task("binary_classification"), tokenizers.letters()
    first, copy = (open_dataset(place, task, lambda: tokenizer, 0) for place in (path, tmp_path / "copy"))
    assert copy.cache.directory == first.cache.directory


def test_a_tokenizer_without_an_attention_mask_gets_one(with_code, opened):
    code = CODE.replace("    def __init__", '    model_input_names = ["input_ids"]\n\n    def __init__', 1)
    split = opened(with_code(code), ["ACGT", "GG"])
    assert [split[row]["attention_mask"].tolist() for row in range(2)] == [[1] * 4, [1] * 2]


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (
            "    def get_vocab(self):\n        return dict(self.ids)\n",
            "",
            r"does not define get_vocab, which transformers 5 calls; add get_vocab to the class",
        ),
        (
            "        self.ids = {token",
            "        super().__init__(**options)\n        self.ids = {token",
            r"fails: .*ids; transformers 5 asks for the vocabulary in super\(\).__init__\(\); set it before that call",
        ),
        ("return dict(self.ids)", "return 1 / 0", "fails: division by zero; it may be written for another version"),
    ],
)
def test_code_that_transformers_cannot_use_is_named_with_what_to_do(with_code, before, after, message):
    with pytest.raises(InvalidInputError, match=f"the tokenizer of the model '.*' cannot be loaded: .*{message}"):
        with_code(CODE.replace(before, after))
