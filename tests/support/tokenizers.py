"""Small tokenizers of the kinds that DNA models have."""

import itertools

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS_CODE = """
from transformers import PreTrainedTokenizer

class Letters(PreTrainedTokenizer):
    def __init__(self, **options):
        self.ids = {token: number for number, token in enumerate(["[PAD]", "[UNK]", *"ACGTN"])}
        super().__init__(**{"pad_token": "[PAD]", "unk_token": "[UNK]"} | options)

    @property
    def vocab_size(self):
        return len(self.ids)

    def get_vocab(self):
        return dict(self.ids)

    def _tokenize(self, text):
        return list(text)

    def _convert_token_to_id(self, token):
        return self.ids.get(token, 1)

    def _convert_id_to_token(self, number):
        return list(self.ids)[number]
"""
"""Code of a slow tokenizer with a token for each letter."""


def wrapped(backend, unknown=True, special=SPECIAL, **options):
    """Frame each row with [CLS] and [SEP], and pairs with types."""
    ends = [(name, special.index(name)) for name in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    names |= {"unk_token": "[UNK]"} if unknown else {}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names, **options)


def letters(known="ACGTN", special=SPECIAL, **options):
    """A token for each letter, as HyenaDNA and Caduceus have."""
    backend = Tokenizer(models.WordLevel(vocabulary(known, special), unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return wrapped(backend, special=special, **options)


def kmers(length=3, lower=False):
    """Words between spaces, as DNABERT-1 has."""
    backend = Tokenizer(models.WordLevel(vocabulary(words(length)), unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    if lower:
        backend.normalizer = normalizers.Lowercase()
    return wrapped(backend)


def chunks(length=3):
    """Words next to each other and single letters for the rest, found without spaces, as Nucleotide Transformer has."""
    known = vocabulary([*words(length), *"ACGTN"])
    backend = Tokenizer(models.WordLevel(known, unk_token="[UNK]"))
    one = "|".join([f"[ACGT]{{{length}}}", "."])
    backend.pre_tokenizer = pre_tokenizers.Split(Regex(one), "isolated")
    return wrapped(backend)


def pairs_of_bytes():
    """Byte-pair encoding without an unknown token: letters that it does not know are left out."""
    known = vocabulary("ACGT")
    merged = ["AC", "GT", "ACGT"]
    known |= {word: len(known) + place for place, word in enumerate(merged)}
    return wrapped(Tokenizer(models.BPE(known, [("A", "C"), ("G", "T"), ("AC", "GT")])), unknown=False)


def vocabulary(known, special=SPECIAL):
    return {word: place for place, word in enumerate([*special, *known])}


def words(length):
    return ["".join(chosen) for chosen in itertools.product("ACGT", repeat=length)]
