"""The checks before the first trial, and the trainer that makes them."""

import pickle
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from bertnado_config import load_sweep_config, parse_sweep_config, sample_parameters
from bertnado_metrics import Objective, get_task, resolve_objective
from bertnado_train import HuggingFaceTrainer, TrainingInputs, train_model
from bertnado_train.parameter_checks import parameter_problems
from bertnado_train.training_arguments import default_arguments
from bertnado_train.trial import SilentReport
from transformers import TrainingArguments

AUC = Objective("eval/roc_auc", "maximize")


def sweep(early_terminate=None, **parameters):
    content = {
        "method": "random",
        "parameters": {
            name: value if isinstance(value, dict) else {"value": value} for name, value in parameters.items()
        },
    }
    return parse_sweep_config(content | ({"early_terminate": early_terminate} if early_terminate else {}))


@pytest.fixture
def trainer(model_dir, dataset_dir):
    """Make a trainer."""

    def make(**options):
        defaults = {"model_name": str(model_dir), "dataset": dataset_dir, "task_type": "binary_classification"}
        return HuggingFaceTrainer(**(defaults | options))

    return make


def errors(trainer, config, objective=AUC):
    return [str(problem) for problem in trainer.check(config, objective) if problem.severity == "error"]


def warnings(trainer, config, objective=AUC):
    return [str(problem) for problem in trainer.check(config, objective) if problem.severity == "warning"]


GOOD = {"learning_rate": {"min": 1e-5, "max": 1e-3}, "per_device_train_batch_size": {"values": [16, 32]}, "epochs": 2}


def test_a_valid_sweep_has_no_problems(trainer):
    assert trainer().check(sweep(**GOOD), AUC) == []


def test_a_trainer_can_be_handed_to_another_process(trainer):
    assert pickle.loads(pickle.dumps(trainer())) == trainer()


def test_what_it_trains_is_one_object(model_dir, dataset_dir):
    inputs = TrainingInputs(model_name=str(model_dir), dataset=dataset_dir, task_type="regression", seed=3)
    trainer = HuggingFaceTrainer(**dict(inputs))
    assert dict(trainer) == dict(inputs)
    assert (trainer.task_type, trainer.task, trainer.seed) == ("regression", get_task("regression"), 3)


def test_a_task_is_accepted_as_an_object(trainer, tmp_path):
    by_object = trainer(task_type=get_task("binary_classification"))
    assert pickle.loads(pickle.dumps(by_object)) == by_object
    assert by_object.check(sweep(**GOOD), AUC) == []
    parameters = {"max_steps": 2, "eval_steps": 1}
    results = [made.open().run(parameters, SilentReport(tmp_path, AUC)) for made in (by_object, trainer())]
    assert results[0].history == results[1].history


def test_a_task_of_ones_own_needs_no_name_among_the_tasks(trainer, tmp_path):
    accuracy = get_task("binary_classification").metrics["accuracy"]
    metrics = get_task("binary_classification").metrics | {"hits": replace(accuracy, name="hits")}
    task = replace(get_task("binary_classification"), name="enhancers", metrics=metrics)
    hits = resolve_objective(task, "hits")
    own = pickle.loads(pickle.dumps(trainer(task_type=task)))
    assert own.check(sweep(**GOOD), hits) == []
    result = own.open().run({"max_steps": 2, "eval_steps": 1}, SilentReport(tmp_path, hits))
    assert result.value == max(row["eval/accuracy"] for row in result.history)
    final = train_model(own, {"max_steps": 2, "eval_steps": 1}, hits, tmp_path / "final")
    assert {"hits", "roc_auc"} < set(final.metrics["test"])


def test_a_session_trains_in_the_directory_of_the_report(trainer, tmp_path):
    session = trainer().open()
    result = session.run({"max_steps": 2, "eval_steps": 1}, SilentReport(tmp_path, AUC))
    assert result.checkpoint == tmp_path / "checkpoint"
    assert [row["step"] for row in result.history] == [1, 2]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"learning_rat": 1e-4}, "parameters.learning_rat: unknown parameter 'learning_rat'; did you mean"),
        (
            {"per_device_train_batch_size": {"min": 4.0, "max": 16.5}},
            "parameters.per_device_train_batch_size: must be an integer, got",
        ),
        (
            {"lr_scheduler_type": {"values": ["linear", "cosin"]}},
            "parameters.lr_scheduler_type: unknown value 'cosin'; did you mean 'cosine'?",
        ),
        ({"bf16": {"values": ["yes", "no"]}}, "parameters.bf16: must be true or false, got 'yes'"),
        ({"warmup_ratio": {"min": 0.0, "max": 1.5}}, "parameters.warmup_ratio: must be at least 0 and at most 1"),
        (
            {"epochs": 3, "num_train_epochs": 4},
            "parameters.num_train_epochs: parameters.epochs sets 'num_train_epochs' as well",
        ),
        (
            {"training_args": {"max_grad_nor": 1.0}},
            "parameters.training_args: unknown parameter 'training_args.max_grad_nor'; did you mean",
        ),
        ({"optimizer": {"parameters": {"lr": {"value": 1}}}}, "unknown parameter 'optimizer.lr'"),
        ({"dataloader_prefetch_factor": 2}, "dataloader_prefetch_factor can only be set when data is loaded in a"),
    ],
)
def test_a_parameter_that_cannot_be_trained_with_is_an_error(trainer, parameters, message):
    if "training_args" in parameters:
        parameters = {"training_args": {"value": parameters["training_args"]}}
    found = errors(trainer(), sweep(**parameters))
    assert len(found) == 1
    assert message in found[0]


COSINE = {"lr_scheduler_type": "cosine_with_restarts"}


@pytest.mark.parametrize("above", [None, "training_args"])
def test_the_entries_of_an_object_may_be_parameters_one_by_one(trainer, tmp_path, above):
    entries = {"num_cycles": {"values": [1, 2]}}
    declared = {"lr_scheduler_kwargs": {"parameters": entries}}
    config = sweep(**GOOD, **COSINE, **({above: {"parameters": declared}} if above else declared))
    assert trainer().check(config, AUC) == []
    sampled = sample_parameters(config, np.random.default_rng(0))
    result = trainer().open().run(sampled | {"max_steps": 2, "eval_steps": 1}, SilentReport(tmp_path, AUC))
    kwargs = (sampled[above] if above else sampled)["lr_scheduler_kwargs"]
    assert result.details["arguments"]["lr_scheduler_kwargs"] == kwargs
    assert kwargs["num_cycles"] in (1, 2)


def test_two_entries_of_an_object_do_not_contradict_each_other_and_its_two_spellings_do(trainer):
    entries = {"num_cycles": {"value": 0.5}, "min_lr": {"values": [0.0, 1e-6]}}
    config = sweep(**GOOD, lr_scheduler_type="cosine_with_min_lr", lr_scheduler_kwargs={"parameters": entries})
    assert trainer().check(config, AUC) == []
    whole = {"training_args.lr_scheduler_kwargs": {"value": {}}}
    config = sweep(**GOOD, **COSINE, lr_scheduler_kwargs={"parameters": entries}, **whole)
    found = "parameters.lr_scheduler_kwargs sets 'lr_scheduler_kwargs' as well; keep one of them"
    assert errors(trainer(), config) == [f"parameters.training_args.lr_scheduler_kwargs: {found}"]


def test_an_entry_that_the_scheduler_does_not_take_is_an_error(trainer):
    config = sweep(**GOOD, **COSINE, lr_scheduler_kwargs={"parameters": {"cycles": {"values": [1, 2]}}})
    (found,) = errors(trainer(), config)
    assert "unexpected keyword argument 'cycles'" in found


def test_all_mistakes_are_found_at_once(trainer):
    found = errors(trainer(dataset="nowhere"), sweep(learning_rat=1e-4, epochs=-1))
    assert [problem.split(":")[0] for problem in found] == ["parameters.learning_rat", "parameters.epochs", "dataset"]


def test_managed_names_are_a_single_warning(trainer):
    found = warnings(trainer(), sweep(**GOOD, save_steps=100, output_dir="x", load_best_model_at_end=True))
    names = "load_best_model_at_end, output_dir, save_steps"
    assert found == [f"parameters: ignored, because BertNado sets them itself: {names}"]


@pytest.mark.parametrize(
    ("parameters", "mentioned"),
    [
        ({"save_steps": 2, "eval_steps": 2}, False),
        ({"save_steps": 2, "training_args.eval_steps": 2}, False),
        ({"save_steps": 4, "eval_steps": 2}, True),
        ({"save_steps": 2}, True),
        ({"save_steps": {"values": [2, 3]}, "eval_steps": {"values": [2, 3]}}, True),
    ],
)
def test_save_steps_that_equal_eval_steps_are_not_mentioned(trainer, parameters, mentioned):
    found = warnings(trainer(), sweep(**GOOD, **parameters))
    assert found == ["parameters: ignored, because BertNado sets them itself: save_steps"] * mentioned


def test_the_documented_sweep_file_is_not_warned_of_what_it_ignores():
    config = load_sweep_config(Path(__file__).parents[2] / "configs" / "sweep_config.json")
    assert parameter_problems(config, get_task("binary_classification")) == []


def test_a_plan_with_a_single_evaluation_is_a_warning(trainer):
    found = warnings(trainer(), sweep(**GOOD, eval_steps=100))
    assert found == [
        (
            "parameters.eval_steps: every trial has a single evaluation, so the best checkpoint is the last; "
            "evaluate more often (the shortest trial has 6 steps)"
        )
    ]


@pytest.mark.parametrize(
    ("rule", "first"),
    [
        ({"min_iter": 5}, 5),
        ({"min_iter": 4}, 4),
        ({"min_iter": 3}, None),
        ({"max_iter": 81, "s": 1}, 27),
        ({"max_iter": 27, "s": 2, "eta": 2}, 6),
        ({"max_iter": 12, "s": 1}, 4),
        ({"max_iter": 27, "s": 2}, None),
        ({"max_iter": 27, "s": 3}, None),
        ({"min_iter": 1, "max_iter": 81, "s": 1}, 27),
    ],
)
def test_a_rule_that_stops_no_trial_before_its_end_is_a_warning(trainer, rule, first):
    """The longest trial has 4 evaluations; after the last one it ends anyway."""
    config = sweep({"type": "hyperband", **rule}, **GOOD, eval_steps=3)
    message = (
        f"early_terminate: the rule can first stop a trial after {first} evaluations, and no trial has more than 4, "
        f"so none would be stopped early; evaluate more often or change the rule"
    )
    assert warnings(trainer(), config) == ([] if first is None else [message])


def test_the_plan_has_the_steps_and_evaluations_of_the_trials(trainer):
    plan, problems = trainer().plan(sweep(**GOOD, eval_steps=3), AUC)
    assert problems == []
    assert (plan.steps, plan.evaluations) == ((6, 12), (2, 4))
    assert plan.arguments["num_train_epochs"] == 2.0
    assert "learning_rate" not in plan.arguments


class TestCostOfAPlan:
    """`TrainingArguments` are built once for each set that transformers could tell apart."""

    @pytest.fixture
    def built(self, monkeypatch):
        arguments = []
        default_arguments.cache_clear()
        build = TrainingArguments.__post_init__

        def count(self):
            arguments.append(self)
            build(self)

        monkeypatch.setattr(TrainingArguments, "__post_init__", count)
        return arguments

    def test_a_sweep_is_planned_with_few_arguments_and_asked_again_with_none(self, trainer, built):
        config = load_sweep_config(Path(__file__).parents[2] / "configs" / "quickstart.json")
        planner = trainer()
        assert planner.check(config, AUC) == []
        assert len(built) == 8  # 2 batch sizes x 3 numbers of epochs, the defaults to compare with, and a first step
        plan, problems = planner.plan(config, AUC)
        assert (plan.steps, problems) == ((6, 24), [])
        assert len(built) == 8

    def test_another_sweep_is_planned_anew(self, trainer, built):
        planner = trainer()
        assert planner.plan(sweep(**GOOD, eval_steps=3), AUC)[0].evaluations == (2, 4)
        assert planner.plan(sweep(**GOOD, eval_steps=6), AUC)[0].evaluations == (1, 2)

    def test_what_was_wrong_is_looked_at_again(self, trainer, dataset_dir, tmp_path):
        planner = trainer(dataset=tmp_path / "dataset")
        assert len(errors(planner, sweep(**GOOD))) == 1
        shutil.copytree(dataset_dir, tmp_path / "dataset")
        assert errors(planner, sweep(**GOOD)) == []

    def test_what_varies_is_not_shown_as_shared_though_it_was_built_once(self, trainer):
        plan, _ = trainer().plan(sweep(epochs=9, weight_decay={"values": [0.0, 0.1]}, adam_beta1=0.8), AUC)
        assert plan.arguments["adam_beta1"] == 0.8
        assert "weight_decay" not in plan.arguments

    def test_a_combination_that_transformers_refuses_is_found(self, trainer):
        both = {"values": [True, False]}
        (found,) = errors(trainer(), sweep(**GOOD, fp16_full_eval=both, bf16_full_eval=both, use_cpu=True))
        assert "At most one of fp16 and bf16 can be True for full eval" in found


def test_labels_of_a_regression_cannot_be_smoothed(trainer, write_dataset, sequences):
    splits = {name: {"sequence": texts, "labels": np.arange(len(texts)) / 7} for name, (texts, _) in sequences.items()}
    config = sweep(**GOOD, label_smoothing_factor=0.1)
    found = errors(
        trainer(dataset=write_dataset(**splits), task_type="regression"), config, Objective("eval/r2", "maximize")
    )
    assert found == ["parameters.label_smoothing_factor: labels of a regression task cannot be smoothed; remove it"]


def test_a_validation_split_without_both_classes_is_an_error(trainer, write_dataset, sequences):
    splits = {name: {"sequence": texts, "labels": labels.tolist()} for name, (texts, labels) in sequences.items()}
    splits["validation"]["labels"] = [1] * len(splits["validation"]["labels"])
    found = errors(trainer(dataset=write_dataset(**splits)), sweep(**GOOD))
    assert found == [
        (
            "dataset: validation: eval/roc_auc is undefined for its 56 rows, whose labels are all 1.0; "
            "split the dataset again, stratified by label, or choose another metric"
        )
    ]


def test_a_training_split_of_one_class_is_an_error(trainer, write_dataset, sequences):
    splits = {name: {"sequence": texts, "labels": labels.tolist()} for name, (texts, labels) in sequences.items()}
    splits["train"]["labels"] = [1] * len(splits["train"]["labels"])
    assert errors(trainer(dataset=write_dataset(**splits)), sweep(**GOOD)) == [
        (
            "dataset: train: all 96 rows have the label 1, so there is nothing to learn; "
            "split the dataset again, stratified by label"
        )
    ]


def test_sequences_that_the_tokenizer_does_not_know_are_an_error(trainer, write_dataset, sequences):
    splits = {name: {"sequence": texts, "labels": labels.tolist()} for name, (texts, labels) in sequences.items()}
    splits["test"]["sequence"] = [text.lower() for text in splits["test"]["sequence"]]
    (found,) = errors(trainer(dataset=write_dataset(**splits)), sweep(**GOOD))
    assert found.startswith("dataset: test: 100% of the sequences' letters are unknown to the tokenizer ('")
    assert found.endswith("; they are in lower case; write them in upper case with uppercase")


def test_token_ids_beyond_the_vocabulary_are_an_error(trainer, write_dataset):
    columns = {"input_ids": [[5, 6], [7, 900]], "attention_mask": [[1, 1], [1, 1]], "labels": [0, 1]}
    found = errors(trainer(dataset=write_dataset(train=columns, validation=columns)), sweep(**GOOD))
    assert found[0].startswith("dataset: train: token id 900 is outside the model's vocabulary of 160; prepare the")


def test_rows_beyond_the_models_positions_are_an_error(trainer, write_dataset):
    long = {"input_ids": [[5] * 300, [7]], "attention_mask": [[1] * 300, [1]], "labels": [0, 1]}
    short = {"input_ids": [[5], [7]], "attention_mask": [[1], [1]], "labels": [0, 1]}
    found = errors(trainer(dataset=write_dataset(train=long, validation=short)), sweep(**GOOD))
    assert found == [
        (
            "dataset: train: 1 of 2 rows are longer than the model's 256 positions, the longest has 300 tokens; "
            "shorten the sequences, or cut them with max_length 256 and too_long truncate"
        )
    ]


def test_padding_beyond_the_models_positions_does_no_harm(trainer, write_dataset):
    mask = [1] * 10 + [0] * 502
    columns = {"input_ids": [[5] * 512, [7] * 512], "attention_mask": [mask, mask], "labels": [0, 1]}
    assert errors(trainer(dataset=write_dataset(train=columns, validation=columns)), sweep(**GOOD)) == []


def test_a_model_that_cannot_be_found_is_an_error_that_says_what_to_do(trainer):
    (found,) = errors(trainer(model_name="nobody/nothing"), sweep(**GOOD))
    assert found.startswith("model_name: the model 'nobody/nothing' cannot be loaded: ")
    assert "hf download nobody/nothing" in found


def test_a_model_directory_without_weights_is_an_error(trainer, model_dir, tmp_path):
    shutil.copytree(model_dir, tmp_path / "model", ignore=shutil.ignore_patterns("*.safetensors"))
    (found,) = errors(trainer(model_name=str(tmp_path / "model")), sweep(**GOOD))
    assert found.startswith(f"model_name: the model '{tmp_path / 'model'}' cannot be loaded: ")


def test_a_path_without_a_model_is_an_error_with_the_nearest_one(trainer, model_dir, tmp_path, monkeypatch):
    (tmp_path / "model").symlink_to(model_dir)
    (tmp_path / "notes.txt").write_text("no model")
    monkeypatch.chdir(tmp_path)
    ends = {
        "./modle": "there is no such directory; did you mean the directory 'model'? pass one that holds a model, ",
        "notes.txt": "it is a file; pass the directory that contains it",
        ".": "the directory has no config.json; pass one that save_pretrained wrote",
    }
    for name, end in ends.items():
        (found,) = errors(trainer(model_name=name), sweep(**GOOD))
        assert found.startswith(f"model_name: the model {name!r} cannot be loaded: {end}")


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (b"cut off", "download or save it again"),
        (
            b"version https://git-lfs.github.com/spec/v1\n",
            "model.safetensors is a Git LFS pointer, not the file",
        ),
    ],
)
def test_damaged_weights_are_an_error(trainer, model_dir, tmp_path, weights, message):
    directory = shutil.copytree(model_dir, tmp_path / "model")
    (directory / "model.safetensors").write_bytes(weights)
    (found,) = errors(trainer(model_name=str(directory)), sweep(**GOOD))
    assert message in found


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('"hidden_size": 64', '"hidden_size": 32', "is stored with shape (64,), but its config.json requires (32,)"),
        ('"model_type": "bert"', '"model_type": "roberta"', "none of its weights belongs to a roberta model"),
    ],
)
def test_weights_that_are_not_of_this_model_are_an_error(trainer, model_dir, tmp_path, before, after, message):
    directory = shutil.copytree(model_dir, tmp_path / "model")
    (directory / "config.json").write_text((directory / "config.json").read_text().replace(before, after))
    (found,) = errors(trainer(model_name=str(directory)), sweep(**GOOD))
    assert message in found


def test_a_model_without_a_tokenizer_is_an_error_where_one_is_needed(trainer, model_dir, tmp_path, write_dataset):
    directory = shutil.copytree(model_dir, tmp_path / "model", ignore=shutil.ignore_patterns("tokenizer*"))
    (found,) = errors(trainer(model_name=str(directory)), sweep(**GOOD))
    assert "has no tokenizer; save one in its directory" in found
    columns = {"input_ids": [[5, 6], [7, 8]], "labels": [0, 1]}
    with_tokens = write_dataset(train=columns, validation=columns)
    assert errors(trainer(model_name=str(directory), dataset=with_tokens), sweep(**GOOD)) == []


@pytest.mark.skipif(torch.cuda.is_available(), reason="fp16 is fine with a GPU")
def test_fp16_in_the_file_without_a_gpu_is_an_error(trainer):
    (found,) = errors(trainer(), sweep(**GOOD, fp16=True))
    assert found.startswith("parameters: fp16 requires a GPU, and this trial would train without one")


def test_what_transformers_cannot_make_arguments_of_is_an_error(trainer):
    (found,) = errors(trainer(), sweep(**GOOD, accelerator_config="nowhere.json"))
    assert "nowhere.json" in found


def test_a_model_with_custom_code_needs_permission(trainer, model_dir, tmp_path):
    directory = shutil.copytree(model_dir, tmp_path / "model")
    config = (directory / "config.json").read_text()
    (directory / "config.json").write_text(
        config.replace('"model_type": "bert"', '"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}')
    )
    (found,) = errors(trainer(model_name=str(directory)), sweep(**GOOD))
    assert "requires custom code" in found
    assert found.endswith("read that code, then allow it with trust_remote_code")


class TestGroupingByLength:
    """Its problems are reported before the first trial."""

    @pytest.fixture
    def dataset(self, write_dataset):
        rng = np.random.default_rng(0)

        def rows(peaks_are_longer):
            labels = rng.integers(0, 2, 64).tolist()
            bases = [200 if peaks_are_longer and label else int(rng.integers(100, 140)) for label in labels]
            return {"sequence": ["".join(rng.choice(list("ACGT"), length)) for length in bases], "labels": labels}

        def make(peaks_are_longer):
            return write_dataset(train=rows(peaks_are_longer), validation=rows(peaks_are_longer))

        return make

    def test_batches_with_similar_labels_are_warned_about(self, trainer, dataset):
        grouping = sweep(group_by_length=True, per_device_train_batch_size=8, epochs=9)
        [warning] = warnings(trainer(dataset=dataset(peaks_are_longer=True)), grouping)
        assert "labels depend on length here: in batches of 8 rows of similar length" in warning
        assert "do not group by length" in warning

    def test_unrelated_labels_and_random_batches_are_not_warned_about(self, trainer, dataset):
        grouping = sweep(group_by_length=True, per_device_train_batch_size=8, epochs=9)
        assert warnings(trainer(dataset=dataset(peaks_are_longer=False)), grouping) == []
        plan, problems = trainer(dataset=dataset(peaks_are_longer=True)).plan(sweep(epochs=9), AUC)
        assert problems == []
        assert plan.grouping.is_biased


class TestPrecision:
    """Its problems are reported before the first trial."""

    def test_a_precision_and_a_file_that_decides_it_contradict_each_other(self, trainer):
        [error] = errors(trainer(precision="fp32"), sweep(bf16={"values": [True, False]}, **GOOD))
        assert error == ("precision fp32 and the sweep file's bf16 both set it; keep one of them")

    @pytest.mark.skipif(torch.cuda.is_available(), reason="a GPU is at hand")
    def test_fp16_needs_a_gpu(self, trainer):
        [error] = errors(trainer(precision="fp16"), sweep(**GOOD))
        assert error == "precision fp16 requires a GPU, and none is visible here; use auto, fp32 or bf16"

    def test_another_word_is_refused(self, trainer):
        [error] = errors(trainer(precision="int8"), sweep(**GOOD))
        assert error == "unknown precision 'int8'; choose from auto, fp32, bf16, fp16"

    def test_bf16_trains_on_the_cpu_as_well(self, trainer, tmp_path):
        session = trainer(precision="bf16").open()
        parameters = {"max_steps": 2, "eval_steps": 1, "per_device_train_batch_size": 8}
        result = session.run(parameters, SilentReport(tmp_path, AUC))
        assert result.details["arguments"]["bf16"] is True
        assert result.value is not None


def test_what_a_check_has_read_is_not_read_again_and_not_sent_to_workers(trainer, dataset_dir, tmp_path):
    shutil.copytree(dataset_dir, tmp_path / "copy")
    checked = trainer(dataset=tmp_path / "copy")
    assert checked.check(sweep(**GOOD), AUC) == []
    assert checked == trainer(dataset=tmp_path / "copy")
    assert len(pickle.dumps(checked)) < 1200
    shutil.rmtree(tmp_path / "copy")
    checked.open()


def test_an_unknown_head_is_an_error_with_the_choices(trainer):
    (found,) = errors(trainer(head="mean"), sweep(**GOOD))
    assert found == "unknown head 'mean'; choose from auto, pooled"
