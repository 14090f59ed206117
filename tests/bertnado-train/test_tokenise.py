"""The cache of tokenised sequences: kept for the same tokenizer, made anew for one that does something else."""

import datasets
import pytest
from bertnado_config import InvalidInputError
from bertnado_train.pretrained import load_tokenizer
from bertnado_train.sequence_form import SequenceForm
from bertnado_train.tokenise import tokenise_split
from support import tokenizers
from tokenizers import Regex, pre_tokenizers

CODE = tokenizers.LETTERS_CODE
AS_IT_IS = SequenceForm()
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


def tokens(tokenizer, form=AS_IT_IS, sequences=("acgt", "GGTT")):
    return tokenise_split(datasets.Dataset.from_dict({"sequence": list(sequences)}), tokenizer, form)["input_ids"][:]


def test_corrected_code_with_the_same_vocabulary_gives_the_corrected_tokens(with_code):
    assert tokens(with_code(CODE)) == [[1, 1, 1, 1], [4, 4, 5, 5]]
    assert tokens(with_code(CODE.replace("list(text)", "list(text.upper())"))) == [
        [2, 3, 4, 5],
        [4, 4, 5, 5],
    ]


def test_code_that_differs_in_rare_sequences_alone_is_told_apart(with_code):
    sequences = ["ACGT"] * 300
    sequences[151] = "acgt"
    assert tokens(with_code(CODE), sequences=sequences)[151] == [1, 1, 1, 1]
    corrected = with_code(CODE.replace("list(text)", "list(text.upper())"))
    assert tokens(corrected, sequences=sequences)[151] == [2, 3, 4, 5]


def test_another_pre_tokenizer_with_the_same_vocabulary_gives_its_tokens():
    tokenizer = tokenizers.chunks()
    whole = tokens(tokenizer)
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    assert [len(row) for row in whole] == [6, 4]
    assert [len(row) for row in tokens(tokenizer)] == [6, 6]


def test_another_form_gives_its_tokens():
    tokenizer = tokenizers.letters()
    assert tokens(tokenizer)[0] == [2, 1, 1, 1, 1, 3]
    assert tokens(tokenizer, SequenceForm(uppercase=True))[0] == [2, 5, 6, 7, 8, 3]


def test_the_same_rows_are_found_however_they_are_stored(tmp_path):
    tokenizer, cache = tokenizers.letters(), datasets.config.HF_DATASETS_CACHE / "bertnado"
    rows = datasets.Dataset.from_dict({"sequence": ["TTTT", "ACGT", "GGTT"]})
    tokenise_split(rows.select([1, 2]), tokenizer, SequenceForm())
    written = sorted(cache.iterdir())
    other = datasets.concatenate_datasets([rows.select([1]), rows.select([2])])
    assert tokenise_split(other, tokenizer, SequenceForm())["input_ids"][:] == [[2, 5, 6, 7, 8, 3], [2, 7, 7, 8, 8, 3]]
    assert sorted(cache.iterdir()) == written


def test_a_tokenizer_without_an_attention_mask_gets_one(with_code):
    code = CODE.replace("    def __init__", '    model_input_names = ["input_ids"]\n\n    def __init__', 1)
    split = datasets.Dataset.from_dict({"sequence": ["ACGT", "GG"]})
    assert tokenise_split(split, with_code(code), SequenceForm())["attention_mask"][:] == [[1] * 4, [1] * 2]


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
