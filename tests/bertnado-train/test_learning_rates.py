"""Learning rates by part: lower ones for layers that are farther from the head, and one for the head."""

import pytest
import torch
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective, get_task
from bertnado_train import HuggingFaceTrainer, TrainingInputs, train_trial
from bertnado_train.model_parts import find_parts
from bertnado_train.parameter_checks import parameter_problems
from bertnado_train.pretrained import load_config
from bertnado_train.stored_model import read_model
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import make_model, make_trainer
from safetensors.torch import load_file
from support.custom_models import CLASSIFIER, write_model
from support.dna_models import STAND_INS

AUC = Objective("eval/roc_auc", "maximize")
RATES = {"learning_rate": 0.01, "layer_lr_decay": 0.5, "head_learning_rate": 0.1}
QUICK = {"max_steps": 2, "eval_steps": 1, "per_device_train_batch_size": 8}


@pytest.fixture(scope="module")
def setup(model_dir, dataset_dir):
    return open_training_setup(TrainingInputs(model_name=str(model_dir), dataset=dataset_dir))


@pytest.fixture
def optimiser_of(setup, tmp_path):
    """Make the optimiser of a trial, as the trainer does before the first step."""

    def make(parameters, model=None, steps=0):
        arguments = setup.training_arguments(QUICK | parameters, AUC, tmp_path)
        model = model or make_model(setup, parameters, 0)
        trainer = make_trainer(setup, parameters, arguments, model)
        trainer.create_optimizer_and_scheduler(10)
        for _ in range(steps):
            trainer.optimizer.step()
            trainer.lr_scheduler.step()
        names = {parameter: name for name, parameter in model.named_parameters()}
        groups = trainer.optimizer.param_groups
        return {names[parameter]: group for group in groups for parameter in group["params"]}

    return make


def rates_of(groups):
    return {name: group["lr"] for name, group in groups.items()}


def test_each_layer_has_a_share_of_the_rate_of_the_one_above_it(optimiser_of):
    rates = rates_of(optimiser_of(RATES))

    assert rates["bert.embeddings.word_embeddings.weight"] == pytest.approx(0.01 * 0.5**2)
    assert rates["bert.encoder.layer.0.output.dense.weight"] == pytest.approx(0.01 * 0.5)
    assert rates["bert.encoder.layer.1.output.dense.bias"] == 0.01
    assert {rates["bert.pooler.dense.weight"], rates["classifier.weight"], rates["classifier.bias"]} == {0.1}


@pytest.mark.parametrize(
    ("parameters", "first", "head"),
    [
        ({"learning_rate": 0.01, "layer_lr_decay": 0.5}, 0.005, 0.01),
        ({"learning_rate": 0.01, "head_learning_rate": "1e-1"}, 0.01, 0.1),
        ({"layer_lr_decay": 1}, 5e-5, 5e-5),
    ],
)
def test_one_of_both_leaves_the_rest_at_the_learning_rate(optimiser_of, parameters, first, head):
    rates = rates_of(optimiser_of(parameters))

    assert rates["bert.encoder.layer.0.output.dense.weight"] == first
    assert rates["classifier.weight"] == head


@pytest.mark.parametrize(
    ("name", "head"), [("nt_v1", "auto"), ("dnabert2", "auto"), ("generator", "auto"), ("nt_v3", "pooled")]
)
def test_the_parts_of_each_architecture_have_their_rates(optimiser_of, tmp_path, name, head):
    stand_in = STAND_INS[name]
    (tmp_path / name).mkdir()
    stand_in.write(tmp_path / name)
    config = load_config(str(tmp_path / name), trust_remote_code=stand_in.needs_trust)
    given = {"label2id": None, "trust_remote_code": stand_in.needs_trust, "allow_new_weights": True, "head": head}
    model = read_model(str(tmp_path / name), config, get_task("binary_classification"), 1, **given).copy(0)
    parts = find_parts(model)

    rates = rates_of(optimiser_of(RATES, model))

    assert rates.keys() == dict(model.named_parameters()).keys()
    for parameter, rate in rates.items():
        layer = parts.layer_of(parameter)
        if parts.is_in_head(parameter):
            assert rate == 0.1
        elif parts.is_in_embeddings(parameter):
            assert rate == 0.01 * 0.5 ** len(parts.layers)
        else:
            assert rate == (0.01 if layer is None else 0.01 * 0.5 ** (len(parts.layers) - 1 - layer))


@pytest.mark.parametrize("optim", ["adamw_torch", "adamw_torch_fused", "sgd", "adafactor", "adagrad", "rmsprop"])
def test_each_optimiser_keeps_weight_decay_where_it_was(optimiser_of, optim):
    plain = optimiser_of({"optim": optim, "weight_decay": 0.3})
    groups = optimiser_of({"optim": optim, "weight_decay": 0.3, **RATES})

    assert {name: group["weight_decay"] for name, group in groups.items()} == {
        name: group["weight_decay"] for name, group in plain.items()
    }
    assert groups["bert.encoder.layer.0.output.dense.weight"]["weight_decay"] == 0.3
    assert groups["bert.encoder.layer.0.output.LayerNorm.weight"]["weight_decay"] == 0
    assert len(set(rates_of(groups).values())) == 4


@pytest.mark.parametrize("scheduler", ["linear", "cosine", "constant_with_warmup"])
def test_the_scheduler_scales_all_rates_alike(optimiser_of, scheduler):
    given = RATES | {"lr_scheduler_type": scheduler, "warmup_ratio": 0.5}
    first, later = (rates_of(optimiser_of(given, steps=steps)) for steps in (1, 3))

    shares = {round(later[name] / first[name], 9) for name in first}

    assert shares == {3.0}


def test_frozen_weights_are_in_no_group(optimiser_of, setup):
    model = setup.model.copy(0)
    model.bert.embeddings.requires_grad_(False)

    rates = rates_of(optimiser_of(RATES, model))

    assert not any(name.startswith("bert.embeddings.") for name in rates)
    assert min(rates.values()) == 0.005


def test_adapters_have_the_rate_of_their_layer_and_the_head_its_own(optimiser_of):
    rates = rates_of(optimiser_of(RATES | {"lora_r": 2}))

    adapters = {name: rate for name, rate in rates.items() if "lora_" in name}

    assert {rate for name, rate in adapters.items() if ".layer.0." in name} == {0.005}
    assert {rate for name, rate in adapters.items() if ".layer.1." in name} == {0.01}
    assert rates["classifier.weight"] == 0.1
    assert {rate for name, rate in rates.items() if name not in adapters} == {0.1}


def test_the_head_on_a_frozen_backbone_has_its_own_rate(model_dir, dataset_dir, tmp_path):
    given = (str(model_dir), dataset_dir, "binary_classification")
    frozen = QUICK | {"freeze": "backbone"}
    by_head = train_trial(*given, frozen | {"learning_rate": 1e-5, "head_learning_rate": 0.02}, AUC, tmp_path / "head")
    alone = train_trial(*given, frozen | {"learning_rate": 0.02}, AUC, tmp_path / "alone")

    assert by_head.history == alone.history
    assert by_head.details["learning_rates"] == {"lowest": 0.02, "head": 0.02}


def test_the_head_moves_by_its_own_rate(setup, tmp_path):
    """With plain gradient descent, a step is the gradient times the rate."""
    given = QUICK | {"optim": "sgd", "max_steps": 1, "lr_scheduler_type": "constant", "learning_rate": 0.01}
    given |= {"max_grad_norm": 0, "weight_decay": 0}
    moved = {}
    for name, more in {"one": {}, "two": {"layer_lr_decay": 0.5, "head_learning_rate": 0.03}}.items():
        arguments = setup.training_arguments(given | more, AUC, tmp_path)
        model = make_model(setup, given | more, 0)
        before = {key: weight.clone() for key, weight in model.state_dict().items()}
        make_trainer(setup, given | more, arguments, model).train()
        moved[name] = {key: float((before[key] - weight).norm()) for key, weight in model.state_dict().items()}

    ratio = {key: moved["two"][key] / moved["one"][key] for key in moved["one"] if moved["one"][key] > 1e-6}

    assert ratio["classifier.weight"] == pytest.approx(3, rel=1e-3)
    assert ratio["bert.encoder.layer.1.output.dense.weight"] == pytest.approx(1, rel=1e-3)
    assert ratio["bert.encoder.layer.0.output.dense.weight"] == pytest.approx(0.5, rel=1e-3)
    assert ratio["bert.embeddings.word_embeddings.weight"] == pytest.approx(0.25, rel=1e-3)


def test_the_record_of_a_trial_has_the_lowest_rate_and_that_of_the_head(model_dir, dataset_dir, tmp_path):
    given = (str(model_dir), dataset_dir, "binary_classification")
    with_rates = train_trial(*given, QUICK | RATES, AUC, tmp_path / "rates")
    without = train_trial(*given, QUICK, AUC, tmp_path / "plain")

    assert with_rates.details["learning_rates"] == {"lowest": pytest.approx(0.0025), "head": 0.1}
    assert "learning_rates" not in without.details


def sweep(**parameters):
    declared = {name: value if isinstance(value, dict) else {"value": value} for name, value in parameters.items()}
    return parse_sweep_config({"method": "random", "parameters": {"max_steps": {"value": 4}, **declared}})


def check(trainer, **parameters):
    plan, problems = trainer.plan(sweep(**parameters), AUC)
    return plan, [str(problem) for problem in problems if problem.severity == "error"]


@pytest.fixture(scope="module")
def trainer(model_dir, dataset_dir):
    return HuggingFaceTrainer(model_name=str(model_dir), dataset=dataset_dir)


def test_the_plan_shows_the_ends_of_the_ranges(trainer):
    rate = {"distribution": "log_uniform_values", "min": 1e-5, "max": 1e-3}
    plan, errors = check(trainer, learning_rate=rate, layer_lr_decay={"min": 0.5, "max": 1.0}, head_learning_rate=0.01)

    assert errors == []
    assert plan.learning_rates["embeddings"] == (pytest.approx(2.5e-6), pytest.approx(1e-3))
    assert plan.learning_rates["head"] == (0.01, 0.01)
    assert check(trainer, learning_rate=rate)[0].learning_rates == {}


@pytest.mark.parametrize(
    ("parameters", "expected"),
    [
        ({"layer_lr_decay": 0}, "parameters.layer_lr_decay: must be above 0 and at most 1, got 0"),
        ({"layer_lr_decay": 1.1}, "parameters.layer_lr_decay: must be above 0 and at most 1, got 1.1"),
        ({"head_learning_rate": 0}, "parameters.head_learning_rate: must be above 0, got 0"),
        ({"head_learning_rate": "high"}, "parameters.head_learning_rate: must be a number, got 'high'"),
        ({"layerwise_lr_decay": 0.9}, "unknown parameter 'layerwise_lr_decay'; did you mean 'layer_lr_decay'?"),
        ({"llrd": 0.9}, "unknown parameter 'llrd'; did you mean 'layer_lr_decay'?"),
        ({"layer_lr_dcay": 0.9}, "unknown parameter 'layer_lr_dcay'; did you mean 'layer_lr_decay'?"),
        ({"head_lr": 1e-3}, "unknown parameter 'head_lr'; did you mean 'head_learning_rate'?"),
        ({"classifier_lr": 1e-3}, "unknown parameter 'classifier_lr'; did you mean 'head_learning_rate'?"),
        ({"lr": 1e-3}, "unknown parameter 'lr'; did you mean 'learning_rate'?"),
    ],
)
def test_a_mistake_is_said_with_its_place(parameters, expected):
    (error,) = parameter_problems(sweep(**parameters), get_task("binary_classification"))
    assert str(error).endswith(expected)


def test_an_optimiser_with_one_rate_is_refused_before_the_first_trial(trainer):
    (error,) = check(trainer, layer_lr_decay=0.9, optim={"values": ["sgd", "galore_adamw_layerwise"]})[1]

    assert error == (
        "parameters: layer_lr_decay and head_learning_rate cannot be used with optim galore_adamw_layerwise, which "
        "trains all parts with one learning rate; remove them, or choose another optim"
    )


def test_a_model_that_does_not_list_its_layers_has_no_rates_by_layer(tmp_path, dataset_dir):
    write_model(tmp_path / "model", CLASSIFIER)
    trainer = HuggingFaceTrainer(model_name=str(tmp_path / "model"), dataset=dataset_dir, trust_remote_code=True)

    (error,) = check(trainer, layer_lr_decay={"values": [0.9, 1.0]})[1]

    assert error == (
        "parameters: layer_lr_decay must be 1 for this model, got 0.9: its code does not list layers, so they cannot "
        "be told apart; remove it, or set head_learning_rate alone"
    )
    assert check(trainer, layer_lr_decay=1, head_learning_rate=0.01)[1] == []


def test_the_head_learns_where_the_rest_hardly_moves(model_dir, dataset_dir, tmp_path):
    given = QUICK | {"learning_rate": 1e-12, "head_learning_rate": 0.1}
    result = train_trial(str(model_dir), dataset_dir, "binary_classification", given, AUC, tmp_path)

    before, after = load_file(model_dir / "model.safetensors"), load_file(result.checkpoint / "model.safetensors")

    name = "bert.encoder.layer.0.output.dense.weight"
    torch.testing.assert_close(after[name], before[name], atol=1e-6, rtol=0)
    assert float(after["classifier.weight"].abs().max()) > 0.05
