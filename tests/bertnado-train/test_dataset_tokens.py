"""What a tokenizer makes of a dataset: refused where nothing can be learnt, said with counts where letters are lost."""

import numpy as np
import pytest
from bertnado_config import InvalidInputError
from bertnado_metrics import get_task
from bertnado_train.prepared_dataset import open_dataset
from bertnado_train.sequence_options import SequenceOptions
from support import tokenizers
from tokenizers import Regex, normalizers

BINARY = get_task("binary_classification")
RNG = np.random.default_rng(0)
SEQUENCES = ["".join(RNG.choice(list("ACGT"), 30)) for _ in range(40)]
WRITTEN = [" ".join(text[place : place + 3] for place in range(28)) for text in SEQUENCES]
"""The same as overlapping 3-mers."""


def columns(sequences, **more):
    return {"sequence": sequences, "labels": [0, 1] * (len(sequences) // 2), **more}


def tokens_of(split):
    return [split[row]["input_ids"].tolist() for row in range(len(split))]


@pytest.fixture
def opened(write_dataset):
    """Open a dataset whose splits are the same."""

    def read(tokenizer, sequences, *, more=None, **options):
        split = columns(sequences, **(more or {}))
        path = write_dataset(train=split, validation=split)
        return open_dataset(path, BINARY, lambda: tokenizer, 0, SequenceOptions(**options))

    return read


def warnings(dataset):
    return [str(problem) for problem in dataset.warnings]


def refusals(opened, *arguments, **options):
    with pytest.raises(InvalidInputError) as caught:
        opened(*arguments, **options)
    return [str(problem) for problem in caught.value.problems]


ALL = [tokenizers.letters(), tokenizers.chunks(), tokenizers.pairs_of_bytes()]


@pytest.mark.parametrize("tokenizer", ALL)
def test_upper_case_dna_is_nothing_to_talk_about(opened, tokenizer):
    dataset = opened(tokenizer, SEQUENCES)
    assert warnings(dataset) == []
    assert tokens_of(dataset.splits["train"]) == tokenizer(SEQUENCES)["input_ids"]


class TestSameTokens:
    """Sequences that all become the same are refused, with the cure that was tried."""

    def test_raw_dna_for_a_tokenizer_of_kmers(self, opened):
        assert refusals(opened, tokenizers.kmers(), SEQUENCES)[0] == (
            "dataset: train: 100% of the different sequences share their tokens with others, for example "
            "[CLS] [UNK] [SEP]; the tokenizer reads k-mers (k = 3) between spaces; write each sequence s as "
            "' '.join(s[i:i + 3] for i in range(len(s) - 2))"
        )

    def test_lower_case_for_a_tokenizer_of_kmers(self, opened):
        found = refusals(opened, tokenizers.kmers(), [text.lower() for text in SEQUENCES])
        assert "write each sequence s in upper case, as ' '.join(s[i:i + 3] for" in found[0]

    def test_single_letters_between_spaces(self, opened):
        found = refusals(opened, tokenizers.kmers(length=1), SEQUENCES)
        assert "k-mers (k = 1) between spaces" in found[0]

    def test_a_tokenizer_that_turns_to_lower_case_what_it_knows_in_capitals(self, opened):
        found = refusals(opened, tokenizers.kmers(lower=True), WRITTEN)
        assert found[0].endswith(
            "the tokenizer turns letters into lower case, and its vocabulary is in capitals; "
            'set "do_lower_case": false in its tokenizer_config.json'
        )

    @pytest.mark.parametrize("tokenizer", ALL)
    def test_lower_case_for_a_tokenizer_of_capitals(self, opened, tokenizer):
        found = refusals(opened, tokenizer, [text.lower() for text in SEQUENCES])
        assert len(found) == 2
        assert found[0].endswith("they are in lower case; write them in upper case with uppercase")

    def test_half_of_the_rows_in_lower_case(self, opened):
        sequences = [text if row % 2 else text.lower() for row, text in enumerate(SEQUENCES)]
        assert refusals(opened, tokenizers.letters(), sequences)[0].endswith(
            "; they are in lower case; write them in upper case with uppercase"
        )

    def test_letters_that_are_left_out_count_as_unknown_ones(self, opened):
        sequences = [text.lower() + "ACGT" * (1 + row % 20) for row, text in enumerate(SEQUENCES)]
        assert "share their tokens" in refusals(opened, tokenizers.pairs_of_bytes(), sequences)[0]

    def test_overlapping_words_for_a_tokenizer_of_whole_sequences(self, opened):
        found = refusals(opened, tokenizers.letters(), WRITTEN)
        assert found[0] == (
            "dataset: train: the sequences are written as overlapping k-mers between spaces, which the model's "
            "tokenizer does not read; write whole sequences"
        )


class TestLetters:
    """Letters that are lost are said with their counts, and the option that keeps them does."""

    def test_some_rows_in_lower_case_are_a_warning(self, opened):
        sequences = [text if row % 4 else text.lower() for row, text in enumerate(SEQUENCES)]
        found = warnings(opened(tokenizers.letters(), sequences))
        assert found[0].startswith(
            "dataset: train: 25% of the sequences' letters are unknown to the tokenizer: 'g' 98, 't' 75, "
        )
        assert found[-1] == (
            "dataset: 600 letters in 10 of 40 sequences of train, 10 of 40 of validation are in lower case "
            "(soft-masked), which the tokenizer does not know; write upper case with uppercase"
        )
        cured = opened(tokenizers.letters(), sequences, uppercase=True)
        assert warnings(cured) == []
        assert tokens_of(cured.splits["train"]) == tokenizers.letters()(SEQUENCES)["input_ids"]

    def test_lower_case_that_gives_other_tokens_is_a_warning_as_well(self, opened):
        [found] = warnings(opened(tokenizers.letters("ACGTNacgtn"), [SEQUENCES[0].lower(), *SEQUENCES[1:]]))
        assert found.endswith("which gives other tokens than upper case; write upper case with uppercase")

    def test_rna_is_a_warning_and_can_be_written_as_dna(self, opened):
        rna = [text.replace("T", "U") for text in SEQUENCES]
        found = warnings(opened(tokenizers.letters(), rna))
        assert (
            "are U (RNA), which the tokenizer does not know; if the model is one of DNA, write T with rna_to"
            in found[-1]
        )
        cured = opened(tokenizers.letters(), rna, rna_to_dna=True)
        assert warnings(cured) == []
        assert tokens_of(cured.splits["train"]) == tokenizers.letters()(SEQUENCES)["input_ids"]

    def test_a_tokenizer_of_rna_says_what_it_needs(self, opened):
        found = warnings(opened(tokenizers.letters("ACGUN"), SEQUENCES))
        assert "unknown to the tokenizer: 'T' " in found[0]

    def test_few_iupac_codes_and_characters_are_listed(self, opened):
        found = warnings(opened(tokenizers.letters(), ["ACGTRYRACGT5", *SEQUENCES[1:]]))
        places = "in 1 of 40 sequences of train, 1 of 40 of validation"
        assert found == [
            (
                f"dataset: 6 letters {places} are IUPAC codes that the tokenizer does not know ('R' 4, 'Y' 2); "
                f"replace them by N, or drop these sequences"
            ),
            (
                f"dataset: 2 characters {places} are not nucleotide codes, and unknown to the tokenizer ('5' 2); "
                f"remove them"
            ),
        ]

    def test_unknown_n_is_said_from_two_percent_on(self, opened):
        tokenizer = tokenizers.letters("ACGT")
        assert warnings(opened(tokenizer, ["N" * 10 + SEQUENCES[0], *SEQUENCES[1:]])) == []
        found = warnings(opened(tokenizer, ["N" * 100 + SEQUENCES[0], *SEQUENCES[1:]]))
        assert found[0] == "dataset: train: 8% of the sequences' letters are unknown to the tokenizer: 'N' 100"

    def test_lines_of_a_fasta_file_are_said(self, opened):
        assert warnings(opened(tokenizers.letters(), [f"{text[:20]}\n{text[20:]}\n" for text in SEQUENCES])) == [
            (
                "dataset: 160 characters in 40 of 40 sequences of train, 40 of 40 of validation are white space, which "
                "changes the tokens; write each sequence s as ''.join(s.split())"
            )
        ]

    def test_white_space_that_a_tokenizer_ignores_or_needs_is_nothing_to_talk_about(self, opened):
        ignoring = tokenizers.letters()
        ignoring.backend_tokenizer.normalizer = normalizers.Replace(Regex(r"\s"), "")
        assert warnings(opened(ignoring, [f"{text[:20]}\n{text[20:]}" for text in SEQUENCES])) == []
        assert warnings(opened(tokenizers.kmers(), WRITTEN)) == []


class TestFirstRow:
    """The first training row is shown as tokens."""

    def test_a_long_row_has_its_first_tokens_and_the_last(self, opened):
        assert opened(tokenizers.letters(), ["ACGT" * 10, *SEQUENCES[1:]]).first_row == (
            "[CLS] A C G T A C G T A C ... [SEP] (42 tokens)"
        )

    def test_ids_without_a_tokenizer_are_numbers(self, write_dataset):
        def none():
            raise InvalidInputError([])

        rows = {"input_ids": [[0, 5, 6], [7, 8, 9]], "attention_mask": [[0, 1, 1], [1, 1, 1]], "labels": [0, 1]}
        assert open_dataset(write_dataset(train=rows, validation=rows), BINARY, none, 0).first_row == "5 6 (2 tokens)"


class TestStoredTokens:
    """Rows that were tokenised beforehand are judged as well."""

    @pytest.fixture
    def stored(self, opened):
        def read(tokenizer, ids, sequences=None, **options):
            more = {"input_ids": ids, "attention_mask": [[1] * len(row) for row in ids]}
            split = {"labels": [0, 1] * (len(ids) // 2), **more, **({"sequence": sequences} if sequences else {})}
            path = write(train=split, validation=split)
            return open_dataset(path, BINARY, lambda: tokenizer, 0, SequenceOptions(**options))

        write = opened.__closure__[0].cell_contents
        return read

    def test_unknown_tokens_are_refused_or_warned_of(self, stored):
        tokenizer = tokenizers.letters()
        with pytest.raises(
            InvalidInputError, match="100% of the tokens in 'input_ids' are unknown to the tokenizer; tok"
        ):
            stored(tokenizer, [[2, *[1] * length, 3] for length in range(10, 20)])
        rows = tokenizer([text.replace("T", "U") for text in SEQUENCES])["input_ids"]
        assert "of the tokens in 'input_ids' are unknown" in warnings(stored(tokenizer, rows))[0]

    def test_tokens_of_another_tokenizer_than_the_sequences_are_refused(self, stored):
        other = tokenizers.letters("NTGCA")(SEQUENCES)["input_ids"]
        with pytest.raises(
            InvalidInputError, match=r"train: the columns 'input_ids' and 'sequence' do not agree, first in row 0"
        ):
            stored(tokenizers.letters(), other, SEQUENCES)

    @pytest.mark.parametrize(
        "sequences", [SEQUENCES, [s.lower() for s in SEQUENCES], [s.replace("T", "U") for s in SEQUENCES]]
    )
    @pytest.mark.parametrize("cut", [slice(None), slice(1, -1), slice(0, 20)])
    def test_tokens_of_the_sequences_are_accepted_however_they_were_cut(self, stored, sequences, cut):
        ids = [row[cut] for row in tokenizers.letters()(SEQUENCES)["input_ids"]]
        assert warnings(stored(tokenizers.letters(), ids, sequences)) == []

    def test_tokens_of_kmers_agree_with_whole_sequences(self, stored):
        ids = tokenizers.kmers()(WRITTEN)["input_ids"]
        assert warnings(stored(tokenizers.kmers(), ids, [text.lower() for text in SEQUENCES])) == []

    def test_options_for_letters_are_refused(self, stored):
        rows = tokenizers.letters()(SEQUENCES)["input_ids"]
        with pytest.raises(InvalidInputError) as caught:
            stored(tokenizers.letters(), rows, uppercase=True)
        assert str(caught.value).split("\n")[0] == (
            "uppercase changes letters, but the split 'train' has token ids, which are used as they are; "
            "tokenise it again, or remove the column 'input_ids' and keep 'sequence'"
        )


class TestLength:
    """Rows with too many tokens are refused, or cut."""

    def test_they_are_an_error_with_what_to_do(self, opened):
        assert refusals(opened, tokenizers.letters(), SEQUENCES, max_length=20)[0] == (
            "max_length: train: 40 of 40 rows have more tokens than max_length 20, the longest has 32; "
            "shorten the sequences, raise max_length, or cut them with too_long truncate"
        ).removeprefix("max_length: ")

    def test_they_are_cut_and_keep_their_closing_token(self, opened):
        dataset = opened(tokenizers.letters(), SEQUENCES, max_length=20, too_long="truncate")
        assert warnings(dataset)[0] == "dataset: train: 40 of 40 rows are cut to 20 tokens, the longest has 32"
        expected = tokenizers.letters()(SEQUENCES, truncation=True, max_length=20)["input_ids"]
        assert tokens_of(dataset.splits["train"]) == expected

    def test_enough_room_changes_nothing(self, opened):
        assert warnings(opened(tokenizers.letters(), SEQUENCES, max_length=32)) == []

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"max_length": 0}, "max_length must be an integer of at least 1, got 0"),
            ({"max_length": "9"}, "max_length must be an integer of at least 1, got '9'"),
            ({"max_length": 9, "too_long": "cut"}, "unknown too_long 'cut'; choose from error, truncate"),
            ({"too_long": "truncate"}, "too_long truncate requires max_length: the most tokens of a row"),
        ],
    )
    def test_options_that_mean_nothing_are_refused(self, opened, options, message):
        assert refusals(opened, tokenizers.letters(), SEQUENCES, **options) == [message]


class TestPairs:
    """The columns `sequence` and `sequence2` are tokenised together."""

    def test_types_tell_the_two_apart(self, opened):
        tokenizer = tokenizers.letters()
        dataset = opened(tokenizer, SEQUENCES, more={"sequence2": SEQUENCES[::-1]})
        made = tokenizer(SEQUENCES, SEQUENCES[::-1], return_token_type_ids=True)
        assert tokens_of(dataset.splits["train"]) == made["input_ids"]
        assert dataset.splits["train"][0]["token_type_ids"].tolist() == [0] * 32 + [1] * 31

    def test_stored_types_are_read_and_belong_to_the_fingerprint(self, write_dataset):
        ids = {
            "input_ids": [[2, 5, 6, 3, 0], [2, 7, 8, 9, 3]],
            "attention_mask": [[1] * 4 + [0], [1] * 5],
            "labels": [0, 1],
        }

        def read(types):
            split = ids | {"token_type_ids": types}
            path = write_dataset(train=split, validation=split)
            return open_dataset(path, BINARY, tokenizers.letters, 0)

        typed = read([[0, 0, 1, 1, 0], [0, 1, 1, 1, 1]])
        assert typed.splits["train"].types.tolist() == [0, 0, 1, 1, 0, 1, 1, 1, 1]
        without = read([[0] * 5, [0] * 5])
        assert without.splits["train"].types is None
        assert without.fingerprint != typed.fingerprint

    def test_an_empty_partner_is_refused_by_its_column(self, opened):
        found = refusals(opened, tokenizers.letters(), SEQUENCES, more={"sequence2": [" ", *SEQUENCES[1:]]})
        assert found[0].startswith(
            "dataset: train: 1 of 40 sequences of the column 'sequence2' are empty, first in row 0"
        )

    def test_columns_that_are_not_used_are_named(self, opened):
        more = {"chrom": ["chr1"] * 40, "__index_level_0__": list(range(40))}
        assert warnings(opened(tokenizers.letters(), SEQUENCES, more=more)) == [
            "dataset: columns not used: chrom, __index_level_0__"
        ]


def test_a_sample_of_a_large_split_is_said_to_be_one(opened, monkeypatch):
    monkeypatch.setattr("bertnado_train.dataset_tokens.SAMPLE", 20)
    [found] = warnings(opened(tokenizers.letters("ACGTNacgtn"), [text.lower() for text in SEQUENCES]))
    assert "letters in 20 of 20 sampled sequences of train, 20 of 20 sampled of validation are in lower case" in found
