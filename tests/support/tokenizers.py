"""Small tokenizers of the kinds that DNA models have."""

import itertools

from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def wrapped(backend, unknown=True, **options):
    """Frame each row with [CLS] and [SEP], and pairs with types."""
    ends = [(name, SPECIAL.index(name)) for name in ("[CLS]", "[SEP]")]
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1", special_tokens=ends
    )
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    names |= {"unk_token": "[UNK]"} if unknown else {}
    return PreTrainedTokenizerFast(tokenizer_object=backend, **names, **options)


def letters(known="ACGTN", **options):
    """A token for each letter, as HyenaDNA and Caduceus have."""
    backend = Tokenizer(models.WordLevel(vocabulary(known), unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.Split(Regex("."), "isolated")
    return wrapped(backend, **options)


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


def vocabulary(known):
    return {word: place for place, word in enumerate([*SPECIAL, *known])}


def words(length):
    return ["".join(chosen) for chosen in itertools.product("ACGT", repeat=length)]
