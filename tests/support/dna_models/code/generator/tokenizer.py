"""Words of k bases, one after the other; a shorter rest and all words with another letter are unknown."""

import itertools
import json
import re
from pathlib import Path

from transformers import PreTrainedTokenizer

SPECIAL = ("<oov>", "<s>", "</s>", "<pad>", "<mask>", "<bog>", "<eog>")


class DNAKmerTokenizer(PreTrainedTokenizer):
    def __init__(self, k, **kwargs):
        self.k = k
        words = ["".join(letters) for letters in itertools.product("ATCG", repeat=k)]
        self.vocab = {token: number for number, token in enumerate([*SPECIAL, *words])}
        self.ids_to_tokens = {number: token for token, number in self.vocab.items()}
        self.pattern = re.compile("|".join([*map(re.escape, SPECIAL), f"[A-Z]{{{k}}}", "[A-Z]+", "."]))
        super().__init__(**(kwargs | {"bos_token": "<s>", "eos_token": "</s>"}))

    @property
    def vocab_size(self):
        return len(self.vocab)

    def get_vocab(self):
        return dict(self.vocab)

    def _tokenize(self, text, **kwargs):
        return self.pattern.findall(text)

    def _convert_token_to_id(self, token):
        return self.vocab.get(token, self.vocab["<oov>"])

    def _convert_id_to_token(self, index):
        return self.ids_to_tokens.get(index, "<oov>")

    def convert_tokens_to_string(self, tokens):
        return "".join(tokens)

    def build_inputs_with_special_tokens(self, token_ids_0, token_ids_1=None):
        second = [*token_ids_1, self.eos_token_id] if token_ids_1 else []
        return [self.bos_token_id, *token_ids_0, self.eos_token_id, *second]

    def save_vocabulary(self, save_directory, filename_prefix=None):
        return ()

    def save_pretrained(self, save_directory, **kwargs):
        files = super().save_pretrained(save_directory, **kwargs)
        path = Path(save_directory) / "tokenizer_config.json"
        own = {"k": self.k, "auto_map": {"AutoTokenizer": ["tokenizer.DNAKmerTokenizer", None]}}
        path.write_text(json.dumps(json.loads(path.read_text()) | own))
        return files
