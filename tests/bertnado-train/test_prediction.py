"""Predictions of a saved model: as in its training, for any input, and never silently otherwise."""

import gc
import gzip
import json
import shutil
import weakref

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bertnado_config import InvalidInputError, PredictionOptions
from bertnado_metrics import Objective, compute_metrics, resolve_objective
from bertnado_train import PredictionTable, Predictor, TrainingInputs, open_input, prediction, train_model
from bertnado_train.encoded_split import EncodedSplit
from bertnado_train.sequence_files import SequenceRow
from bertnado_train.sequence_rules import reverse_complement
from transformers import AutoModelForSequenceClassification, AutoTokenizer

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 6, "eval_steps": 3, "learning_rate": 1e-3}


@pytest.fixture(scope="module")
def final(model_dir, dataset_dir, tmp_path_factory):
    """A final model."""
    inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset_dir)
    return train_model(inputs, QUICK, AUC, tmp_path_factory.mktemp("final"))


@pytest.fixture
def predict(final, tmp_path):
    """Predict: (the ids, the logits, what was said)."""

    def run(source, **options):
        checked = PredictionOptions.checked({"model": final.model_path, "input": source, **options})
        predictor = Predictor(checked)
        parts = list(predictor.predict(open_input(checked, predictor.record)))
        ids = [name for part in parts for name in part.ids]
        return ids, np.concatenate([part.logits for part in parts]), [str(note) for note in predictor.notes()]

    return run


@pytest.fixture
def refuse(predict):
    """Predict what is refused: the message."""

    def run(source, **options):
        with pytest.raises(InvalidInputError) as caught:
            predict(source, **options)
        return str(caught.value)

    return run


@pytest.fixture
def fasta(tmp_path):
    """Write a FASTA file of sequences."""

    def write(*texts, name="x.fa"):
        path = tmp_path / name
        content = "".join(f">s{number} some words\n{text}\n" for number, text in enumerate(texts)).encode()
        path.write_bytes(gzip.compress(content) if name.endswith(".gz") else content)
        return path

    return write


def plain_logits(final, texts):
    """The logits of the saved model, read and run by plain transformers, row by row."""
    tokenizer = AutoTokenizer.from_pretrained(final.model_path)
    model = AutoModelForSequenceClassification.from_pretrained(final.model_path).eval()
    found = []
    for text in texts:
        ids = tokenizer(text, return_tensors="pt")
        found.append(model(ids["input_ids"], attention_mask=ids["attention_mask"]).logits.detach().numpy()[0])
    return np.array(found)


def test_the_test_split_has_the_metrics_that_training_reported(predict, final, dataset_dir, sequences):
    ids, logits, notes = predict(dataset_dir, split="test")
    assert ids == [str(row) for row in range(len(sequences["test"][0]))]
    found = compute_metrics("binary_classification", logits, sequences["test"][1])
    assert found == pytest.approx(json.loads(final.metrics_path.read_text())["test"], abs=1e-6)
    assert notes == []


def test_every_kind_of_file_gives_the_same(predict, fasta, sequences, dataset_dir, tmp_path):
    texts = sequences["test"][0][:7]
    expected = predict(dataset_dir, split="test")[1][:7]
    table = pa.table({"name": [f"n{row}" for row in range(7)], "dna": texts})
    pq.write_table(table, tmp_path / "x.parquet")
    lines = ["name,dna", *(f'"n{row}",{text}' for row, text in enumerate(texts))]
    (tmp_path / "x.csv").write_text("\r\n".join(lines))
    (tmp_path / "x.tsv.gz").write_bytes(gzip.compress("\n".join(lines).replace(",", "\t").encode()))
    wrapped = [f"{text[:40]}\n{text[40:]}" for text in texts]
    for path in (fasta(*wrapped), fasta(*texts, name="y.fasta.gz"), fasta(*texts, name="without_an_ending")):
        ids, logits, _ = predict(path)
        assert ids == [f"s{row}" for row in range(7)]
        assert logits == pytest.approx(expected, abs=1e-6)
    for name in ("x.parquet", "x.csv", "x.tsv.gz"):
        ids, logits, _ = predict(tmp_path / name, sequence_column="dna", id_column="name")
        assert ids == [f"n{row}" for row in range(7)]
        assert logits == pytest.approx(expected, abs=1e-6)


def test_rows_that_were_tokenised_beforehand_are_used_as_they_are(predict, final, sequences, tmp_path):
    texts = sequences["test"][0][:5]
    encoded = AutoTokenizer.from_pretrained(final.model_path)(texts, padding=True)
    columns = {name: encoded[name] for name in ("input_ids", "attention_mask")}
    datasets.DatasetDict({"new": datasets.Dataset.from_dict(columns)}).save_to_disk(str(tmp_path / "ids"))
    assert predict(tmp_path / "ids", split="new")[1] == pytest.approx(plain_logits(final, texts), abs=1e-5)


class Text(str):
    """A sequence that can be watched."""

    __slots__ = ("__weakref__",)


def test_a_bounded_number_of_rows_is_in_memory(final, sequences, monkeypatch):
    monkeypatch.setattr(prediction, "CHUNK_ROWS", 20)
    alive, most = weakref.WeakSet(), 0
    texts = sequences["train"][0]

    def rows():
        for number in range(200):
            text = Text(texts[number % len(texts)] + "A" * (number // len(texts)))
            alive.add(text)
            yield SequenceRow(str(number), (text,), f"row {number}")

    predictor = Predictor(PredictionOptions.checked({"model": final.model_path, "input": "rows"}))
    seen, splits = 0, []
    for part in predictor.predict(rows()):
        seen += len(part.ids)
        most = max(most, len(alive))
        splits.append(sum(type(item) is EncodedSplit for item in gc.get_objects()))
    assert seen == 200
    assert most <= 2 * 20
    assert max(splits[2:]) <= splits[1]


def test_parts_are_predicted_as_the_whole(predict, dataset_dir, monkeypatch):
    whole = predict(dataset_dir, split="test")
    monkeypatch.setattr(prediction, "CHUNK_ROWS", 25)
    ids, logits, _ = predict(dataset_dir, split="test")
    assert ids == whole[0]
    assert logits == pytest.approx(whole[1], abs=1e-5)


def test_lower_case_and_u_are_left_with_a_word_or_written_as_asked(predict, fasta, sequences):
    texts = sequences["test"][0][:4]
    changed = [texts[0], texts[1][:5].lower() + texts[1][5:], texts[2].replace("T", "U", 3), texts[3]]
    _, expected, _ = predict(fasta(*texts))
    _, logits, notes = predict(fasta(*changed), uppercase=True, rna_to_dna=True)
    assert logits == pytest.approx(expected, abs=1e-6)
    assert notes == [
        "lower case in 1 of 4 sequences is written as upper case",
        "U in 1 of 4 sequences is written as T",
    ]
    _, logits, notes = predict(fasta(*changed))
    assert abs(logits - expected)[1:3].min() > 1e-6
    left = "is left as it is, which gives other tokens than"
    assert notes == [
        f"lower case in 1 of 4 sequences {left} upper case; write upper case with uppercase",
        f"U in 1 of 4 sequences {left} T; if the model is one of DNA, write T with rna_to_dna",
    ]


def test_sequences_that_the_tokenizer_does_not_read_are_refused_with_the_cure(refuse, fasta, sequences):
    message = refuse(fasta(*(text.lower() for text in sequences["test"][0][:10])))
    assert message.startswith("input: sequences: 100% of the sequences' letters are unknown to the tokenizer ('a' ")
    assert message.endswith("they are in lower case; write them in upper case with uppercase")


@pytest.mark.parametrize("options", [{"ambiguous_letters": "n"}, {"other_letters": "n"}])
def test_letters_become_n_as_asked(predict, fasta, sequences, options):
    text = sequences["test"][0][0]
    letter = "R" if "ambiguous_letters" in options else "-"
    _, logits, notes = predict(fasta(text[:50] + letter + text[51:], text), **options)
    _, expected, _ = predict(fasta(text[:50] + "N" + text[51:], text))
    assert logits == pytest.approx(expected, abs=1e-6)
    kind = "ambiguous letters (RYSWKMBDHV)" if letter == "R" else "characters other than nucleotide codes"
    assert notes == [f"{kind} in 1 of 2 sequences are written as N"]


def test_a_gap_and_an_empty_sequence_are_refused_by_name_and_line(refuse, fasta):
    path = fasta("ACGT", "ACG-T")
    cure = "write N in the place of such letters with other_letters n, or leave them with other_letters keep"
    problem = f"the sequence 's1' (line 3) contains the character '-' at position 4; {cure}"
    assert refuse(path) == f"{path}: {problem}"
    cure = "remove it, or write a row without a prediction with empty skip"
    assert refuse(fasta("ACGT", "")) == f"{path}: the sequence 's1' (line 3) is empty; {cure}"
    assert "contains the ambiguous letter 'r' at position 2" in refuse(fasta("ArGT"), ambiguous_letters="error")


def test_a_skipped_row_has_no_prediction_and_keeps_its_place(predict, fasta, sequences):
    texts = sequences["test"][0][:2]
    ids, logits, notes = predict(fasta(texts[0], "", texts[1]), empty="skip")
    assert ids == ["s0", "s1", "s2"]
    assert np.isnan(logits[:, 0]).tolist() == [False, True, False]
    assert logits[[0, 2]] == pytest.approx(predict(fasta(*texts))[1], abs=1e-6)
    assert notes == ["1 of 3 sequences are empty and have no prediction"]


def long_text(sequences):
    return "".join(sequences["test"][0][:12])


def test_a_row_that_is_too_long_is_refused_by_its_name(refuse, fasta, final, sequences):
    path = fasta("ACGT", long_text(sequences))
    tokens = len(AutoTokenizer.from_pretrained(final.model_path)(long_text(sequences))["input_ids"])
    cure = "cut it with too_long truncate, or average windows of it with too_long windows"
    found = f"the sequence 's1' (line 3) has {tokens} tokens, and the model takes 256"
    assert refuse(path) == f"too_long: {path}: {found}; {cure}".removeprefix("too_long: ")


def token_logits(final, ids):
    import torch

    model = AutoModelForSequenceClassification.from_pretrained(final.model_path).eval()
    return model(torch.tensor([ids])).logits.detach().numpy()[0]


def test_a_row_that_is_too_long_is_cut_or_becomes_windows(predict, fasta, final, sequences):
    text, short = long_text(sequences), sequences["test"][0][0]
    ids = AutoTokenizer.from_pretrained(final.model_path)(text)["input_ids"]
    _, logits, notes = predict(fasta(short, text), too_long="truncate")
    assert logits[1] == pytest.approx(token_logits(final, [*ids[:255], ids[-1]]), abs=1e-5)
    assert notes == ["1 of 2 rows have too many tokens and are cut"]
    _, logits, notes = predict(fasta(short, text), too_long="windows")
    inner, size = ids[1:-1], 254
    begins = [*range(0, len(inner) - size, size // 2), len(inner) - size]
    windows = [token_logits(final, [ids[0], *inner[begin : begin + size], ids[-1]]) for begin in begins]
    assert len(windows) > 2
    assert logits[1] == pytest.approx(np.mean(windows, axis=0), abs=1e-5)
    assert logits[0] == pytest.approx(plain_logits(final, [short])[0], abs=1e-5)
    assert notes == ["1 of 2 rows have too many tokens and are predicted as windows, whose logits are averaged"]


def test_rows_longer_than_any_in_training_are_counted(predict, fasta, sequences):
    _, _, notes = predict(fasta(sequences["test"][0][0], "".join(sequences["test"][0][:3])))
    assert notes[0].startswith("1 of 2 rows have more tokens than the longest row of training, which has ")


def test_both_strands_are_averaged(predict, fasta, sequences):
    texts = sequences["test"][0][:5]
    forward, backward = (predict(fasta(*chosen))[1] for chosen in (texts, map(reverse_complement, texts)))
    _, logits, _ = predict(fasta(*texts), reverse_complement="average")
    assert logits == pytest.approx((forward + backward) / 2, abs=1e-6)


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("ACGTN", "NACGT"),
        ("acgtRYKMBVDHSWn", "nWSDHBVKMRYacgt"),
        ("AUG", "CAU"),
        ("AUGT", "ACAT"),
        ("ACG CGT", "ACG CGT"),
        ("A-C", "G-T"),
    ],
)
def test_the_reverse_complement_knows_every_code(text, other):
    assert reverse_complement(text) == other
    if "U" not in text:
        assert reverse_complement(other) == text


def test_what_the_model_was_chosen_with_is_used(final, fasta, sequences, tmp_path):
    copied = shutil.copytree(final.model_path, tmp_path / "copied")
    record = json.loads((copied / "prediction.json").read_text())
    (copied / "prediction.json").write_text(json.dumps(record | {"reverse_complement": "average"}))
    source = fasta(*sequences["test"][0][:3])

    def logits(model, **options):
        checked = PredictionOptions.checked({"model": model, "input": source, **options})
        return next(Predictor(checked).predict(open_input(checked))).logits

    assert logits(copied) == pytest.approx(logits(final.model_path, reverse_complement="average"))
    assert logits(copied, reverse_complement="none") == pytest.approx(logits(final.model_path))


def test_a_model_without_a_record_is_tried_and_said_to_have_none(final, fasta, sequences, tmp_path):
    copied = shutil.copytree(final.model_path, tmp_path / "copied")
    (copied / "prediction.json").unlink()
    texts = sequences["test"][0][:6]
    options = PredictionOptions.checked({"model": copied, "input": fasta(*texts)})
    predictor = Predictor(options)
    (part,) = predictor.predict(open_input(options))
    assert part.logits == pytest.approx(plain_logits(final, texts), abs=1e-5)
    assert predictor.record.task == "binary_classification"
    assert predictor.model.thresholds == (0.5,)
    (note,) = predictor.notes()
    assert str(note) == "the model has no prediction.json: its task is read from its config.json"


LABELS = {
    "multiclass_classification": lambda rows: [row % 4 for row in range(rows)],
    "multilabel_classification": lambda rows: [[row % 2, row // 2 % 2, int(row % 3 == 0)] for row in range(rows)],
    "regression": lambda rows: [50 + 3.0 * (row % 7) for row in range(rows)],
}


@pytest.mark.parametrize("task", LABELS)
def test_every_task_has_its_test_metrics_again(task, model_dir, write_dataset, sequences, tmp_path):
    splits = {name: {"sequence": texts, "labels": LABELS[task](len(texts))} for name, (texts, _) in sequences.items()}
    dataset = write_dataset(**splits)
    inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset, task_type=task)
    objective = resolve_objective(task)
    final = train_model(inputs, {"max_steps": 4, "eval_steps": 4}, objective, tmp_path / "out")
    options = PredictionOptions.checked({"model": final.model_path, "input": dataset, "split": "test"})
    predictor = Predictor(options)
    (part,) = predictor.predict(open_input(options))
    labels = splits["test"]["labels"]
    assert compute_metrics(task, part.logits, labels) == pytest.approx(final.metrics["test"], abs=1e-6, rel=1e-6)
    table = PredictionTable(predictor.record.task_object, predictor.record.classes, predictor.model.thresholds, True)
    first = dict(zip(table.header, next(table.rows(part.ids, part.logits, np.array(labels))), strict=True))
    if task == "regression":
        assert list(first) == ["id", "value", "true_value"]
        assert float(first["value"]) == pytest.approx(part.logits[0, 0])
        assert first["true_value"] == "50"
    elif task == "multiclass_classification":
        assert sum(float(first[f"probability_LABEL_{number}"]) for number in range(4)) == pytest.approx(1)
        assert (first["label"], first["true_label"]) == (f"LABEL_{part.logits[0].argmax()}", "LABEL_0")
    else:
        (thresholds,) = [predictor.record.thresholds]
        probabilities = [float(first[f"probability_LABEL_{number}"]) for number in range(3)]
        above = [f"LABEL_{n}" for n, (p, cut) in enumerate(zip(probabilities, thresholds, strict=True)) if p > cut]
        assert (first["label"], first["true_label"]) == (";".join(above), "LABEL_2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "contains no sequences; pass a file that does"),
        ("ACGT\n", "line 1 must be a header that begins with '>', got 'ACGT'; add one"),
        ("@read\nACGT\n+\nIIII\n", "line 1 must be a header that begins with '>', got '@read'; convert FASTQ to FASTA"),
        (">\nACGT\n", "line 1 must contain a name after '>'; add one"),
    ],
)
def test_a_fasta_file_that_is_not_one_is_refused(refuse, tmp_path, content, message):
    (tmp_path / "x.fa").write_text(content)
    assert refuse(tmp_path / "x.fa").endswith(message)


def test_a_table_with_a_short_line_is_refused_by_its_line(refuse, tmp_path):
    (tmp_path / "x.csv").write_text("id,sequence\na,ACGT\nb\n")
    assert "line 3 must have 2 fields, as the first line, got 1" in refuse(tmp_path / "x.csv")
    (tmp_path / "x.csv").write_text("id,sequences\na,ACGT\n")
    message = f"sequence_column: {tmp_path / 'x.csv'} has no column 'sequence'; name another with sequence_column"
    assert refuse(tmp_path / "x.csv") == f"{message}, did you mean 'sequences'? (id, sequences)".removeprefix(
        "sequence_column: "
    )


def test_a_damaged_compressed_file_is_refused(refuse, tmp_path):
    content = gzip.compress(b">a\n" + np.random.default_rng(0).choice(list(b"ACGT"), 4000).tobytes())
    (tmp_path / "x.fa.gz").write_bytes(content[: len(content) // 2])
    assert "is compressed and damaged" in refuse(tmp_path / "x.fa.gz")


def test_a_very_long_sequence_in_a_table_is_read(predict, tmp_path):
    (tmp_path / "x.csv").write_text(f"sequence\n{'ACGT' * 50_000}\n")
    _, logits, notes = predict(tmp_path / "x.csv", too_long="truncate")
    assert np.isfinite(logits).all()
    assert notes == ["1 of 1 rows have too many tokens and are cut"]
