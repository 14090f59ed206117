"""Models that come with Python code are built as that code builds them, with what is stored in them."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
from bertnado_config import InvalidInputError
from bertnado_metrics import Objective, get_task
from bertnado_train import TrainingInputs
from bertnado_train.pretrained import load_config
from bertnado_train.stored_model import read_model
from bertnado_train.training_setup import open_training_setup
from bertnado_train.trial import CHECKPOINT, SilentReport, run_trial
from safetensors.torch import load_file, save_file
from support.custom_models import CLASSIFIER, HEAD, write_model

AUC = Objective("eval/roc_auc", "maximize")
BINARY = get_task("binary_classification")
ROW = torch.tensor([[2, 5, 6, 7, 8, 5, 3]])

TENSOR_MADE_IN_INIT = CLASSIFIER.replace(
    "        self.post_init()",
    "        self.slopes = -torch.arange(64).float() * float(torch.tensor([0.25]).sum())\n        self.post_init()",
).replace("self.score(", "self.slopes.sum() + self.score(")

BUFFER_THAT_IS_NOT_STORED = CLASSIFIER.replace(
    "        self.post_init()",
    "        self.register_buffer('table', torch.linspace(0.5, 1.5, config.width), persistent=False)\n"
    "        self.post_init()",
).replace("masked_mean(hidden, attention_mask)", "masked_mean(hidden * self.table, attention_mask)")

OLD_INITIALISATION = CLASSIFIER.replace(
    "    def forward",
    "    def _init_weights(self, module):\n"
    "        for name, parameter in module.named_parameters():\n"
    "            parameter.data.normal_(0, 5)\n"
    "    def forward",
)

NEITHER_POST_INIT_NOR_TIED_NAMES = CLASSIFIER.replace("        self.post_init()\n", "").replace(
    '    base_model_prefix = "small"\n',
    '    base_model_prefix = "small"\n    _tied_weights_keys = ["small.decoder.weight"]\n',
)

TIES_WITHOUT_ARGUMENTS = CLASSIFIER.replace(
    "    def forward", "    def tie_weights(self):\n        pass\n    def forward"
)

NAMES_OF_TRANSFORMERS_4 = CLASSIFIER.replace(
    "import torch, torch.nn as nn\n",
    "import torch, torch.nn as nn\n"
    "from transformers.pytorch_utils import find_pruneable_heads_and_indices\n"
    "from transformers.modeling_utils import apply_chunking_to_forward, prune_linear_layer\n",
).replace(
    "        hidden = ",
    "        shape = input_ids.shape\n"
    "        assert not self.config.is_decoder\n"
    "        added = self.get_extended_attention_mask(attention_mask, shape)\n"
    "        assert (added == 0).sum() == attention_mask.sum() and added.shape == (shape[0], 1, 1, shape[1])\n"
    "        assert self.get_head_mask(None, 2) == [None, None]\n"
    "        hidden = ",
)

ONE_WEIGHT_UNDER_TWO_NAMES = CLASSIFIER.replace(
    "        self.score =",
    "        self.small['reverse'] = nn.Linear(config.width, config.width)\n"
    "        self.small['reverse'].weight = self.small['mix'].weight\n"
    "        self.score =",
).replace('self.small["mix"](', 'self.small["reverse"](')

CONFIG_WITH_ITS_OWN_NUMBER_OF_LABELS = CLASSIFIER.replace(
    "vocab_size=10, **rest", "vocab_size=10, num_labels=2, **rest"
).replace(
    "        super().__init__(**rest)\n", "        super().__init__(**rest)\n        self.num_labels = num_labels\n"
)

PLAIN_DICT = CLASSIFIER.replace("SequenceClassifierOutput(logits=", "dict(logits=")

KINDS = {
    "tensor made in __init__": TENSOR_MADE_IN_INIT,
    "buffer that is not stored": BUFFER_THAT_IS_NOT_STORED,
    "old _init_weights": OLD_INITIALISATION,
    "no post_init": NEITHER_POST_INIT_NOR_TIED_NAMES,
    "tie_weights without arguments": TIES_WITHOUT_ARGUMENTS,
    "names of transformers 4": NAMES_OF_TRANSFORMERS_4,
    "one weight under two names": ONE_WEIGHT_UNDER_TWO_NAMES,
    "config with its own number of labels": CONFIG_WITH_ITS_OWN_NUMBER_OF_LABELS,
    "plain dict": PLAIN_DICT,
}


def read(directory, **options):
    config = load_config(str(directory), trust_remote_code=True)
    return read_model(str(directory), config, BINARY, 1, label2id=None, trust_remote_code=True, **options)


def refusal(directory, **options):
    with pytest.raises(InvalidInputError) as caught:
        read(directory, **options)
    (problem,) = caught.value.problems
    return problem.message


@pytest.fixture(params=KINDS)
def written(request, tmp_path):
    """A model of each kind, and how its own code builds it."""
    return tmp_path / "model", write_model(tmp_path / "model", KINDS[request.param])


class TestWhatIsRead:
    def test_every_stored_tensor_is_what_was_stored(self, written):
        directory, _ = written
        copy = read(directory).copy(0).state_dict()
        for name, stored in load_file(directory / "model.safetensors").items():
            if not name.startswith("score"):
                assert torch.equal(copy[name], stored), name

    def test_every_other_tensor_is_as_the_code_makes_it(self, written):
        directory, built = written
        copy = read(directory).copy(0)
        for name, buffer in built.named_buffers():
            assert torch.equal(copy.get_buffer(name), buffer), name
        for name, value in vars(built).items():
            if isinstance(value, torch.Tensor):
                assert torch.equal(getattr(copy, name), value), name

    def test_the_head_is_drawn_from_the_seed_and_nothing_else_is(self, written):
        model = read(written[0])
        first, again, other = (model.copy(seed).state_dict() for seed in (0, 0, 1))
        assert all(torch.equal(first[name], again[name]) for name in first)
        assert {name for name in first if not torch.equal(first[name], other[name])} <= {"score.weight", "score.bias"}
        assert not torch.equal(first["score.weight"], other["score.weight"])

    def test_nothing_is_reported_as_new(self, written):
        assert read(written[0]).notes == ()

    def test_a_weight_under_two_names_stays_one(self, tmp_path):
        write_model(tmp_path / "model", ONE_WEIGHT_UNDER_TWO_NAMES)
        copy = read(tmp_path / "model").copy(0)
        assert copy.small["mix"].weight is copy.small["reverse"].weight

    def test_a_classifier_that_auto_map_does_not_name_is_found_beside_the_model(self, tmp_path):
        directory = tmp_path / "model"
        code = CLASSIFIER + "\nclass SmallModel(PreTrainedModel):\n    config_class = SmallConfig\n"
        write_model(directory, code)
        config = json.loads((directory / "config.json").read_text())
        del config["auto_map"]["AutoModelForSequenceClassification"]
        config["auto_map"]["AutoModel"] = "modeling_small.SmallModel"
        (directory / "config.json").write_text(json.dumps(config))
        assert read(directory).kind.__name__ == "SmallForSequenceClassification"


PLAIN = """
import json, sys, torch
from transformers import AutoModelForSequenceClassification
row = torch.tensor(json.loads(sys.argv[1]))
for directory in sys.argv[2:]:
    model = AutoModelForSequenceClassification.from_pretrained(directory, trust_remote_code=True).eval()
    with torch.no_grad():
        print(json.dumps(model(input_ids=row, attention_mask=torch.ones_like(row))["logits"].tolist()))
"""


def test_plain_transformers_reads_what_is_saved(tmp_path, dataset_dir):
    logits, saved = [], []
    for kind, code in KINDS.items():
        directory = tmp_path / kind.replace(" ", "_")
        write_model(directory / "model", code)
        inputs = TrainingInputs(model_name=str(directory / "model"), dataset=dataset_dir, trust_remote_code=True)
        setup = open_training_setup(inputs)
        report = SilentReport(directory, AUC)
        parameters = {"max_steps": 2, "learning_rate": 1e-2}
        _, trainer = run_trial(setup, parameters, report, directory / CHECKPOINT)
        model = trainer.model.cpu().eval()
        with torch.no_grad():
            logits.append(model(input_ids=ROW, attention_mask=torch.ones_like(ROW))["logits"])
        saved.append(str(directory / CHECKPOINT))
    command = [sys.executable, "-c", PLAIN, json.dumps(ROW.tolist()), *saved]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    for mine, theirs in zip(logits, done.stdout.splitlines(), strict=True):
        torch.testing.assert_close(torch.tensor(json.loads(theirs)), mine)


class TestWhatIsNotStored:
    def test_a_share_from_a_tenth_on_is_an_error_that_names_it(self, tmp_path):
        write_model(tmp_path / "model", drop=["mix"])
        message = refusal(tmp_path / "model")
        assert "76.7% of its parameters are new, with random values: small.mix.weight, small.mix.bias" in message
        assert "{allow_new_weights}" in message

    def test_it_can_be_allowed(self, tmp_path):
        write_model(tmp_path / "model", drop=["mix"])
        assert read(tmp_path / "model", allow_new_weights=True).notes[0].endswith("small.mix.weight, small.mix.bias")

    @pytest.mark.parametrize("kind", ["native", "custom"])
    def test_a_model_without_stored_weights_can_be_trained_from_scratch(self, kind, tmp_path, model_dir):
        directory = tmp_path / "model"
        if kind == "native":
            shutil.copytree(model_dir, directory)
        else:
            write_model(directory)
        (directory / "model.safetensors").unlink()
        assert "model.safetensors" in refusal(directory)
        model = read(directory, allow_new_weights=True)
        assert "of its parameters are new, with random values" in model.notes[0]
        one, other = model.copy(0).state_dict(), model.copy(1).state_dict()
        assert any(not torch.equal(one[name], other[name]) for name in one if "embedding" in name)

    def test_a_small_share_is_reported(self, tmp_path):
        write_model(tmp_path / "model", drop=["mix.bias"])
        assert read(tmp_path / "model").notes == ("2.3% of its parameters are new, with random values: small.mix.bias",)

    def test_weights_under_other_names_are_an_error_where_the_code_names_no_base(self, tmp_path):
        code = CLASSIFIER.replace('    base_model_prefix = "small"\n', "")
        write_model(tmp_path / "model", code, rename=lambda name: name.replace("small.", "backbone."))
        assert "100.0% of its parameters are new" in refusal(tmp_path / "model")

    def test_what_is_left_over_is_reported(self, tmp_path):
        write_model(tmp_path / "model")
        file = tmp_path / "model" / "model.safetensors"
        stored = load_file(file)
        save_file({**stored, "small.second.weight": torch.ones(4)}, file, metadata={"format": "pt"})
        assert read(tmp_path / "model").notes == (
            "0.3% of the stored parameters are left over, unused: small.second.weight",
        )

    def test_a_weight_that_the_code_replaces_after_loading_is_reported(self, tmp_path):
        code = CLASSIFIER.replace(
            "    def forward",
            "    def tie_weights(self, *args, **rest):\n"
            "        if not self.small['mix'].weight.is_meta:\n"
            "            self.small['mix'].weight.data.zero_()\n"
            "    def forward",
        )
        write_model(tmp_path / "model")
        (tmp_path / "model" / "modeling_small.py").write_text(code)
        message = refusal(tmp_path / "model")
        assert "of the stored parameters have other values in it: small.mix.weight" in message


class TestCodeThatDoesNotRun:
    def test_a_package_that_is_missing_is_named_with_the_command_that_installs_it(self, tmp_path):
        write_model(tmp_path / "model")
        file = tmp_path / "model" / "modeling_small.py"
        file.write_text("import mamba_ssm_of_nobody\n" + file.read_text())
        message = refusal(tmp_path / "model")
        assert "its code imports mamba_ssm_of_nobody, which is not installed" in message
        assert "`pip install mamba_ssm_of_nobody`" in message

    @pytest.mark.parametrize(
        ("line", "named"),
        [
            (
                "from transformers.utils import LossKwargs",
                "LossKwargs from transformers.utils",
            ),
            ("from transformers.onnx import OnnxConfig", "the module transformers.onnx"),
        ],
    )
    def test_what_only_transformers_4_has_is_named(self, tmp_path, line, named):
        write_model(tmp_path / "model")
        file = tmp_path / "model" / "modeling_small.py"
        file.write_text(f"{line}\n{file.read_text()}")
        message = refusal(tmp_path / "model")
        assert f"its code is made for transformers 4.x: it imports {named}" in message

    def test_an_attribute_that_the_configuration_lacks_is_named(self, tmp_path):
        write_model(tmp_path / "model")
        file = tmp_path / "model" / "modeling_small.py"
        file.write_text(file.read_text().replace("self.score =", "config.depth\n        self.score ="))
        assert "add 'depth' to its config.json" in refusal(tmp_path / "model")

    def test_code_without_a_classifier_is_refused(self, tmp_path):
        write_model(tmp_path / "model")
        directory = tmp_path / "model"
        (directory / "modeling_small.py").write_text(
            HEAD + "\nclass SmallModel(PreTrainedModel):\n    config_class = SmallConfig\n"
        )
        config = json.loads((directory / "config.json").read_text())
        del config["auto_map"]["AutoModelForSequenceClassification"]
        config["auto_map"]["AutoModel"] = "modeling_small.SmallModel"
        (directory / "config.json").write_text(json.dumps(config))
        assert "no sequence classifier" in refusal(directory)
