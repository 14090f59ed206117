"""The models that the field uses, in small: each is checked, swept, trained, saved and read back with its numbers."""

import inspect
import json
import subprocess
import sys
from importlib.util import find_spec

import datasets
import numpy as np
import pytest
import torch
from bertnado_config import parse_sweep_config
from bertnado_metrics import Objective, compute_metrics
from bertnado_train import HuggingFaceTrainer, load_model, train_model
from bertnado_train.simulated import simulate_sequences
from bertnado_train.trial import SilentReport
from safetensors.torch import load_file
from support.dna_models import STAND_INS
from support.dna_models.dnabert2 import write_dnabert2
from support.dna_models.long_convolutions import write_caduceus
from support.dna_models.transformers_4 import build, transformers_4
from transformers import AutoModelForSequenceClassification, AutoTokenizer

pytestmark = pytest.mark.models

AUC = Objective("eval/roc_auc", "maximize")
SPLITS = {"train": 32, "validation": 16, "test": 16}
STEPS = {"max_steps": 4, "eval_steps": 2, "per_device_train_batch_size": 8}
RATES = (1e-3, 1e-2)
SWEEP = parse_sweep_config(
    {
        "method": "grid",
        "parameters": {name: {"value": value} for name, value in STEPS.items()}
        | {"learning_rate": {"values": list(RATES)}},
    }
)
WITH_CODE = [name for name, stand_in in STAND_INS.items() if stand_in.needs_trust]
WITH_CLASSIFIER = [name for name, stand_in in STAND_INS.items() if stand_in.classifier]
ORDINARY = {"dnabert2": {"attention_probs_dropout_prob": 1e-6}}
"""What of a configuration is changed so that the code runs on a CPU."""
READ_PLAINLY = """
import json, sys
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

for directory in sys.argv[2:]:
    model = AutoModelForSequenceClassification.from_pretrained(directory, trust_remote_code=True).eval()
    tokenizer = AutoTokenizer.from_pretrained(directory, trust_remote_code=True)
    with torch.no_grad():
        print("logit", model(tokenizer(sys.argv[1], return_tensors="pt")["input_ids"]).logits.item())
"""


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """The directory of each stand-in, written once."""
    written = {}

    def find(name):
        if name not in written:
            written[name] = tmp_path_factory.mktemp(name)
            STAND_INS[name].write(written[name])
        return written[name]

    return find


@pytest.fixture(scope="session")
def simulated():
    """Simulated DNA by split: (sequences, labels)."""
    rng = np.random.default_rng(0)
    return {name: simulate_sequences(rows, rng) for name, rows in SPLITS.items()}


@pytest.fixture(scope="session")
def make_trainer(models, simulated, tmp_path_factory):
    """Make a trainer of a stand-in."""

    def make(name, model=None, **inputs):
        stand_in, dataset = STAND_INS[name], tmp_path_factory.mktemp("data") / "dataset"
        splits = datasets.DatasetDict()
        for split, (texts, labels) in simulated.items():
            rows = [stand_in.row(text) for text in texts]
            splits[split] = datasets.Dataset.from_dict({"sequence": rows, "labels": labels.tolist()})
        splits.save_to_disk(str(dataset))
        known = {"trust_remote_code": stand_in.needs_trust, **stand_in.inputs}
        return HuggingFaceTrainer(model_name=str(model or models(name)), dataset=dataset, **(known | inputs))

    return make


@pytest.fixture(scope="session")
def final_of(make_trainer, tmp_path_factory):
    """The final model of a stand-in, trained once."""
    trained = {}

    def train(name):
        if name not in trained:
            directory = tmp_path_factory.mktemp(f"final-{name}")
            trained[name] = train_model(make_trainer(name), STEPS | {"learning_rate": 1e-2}, AUC, directory)
        return trained[name]

    return train


@pytest.fixture
def recompute(simulated):
    """Recompute the validation metrics of a model row by row, so that nothing is padded."""

    def metrics(name, model, tokenizer_directory):
        stand_in = STAND_INS[name]
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_directory, trust_remote_code=stand_in.needs_trust)
        texts, labels = simulated["validation"]
        taken = inspect.signature(model.forward).parameters
        rows = [tokenizer(stand_in.row(text), return_tensors="pt") for text in texts]
        with torch.no_grad():
            logits = [model.eval()(**{key: row[key] for key in row if key in taken}).logits.float() for row in rows]
        return compute_metrics("binary_classification", torch.cat(logits).numpy(), labels)

    return metrics


def problems_of(trainer, severity="error"):
    return [str(problem) for problem in trainer.check(SWEEP, AUC) if problem.severity == severity]


LIKE_OTHERS = ("agro_nt", "gena_bert", "generator", "nt_v1", "mistral_dna")
"""Stand-ins whose architecture another one has nearly as well."""


def marked(names):
    """Return names as parameters; those that are like others run with the slow tests."""
    return [pytest.param(name, marks=[pytest.mark.slow] if name in LIKE_OTHERS else []) for name in names]


@pytest.mark.parametrize("name", marked(STAND_INS))
def test_check_finds_nothing_wrong_and_two_trials_train(name, make_trainer, tmp_path):
    trainer = make_trainer(name)
    assert problems_of(trainer) == []
    session = trainer.open()
    for number, rate in enumerate(RATES):
        directory = tmp_path / str(number)
        directory.mkdir()
        result = session.run(STEPS | {"learning_rate": rate}, SilentReport(directory, AUC))
        assert result.value is not None


@pytest.mark.parametrize("name", marked(STAND_INS))
def test_the_final_model_is_read_back_and_gives_the_reported_numbers(name, final_of, recompute):
    final = final_of(name)
    model = load_model(final.model_path, trust_remote_code=STAND_INS[name].needs_trust)
    reported = json.loads(final.metrics_path.read_text())["validation"]
    assert recompute(name, model, final.model_path) == pytest.approx(reported, abs=1e-4)


@pytest.mark.parametrize("name", marked(STAND_INS))
def test_plain_transformers_reads_the_final_model_with_the_reported_numbers(name, final_of, recompute):
    path, trust = final_of(name).model_path, STAND_INS[name].needs_trust
    model = AutoModelForSequenceClassification.from_pretrained(path, trust_remote_code=trust)
    assert recompute(name, model, path) == pytest.approx(final_of(name).metrics["validation"], abs=1e-4)


def test_plain_transformers_reads_final_models_with_code_in_a_process_that_bertnado_has_not_touched(final_of):
    text = "ACGTTGCAACGT" * 8
    paths = [str(final_of(name).model_path) for name in WITH_CODE]
    done = subprocess.run([sys.executable, "-c", READ_PLAINLY, text, *paths], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    found = [float(line.removeprefix("logit ")) for line in done.stdout.splitlines() if line.startswith("logit ")]
    expected = []
    for path in paths:
        ids = AutoTokenizer.from_pretrained(path, trust_remote_code=True)(text, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            expected.append(load_model(path, trust_remote_code=True).eval()(input_ids=ids).logits.item())
    assert found == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", marked(WITH_CLASSIFIER))
def test_the_numbers_are_those_of_the_code_built_the_ordinary_way_with_the_saved_weights(
    name, models, final_of, recompute
):
    final = final_of(name)
    with transformers_4():
        model = build(models(name), STAND_INS[name].classifier, num_labels=1, **ORDINARY.get(name, {}))
        fill(model, load_file(final.model_path / "model.safetensors"))
        numbers = recompute(name, model, models(name))
    assert numbers == pytest.approx(final.metrics["validation"], abs=1e-4)


def fill(model, weights):
    """Load weights; a name may be missing only if it is another one for a tensor that is there."""
    missing, unexpected = model.load_state_dict(weights, strict=False)
    stored = {value.data_ptr() for name, value in model.state_dict().items() if name in weights}
    assert [name for name in missing if model.state_dict()[name].data_ptr() not in stored] == unexpected == []


@pytest.mark.parametrize(
    ("name", "write", "package", "distribution"),
    [("dnabert2", write_dnabert2, "einops", "einops"), ("caduceus", write_caduceus, "mamba_ssm", "mamba-ssm")],
)
def test_a_package_that_the_code_imports_is_named_with_the_command_that_installs_it(
    name, write, package, distribution, make_trainer, tmp_path
):
    if find_spec(package):
        pytest.skip(f"{package} is installed")
    write(tmp_path, imports=package)
    (error,) = problems_of(make_trainer(name, tmp_path))
    assert f"install {distribution}" in error


def test_code_without_a_classifier_says_which_head_there_is(make_trainer):
    (error,) = problems_of(make_trainer("nt_v3", head="auto"))
    assert "pooled" in error


@pytest.mark.skipif(find_spec("triton") is None, reason="without Triton, the code does not take its kernel")
def test_a_kernel_of_an_old_triton_is_switched_off_and_said(make_trainer):
    (warning,) = [text for text in problems_of(make_trainer("dnabert2"), "warning") if "Triton" in text]
    assert "attention_probs_dropout_prob" in warning
