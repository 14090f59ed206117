"""One token for each base, as it is written."""

from transformers import PreTrainedTokenizer

SPECIAL = ("[CLS]", "[SEP]", "[BOS]", "[MASK]", "[PAD]", "[RESERVED]", "[UNK]")


class HyenaDNATokenizer(PreTrainedTokenizer):
    model_input_names = ["input_ids"]

    def __init__(self, model_max_length=1024, characters=("A", "C", "G", "T", "N"), padding_side="left", **kwargs):
        self.characters = characters
        self.model_max_length = model_max_length
        self._ids = {token: number for number, token in enumerate([*SPECIAL, *characters])}
        self._tokens = {number: token for token, number in self._ids.items()}
        names = {"bos": "BOS", "eos": "SEP", "sep": "SEP", "cls": "CLS", "pad": "PAD", "mask": "MASK", "unk": "UNK"}
        tokens = {f"{name}_token": f"[{token}]" for name, token in names.items()}
        super().__init__(**(tokens | kwargs), model_max_length=model_max_length, padding_side=padding_side)

    @property
    def vocab_size(self):
        return len(self._ids)

    def get_vocab(self):
        return self._ids

    def _tokenize(self, text, **kwargs):
        return list(text)

    def _convert_token_to_id(self, token):
        return self._ids.get(token, self._ids["[UNK]"])

    def _convert_id_to_token(self, index):
        return self._tokens[index]

    def convert_tokens_to_string(self, tokens):
        return "".join(tokens)

    def build_inputs_with_special_tokens(self, token_ids_0, token_ids_1=None):
        return [*token_ids_0, self.sep_token_id, *([*token_ids_1, self.sep_token_id] if token_ids_1 else [])]

    def get_special_tokens_mask(self, token_ids_0, token_ids_1=None, already_has_special_tokens=False):
        if already_has_special_tokens:
            return super().get_special_tokens_mask(token_ids_0, token_ids_1, already_has_special_tokens=True)
        return [0] * len(token_ids_0) + [1] + ([0] * len(token_ids_1) + [1] if token_ids_1 else [])

    def save_vocabulary(self, save_directory, filename_prefix=None):
        return ()
