"""`reverse_complement`: training shows half of the rows on the other strand, and evaluations average both if asked."""

import numpy as np
import pytest
import torch
from bertnado_config import TrainingInputs, parse_sweep_config
from bertnado_metrics import Objective, compute_metrics
from bertnado_train import HuggingFaceTrainer, train_trial
from bertnado_train.dry_run.evaluation_cost import measure_evaluation
from bertnado_train.sequence_rules import reverse_complement
from bertnado_train.strands import BothStrands, RandomStrand, draw_strands
from bertnado_train.task_trainer import TaskTrainer
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import SilentReport, make_model, make_trainer, run_trial
from bertnado_train.trial_strands import with_strands
from support.states import Interrupting, States
from support.strands import averaged_logits, plain_logits, write_telling_model
from transformers import AutoTokenizer

AUC = Objective("eval/roc_auc", "maximize")
QUICK = {"max_steps": 6, "eval_steps": 3, "learning_rate": 1e-3, "per_device_train_batch_size": 16}
EIGHT = {"epochs": 2, "eval_steps": 4, "learning_rate": 1e-3, "per_device_train_batch_size": 24}
"""8 steps on the 96 rows of train, 4 in an epoch."""


@pytest.fixture(scope="module")
def model_dir(tmp_path_factory, sequences):
    directory = tmp_path_factory.mktemp("model")
    write_telling_model(directory, sequences["train"][0])
    return directory


@pytest.fixture(scope="module")
def inputs(model_dir, dataset_dir):
    return TrainingInputs(model_name=str(model_dir), dataset=dataset_dir)


@pytest.fixture(scope="module")
def setup(inputs):
    return open_training_setup(inputs)


class ShownTrainer(TaskTrainer):
    """Keeps the tokens of each row that it trains on."""

    shown: list

    def compute_loss(self, model, inputs, *args, **more):
        self.shown += [
            tuple(row[: int(mask.sum())].tolist())
            for row, mask in zip(inputs["input_ids"], inputs["attention_mask"], strict=True)
        ]
        return super().compute_loss(model, inputs, *args, **more)


@pytest.fixture
def train(setup, tmp_path):
    """Train on rows that are shown: the tokens of each."""

    def run(**more):
        parameters = {"epochs": 1, "eval_strategy": "no", "per_device_train_batch_size": 24} | more
        arguments = setup.training_arguments(parameters, AUC, tmp_path)
        trainer = make_trainer(setup, parameters, arguments, make_model(setup, parameters, 0), kind=ShownTrainer)
        trainer.shown = []
        trainer.train()
        return trainer.shown

    return run


class TestTraining:
    """With `augment` or `average`."""

    def test_each_row_is_shown_once_an_epoch_about_half_of_them_as_reverse_complements(
        self, train, setup, sequences, model_dir
    ):
        tokenizer = AutoTokenizer.from_pretrained(model_dir)
        texts = sequences["train"][0]
        row_of = {tuple(tokenizer(text)["input_ids"]): (row, False) for row, text in enumerate(texts)}
        row_of |= {
            tuple(tokenizer(reverse_complement(text))["input_ids"]): (row, True) for row, text in enumerate(texts)
        }
        shown = [row_of[tokens] for tokens in train(reverse_complement="augment", epochs=2)]
        epochs = [sorted(shown[:96]), sorted(shown[96:])]
        for number, epoch in enumerate(epochs):
            assert [row for row, _ in epoch] == list(range(96))
            assert [is_turned for _, is_turned in epoch] == draw_strands(setup.seed, number, 96).tolist()
            assert 30 < sum(is_turned for _, is_turned in epoch) < 66
        assert epochs[0] != epochs[1]

    def test_the_order_of_the_rows_is_that_of_none_and_the_strands_follow_from_the_data_seed(self, train):
        plain, augmented = train(), train(reverse_complement="augment")
        same = [one == other for one, other in zip(plain, augmented, strict=True)]
        assert 30 < sum(same) < 66
        assert train(reverse_complement="average") == augmented
        assert train(reverse_complement="augment", data_seed=5) != augmented

    def test_processes_that_load_the_rows_draw_the_same_strands(self, train):
        workers = {"dataloader_num_workers": 1, "dataloader_persistent_workers": True}
        assert train(reverse_complement="augment", **workers) == train(reverse_complement="augment")

    def test_it_works_grouped_by_length_and_accumulated(self, train):
        shown = train(reverse_complement="augment", group_by_length=True, gradient_accumulation_steps=2)
        assert len(shown) == 96

    @pytest.mark.parametrize(("step", "more"), [(3, {"freeze": "backbone"}), (4, {})])
    def test_a_trial_that_continues_gives_the_same_numbers(self, setup, tmp_path, step, more):
        parameters = EIGHT | {"reverse_complement": "average"} | more

        def attempt(name, latest=None, **asked):
            (tmp_path / name).mkdir()
            states = States(tmp_path / name / "state", latest)
            report = Interrupting(tmp_path / name, states, **asked)
            result, trainer = run_trial(setup, parameters, report, tmp_path / name / "checkpoint")
            weights = [weight.clone() for weight in trainer.model.state_dict().values()]
            return states, result.value, list(result.history), weights

        _, value, history, weights = attempt("whole")
        states, *_ = attempt("first", after=step)
        again, *found = attempt("again", states.path)
        assert again.resumption[0] == step
        assert found[:2] == [value, history]
        assert all(torch.equal(one, other) for one, other in zip(found[2], weights, strict=True))


class TestEvaluation:
    """Of a trial."""

    @pytest.mark.parametrize("strands", ["none", "augment", "average"])
    def test_the_value_is_that_of_plain_transformers(self, inputs, sequences, tmp_path, strands):
        parameters = QUICK | {"reverse_complement": strands}
        result = train_trial(**dict(inputs), parameters=parameters, objective=AUC, output_dir=tmp_path)
        texts, labels = sequences["validation"]
        compute = averaged_logits if strands == "average" else plain_logits
        expected = compute_metrics("binary_classification", compute(result.checkpoint, texts), labels)
        (best,) = [row for row in result.history if row["step"] == result.step]
        assert {name: best[f"eval/{name}"] for name in expected} == pytest.approx(expected, abs=1e-5)
        assert result.value == best["eval/roc_auc"]
        assert result.details.get("reverse_complement", "none") == strands


def test_a_frozen_backbone_is_trained_on_cached_features_of_both_strands(setup, tmp_path, monkeypatch):
    parameters = QUICK | {"freeze": "backbone", "reverse_complement": "average", "learning_rate": 0.1}
    histories = []
    for limit in ("1", "0"):
        monkeypatch.setenv("BERTNADO_FEATURES_GB", limit)
        directory = tmp_path / limit
        directory.mkdir()
        result, _ = run_trial(setup, parameters, SilentReport(directory, AUC), directory / "checkpoint")
        assert result.details["features"]["cached"] is (limit == "1")
        histories.append([row["eval/loss"] for row in result.history])
    assert histories[0] == pytest.approx(histories[1], rel=1e-5)


class TestRows:
    """What the cache keeps."""

    def test_letters_are_turned_as_they_are_written(self, write_dataset, model_dir, sequences):
        texts = ["acGTRYKMBVDHSWN" * 4 + text for text in sequences["train"][0][:24]]
        columns = {"sequence": texts, "labels": [0, 1] * 12}
        path = write_dataset(train=columns, validation=columns)
        setup = open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=path, uppercase=True))
        rows = setup.dataset.reverse_complements.rows.splits["train"]
        tokenizer = AutoTokenizer.from_pretrained(model_dir)
        for row, text in enumerate(texts):
            expected = tokenizer(reverse_complement(text.upper()))["input_ids"]
            assert rows[row]["input_ids"].tolist() == expected

    def test_a_row_that_is_cut_keeps_the_beginning_of_each_strand(self, model_dir, dataset_dir, sequences):
        options = {"max_length": 12, "too_long": "truncate"}
        setup = open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=dataset_dir, **options))
        rows = setup.dataset.reverse_complements.rows.splits["train"]
        tokenizer = AutoTokenizer.from_pretrained(model_dir)
        ids = tokenizer(reverse_complement(sequences["train"][0][0]))["input_ids"]
        assert rows[0]["input_ids"].tolist() == [*ids[:11], ids[-1]]

    def test_another_process_finds_them_in_the_cache(self, inputs, setup, caplog):
        expected = setup.dataset.reverse_complements.rows
        again = open_training_setup(inputs).dataset.reverse_complements.rows
        assert again.fingerprint == expected.fingerprint
        assert isinstance(again.splits["train"].tokens.base, np.memmap)

    def test_reverse_complements_of_other_rows_are_refused(self, setup):
        reverse = setup.dataset.reverse_complements.rows.splits["validation"]
        with pytest.raises(ValueError, match="the labels of 56 reverse complements are not those of 96 rows"):
            BothStrands.of(setup.train, reverse)

    def test_without_the_parameter_nothing_changes(self, setup):
        assert with_strands(setup, {"reverse_complement": "none"}) is setup
        assert isinstance(with_strands(setup, {"reverse_complement": "augment"}).train, BothStrands)
        assert not isinstance(with_strands(setup, {"reverse_complement": "augment"}).validation, BothStrands)

    def test_a_batch_keeps_its_order_and_its_labels(self, setup):
        both = with_strands(setup, {"reverse_complement": "augment"}).train
        rows = RandomStrand.of(both.forward, both.reverse, seed=1)
        chosen = [5, 3, 90, 41, 3]
        batch = rows.__getitems__(chosen)
        for place, row in enumerate(chosen):
            source = both.reverse if draw_strands(1, 0, 96)[row] else both.forward
            assert batch[place]["input_ids"].tolist() == source[row]["input_ids"].tolist()
            assert batch[place]["labels"] == both.labels[row]


@pytest.fixture
def problems(model_dir):
    """What a check says of a dataset and values of the parameter."""

    def check(path, *values, **options):
        parameters = {"reverse_complement": {"values": list(values)}, "max_steps": {"value": 4}}
        config = parse_sweep_config({"method": "random", "parameters": parameters})
        trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=path, **options)
        return [str(problem) for problem in trainer.check(config, AUC) if problem.severity == "error"]

    return check


class TestRefusals:
    """Before any training."""

    def test_token_ids_and_pairs_have_no_reverse_complements(self, problems, model_dir, sequences, write_dataset):
        texts, labels = sequences["train"]
        ids = AutoTokenizer.from_pretrained(model_dir)(texts)["input_ids"]
        columns = {"input_ids": ids, "labels": labels.tolist()}
        path = write_dataset(train=columns, validation=columns)
        rule = "reverse_complement must be none unless each row is one sequence"
        cure = "keep the column 'sequence' in their place, or remove reverse_complement"
        message = f"{rule}, and the split 'train' has token ids (input_ids); {cure}"
        assert problems(path, "none", "augment") == [f"parameters.reverse_complement: {message}"]
        assert problems(path, "none") == []
        setup = open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=path))
        with pytest.raises(ValueError, match="must be none unless each row is one sequence"):
            with_strands(setup, {"reverse_complement": "average"})

    def test_reverse_complements_with_too_many_tokens_are_counted(self, problems, model_dir, write_dataset, sequences):
        tokenizer = AutoTokenizer.from_pretrained(model_dir)
        rows = [
            (text, len(tokenizer(text)["input_ids"]), len(tokenizer(reverse_complement(text))["input_ids"]))
            for text in sequences["train"][0]
        ]
        most = next(own for _, own, turned in rows if turned > own)
        chosen = [row for row in rows if row[1] <= most]
        turned = [count for _, _, count in chosen]
        columns = {"sequence": [text for text, _, _ in chosen], "labels": [row % 2 for row in range(len(chosen))]}
        path = write_dataset(train=columns, validation=columns)
        (message,) = problems(path, "augment", max_length=most)
        beyond = sum(count > most for count in turned)
        found = f"reverse complements of {beyond} of {len(chosen)} rows have more tokens than max_length {most}"
        cure = "raise max_length, cut them with too_long truncate, or remove reverse_complement"
        assert message == f"train: {found}, the longest has {max(turned)}; {cure}"

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            ("both", "unknown value 'both'; did you mean 'average'? (none, augment, average)"),
            (True, "unknown value True; did you mean 'augment'? (none, augment, average)"),
            ("avrage", "unknown value 'avrage'; did you mean 'average'? (none, augment, average)"),
        ],
    )
    def test_other_values(self, problems, dataset_dir, value, message):
        assert problems(dataset_dir, value) == [f"parameters.reverse_complement: {message}"]

    def test_names_of_other_code(self, model_dir, dataset_dir):
        config = parse_sweep_config({"method": "random", "parameters": {"rc_aug": {"value": True}}})
        trainer = HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)
        found = [str(problem) for problem in trainer.check(config, AUC) if problem.severity == "error"]
        assert found == ["parameters.rc_aug: unknown parameter 'rc_aug'; did you mean 'reverse_complement'?"]


def test_a_forecast_measures_evaluations_of_both_strands(setup, tmp_path):
    parameters = QUICK | {"reverse_complement": "average"}
    arguments = setup.training_arguments(parameters, AUC, tmp_path)
    trainer = make_trainer(setup, parameters, arguments, make_model(setup, parameters, 0))
    evaluated = []
    compute = trainer.compute_logits
    trainer.compute_logits = lambda rows, *more: evaluated.append(len(rows)) or compute(rows, *more)
    measure_evaluation(trainer, setup, 0.0, lambda: None)
    assert len(evaluated) % 2 == 0
    assert evaluated[::2] == evaluated[1::2]
