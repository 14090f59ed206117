"""What people get wrong, as data: `test_mistakes.py` makes every mistake, `record_mistakes.py` writes all of them down.

A mistake is made in a scene, a directory of its own with `dataset`, `model`, `sweep.json`, `done`, a finished sweep,
and `final`, its final model.
"""

import json
import os
import re
import shlex
import shutil
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

import datasets
import torch
from bertnado import cli
from click.testing import CliRunner
from support.material import SWEEP, write_material
from transformers.utils import logging

DOCUMENT = Path(__file__).parents[2] / "docs" / "mistakes.md"

PROGRAMS = {"bertnado": cli.main, "bertnado-sweep": cli.run_sweep, "bertnado-train": cli.full_train}
RUN = "--model-name model --dataset dataset"
SEARCH = f"--config-path sweep.json --output-dir out {RUN}"
TRAIN = f"--best-config-path done/best_sweep_config.json --output-dir out {RUN}"

_TRIAL = re.compile(r"sweep_\d{4}(-\d\d){2}_\d\d(-\d\d){2}(_\d+)?")
_PROGRESS = re.compile(r"^(\d{4}(-\d\d){2} \d\d(:\d\d){2}|Loading) .*\.\.\.\n", re.MULTILINE)
"""Lines that tell what a command is doing before anything is started."""
_ID = re.compile(r"(?<= beside it to )[a-z0-9]{8}(?=;)")

Preparation = Callable[[Path], None]


def nothing(scene: Path) -> None:
    """Leave the scene as it is."""


@dataclass(frozen=True)
class Mistake:
    """One thing that a person gets wrong."""

    group: str
    done: str
    """What the person did, in a few words of Markdown."""
    command: str
    """What they typed in the scene."""
    prepare: Preparation = nothing
    """What else they did there beforehand."""
    code: int = 2
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Answer:
    """What a person gets to see."""

    message: str
    """What follows `Error: `."""
    code: int
    before: str
    """What is shown above it."""
    crash: BaseException | None
    """What nobody caught."""


# How a mistake is made


def set_up(shared: Path) -> None:
    """Write what all scenes share."""
    write_material(shared)
    answer = run(f"bertnado run-sweep {SEARCH} --output-dir done --sweep-count 1", shared)
    assert answer.code == 0, answer
    answer = run(
        "bertnado full-train --best-config-path done/best_sweep_config.json --output-dir final --from-sweep", shared
    )
    assert answer.code == 0, answer


def make(mistake: Mistake, scene: Path, shared: Path) -> Answer:
    """Lay out the scene, make the mistake, and say what came of it."""
    for name in ("dataset", "model", "final"):
        (scene / name).symlink_to(shared / name)
    shutil.copy(shared / "sweep.json", scene)
    shutil.copytree(shared / "done", scene / "done")
    mistake.prepare(scene)
    return run(mistake.command, scene, mistake.environment)


def run(command: str, scene: Path, environment: Mapping[str, str] | None = None) -> Answer:
    """Run a command in this process, as if it were typed in the scene by somebody without an account at W&B."""
    program, *words = shlex.split(command)
    with chdir(scene), _surroundings(scene / ".cache", environment or {}):
        done = CliRunner().invoke(PROGRAMS[program], words, prog_name=program)
    shown = _TRIAL.sub("sweep_YYYY-MM-DD_hh-mm-ss", done.output.replace(f"{scene.resolve()}/", ""))
    shown = _ID.sub("a1b2c3d4", shown)
    shown = _PROGRESS.sub("", shown)
    before, *messages = re.split("^Error: ", shown, maxsplit=1, flags=re.MULTILINE)
    crash = None if isinstance(done.exception, SystemExit) else done.exception
    return Answer("".join(messages).rstrip("\n"), done.exit_code, before, crash)


@contextmanager
def _surroundings(cache: Path, more: Mapping[str, str]) -> Generator[None]:
    """Nothing of the home directory, no account, and libraries as quiet as the command asks them to be."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("WANDB_", "HF_DATASETS_CACHE", "BERTNADO_CACHE"))
    }
    own = dict.fromkeys(("HF_DATASETS_CACHE", "WANDB_CACHE_DIR", "WANDB_CONFIG_DIR", "WANDB_DATA_DIR"), str(cache))
    own |= {"NETRC": str(cache / "netrc"), "WANDB_BASE_URL": "https://api.wandb.ai", "WANDB_ERROR_REPORTING": "false"}
    verbosity, bars = logging.get_verbosity(), datasets.are_progress_bars_disabled()
    logging.set_verbosity_error()
    datasets.disable_progress_bars()
    try:
        with (
            patch.dict(os.environ, {**kept, **own, **more}, clear=True),
            patch("datasets.config.HF_DATASETS_CACHE", cache),
        ):
            yield
    finally:
        logging.set_verbosity(verbosity)
        if not bars:
            datasets.enable_progress_bars()


# How they are written down

INTRODUCTION = """\
# Mistakes and messages

Exit code 2: the call, a file, the dataset or the model is wrong, and nothing was started. Exit code 1: a sweep or a
training run was started and failed. The message is what follows `Error: `.

These tables are made from the tests, which make every mistake in turn
(`uv run python tests/bertnado/record_mistakes.py`). `dataset`, `model` and `sweep.json` are good ones, `done` holds a
finished sweep, `final` its final model.
"""


def document(answers: Sequence[tuple[Mistake, Answer]]) -> str:
    """Write `docs/mistakes.md`: a table for each group."""
    parts = [INTRODUCTION]
    for group in dict.fromkeys(mistake.group for mistake, _ in answers):
        table = [row(mistake, answer) for mistake, answer in answers if mistake.group == group]
        parts.append(
            "\n".join([f"## {group}\n", "| what was done | message | exit code |", "|---|---|---|", *table, ""])
        )
    return "\n".join(parts)


def row(mistake: Mistake, answer: Answer) -> str:
    """Write one row of a table."""
    message = "<br>".join(_code(line.strip()) for line in answer.message.splitlines())
    return f"| {_in_table(mistake.done)} | {_in_table(message)} | {answer.code} |"


def _code(text: str) -> str:
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _in_table(text: str) -> str:
    return text.replace("|", "\\|")


# What is prepared


def text(name: str, content: str | bytes) -> Preparation:
    """Write a file."""

    def prepare(scene: Path) -> None:
        (scene / name).parent.mkdir(parents=True, exist_ok=True)
        (scene / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    return prepare


def directory(name: str) -> Preparation:
    """Make an empty directory."""
    return lambda scene: (scene / name).mkdir()


def without(name: str) -> Preparation:
    """Remove a file or a directory."""

    def prepare(scene: Path) -> None:
        found = scene / name
        if found.is_dir():
            shutil.rmtree(found)
        else:
            found.unlink()

    return prepare


def linked(name: str, target: str) -> Preparation:
    """Make a link, in the place of what is there."""

    def prepare(scene: Path) -> None:
        (scene / name).unlink(missing_ok=True)
        (scene / name).symlink_to(target)

    return prepare


def pipe(name: str) -> Preparation:
    """Make a named pipe, in the place of what is there."""

    def prepare(scene: Path) -> None:
        (scene / name).unlink(missing_ok=True)
        os.mkfifo(scene / name)

    return prepare


def configured(**changes: Any) -> Preparation:
    """Change keys of the model's `config.json`."""

    def prepare(scene: Path) -> None:
        content = json.loads((scene / "model/config.json").read_text()) | changes
        (scene / "model/config.json").write_text(json.dumps(content))

    return own("model", prepare)


def with_code(scene: Path) -> None:
    """Let the final model have code of its own."""
    config = scene / "final/model/config.json"
    files = {"AutoConfig": "code.Config", "AutoModelForSequenceClassification": "code.Model"}
    code = {"auto_map": files, "model_type": "mine"}
    config.write_text(json.dumps(json.loads(config.read_text()) | code))


def pickled(scene: Path) -> None:
    """Store weights as code that runs when it is read."""
    (scene / "model/model.safetensors").unlink()
    torch.save({"weight": Code()}, scene / "model/pytorch_model.bin")


class Code:
    """A pickle of this makes a directory when it is read."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[str]]:
        return os.mkdir, ("ran",)


def replaced(name: str, before: str, after: str) -> Preparation:
    """Change a part of a file."""

    def prepare(scene: Path) -> None:
        old = (scene / name).read_text()
        assert before in old
        (scene / name).write_text(old.replace(before, after))

    return prepare


def both(*changes: Preparation) -> Preparation:
    """Make several changes."""

    def prepare(scene: Path) -> None:
        for change in changes:
            change(scene)

    return prepare


def login_node(scene: Path) -> None:
    """Put an sbatch into `bin`, which is found and never run."""
    (scene / "bin").mkdir()
    (scene / "bin" / "sbatch").touch(mode=0o755)


def cut_off(scene: Path) -> None:
    """Leave half of the record of a sweep, and nothing to make it anew from."""
    (scene / "done" / "sweep.json").write_text('{"sweep_id": ')
    (scene / "done" / "journal.log").unlink()


def without_trials(scene: Path) -> None:
    """Remove all that a sweep has of its trials."""
    shutil.rmtree(next((scene / "done").glob("sweep_*")))
    (scene / "done" / "journal.log").unlink()


def changed_id(name: str) -> Preparation:
    """Give the record of a sweep the id of another."""

    def prepare(scene: Path) -> None:
        record = json.loads((scene / name).read_text())
        (scene / name).write_text(json.dumps(record | {"sweep_id": "another1"}))

    return prepare


def detailed(**changes: Any) -> Preparation:
    """Change the record of the best trial."""

    def prepare(scene: Path) -> None:
        file = scene / "done" / "best_sweep_details.json"
        file.write_text(json.dumps(json.loads(file.read_text()) | changes))

    return prepare


def recorded(**inputs: str) -> Preparation:
    """Change the inputs that the finished sweep was run with."""

    def prepare(scene: Path) -> None:
        record = json.loads((scene / "done" / "sweep.json").read_text())
        changed = record | {"application": record["application"] | inputs}
        (scene / "done" / "sweep.json").write_text(json.dumps(changed))

    return prepare


def own(name: str, *changes: Preparation) -> Preparation:
    """Put a copy in the place of a directory that the scenes share, and change that."""

    def prepare(scene: Path) -> None:
        shared = (scene / name).resolve()
        (scene / name).unlink()
        shutil.copytree(shared, scene / name)
        for change in changes:
            change(scene)

    return prepare


def sweep(**changes: Any) -> Preparation:
    """Change keys of the sweep file; `None` takes one out."""
    changed = {name: value for name, value in (SWEEP | changes).items() if value is not None}
    return text("sweep.json", json.dumps(changed))


def parameters(**changes: Any) -> Preparation:
    """Declare parameters in the sweep file, and leave its others."""
    return sweep(parameters=SWEEP["parameters"] | changes)


def best(**content: Any) -> Preparation:
    """Write a best configuration by hand."""
    return text("best.json", json.dumps(content))


def rows(**columns: Any) -> dict[str, Any]:
    """Make 8 rows of both classes; `None` takes a column out."""
    made = {"sequence": ["ACGTACGTAC", "TTGACCATGA"] * 4, "labels": [0, 1] * 4} | columns
    return {name: column for name, column in made.items() if column is not None}


def tokens(**columns: Any) -> dict[str, Any]:
    """Make 8 rows of token ids."""
    return rows(**{"sequence": None, "input_ids": [[2, 9, 8, 3]] * 8, "attention_mask": [[1] * 4] * 8} | columns)


def splits(files: Mapping[str, str] | None = None, **changes: Any) -> Preparation:
    """Put a dataset in the place of the shared one; `None` leaves a split out."""
    columns = {"train": rows(), "validation": rows()} | changes

    def prepare(scene: Path) -> None:
        (scene / "dataset").unlink()
        made = {name: datasets.Dataset.from_dict(split) for name, split in columns.items() if split is not None}
        datasets.DatasetDict(made).save_to_disk(str(scene / "dataset"))
        for name, content in (files or {}).items():
            (scene / "dataset" / name).write_text(content)

    return prepare


# The mistakes

CALL, FILE, SPACE, FLAG = "The call", "The sweep file", "Parameters of the sweep file", "Values of flags"
DATA, MODEL, PLACE, RESUME = "The dataset", "The model", "The output directory", "Resuming and joining"
STATUS, SYNC, BEST, FINAL, QUICK = "sweep-status", "sync", "The best configuration", "full-train", "quickstart"
PREDICT = "predict"
INIT = "init"
BASE = "baselines"
CONFIRM = "confirm"
SUBMIT, CANCEL = "submit", "cancel"
REPORT = "report"
FAILED = "What was started and failed"


def searching(group: str, done: str, flags: str = "", prepare: Preparation = nothing, **more: Any) -> Mistake:
    return Mistake(group, done, f"bertnado run-sweep {SEARCH} {flags}".strip(), prepare, **more)


def checking(group: str, done: str, flags: str = "", prepare: Preparation = nothing, **more: Any) -> Mistake:
    return Mistake(group, done, f"bertnado check {SEARCH} {flags}".strip(), prepare, **more)


def training(group: str, done: str, flags: str = "", prepare: Preparation = nothing, **more: Any) -> Mistake:
    return Mistake(group, done, f"bertnado full-train {TRAIN} {flags}".strip(), prepare, **more)


def predicting(done: str, flags: str = "", content: str = "", **more: Any) -> Mistake:
    """Predict `x.fa`, which has this content; later flags count."""
    command = f"bertnado predict --model final/model --input x.fa --output out.tsv {flags}"
    written = text("x.fa", content or f">a\n{'ACGT' * 20}\n")
    change = more.pop("prepare", nothing)
    return Mistake(PREDICT, done, command.strip(), both(written, change), **more)


def confirming(done: str, flags: str, prepare: Preparation = nothing) -> Mistake:
    return Mistake(CONFIRM, done, f"bertnado confirm --output-dir {flags}", prepare)


def submitting(done: str, flags: str, prepare: Preparation = nothing, **environment: str) -> Mistake:
    """Submit a sweep; later flags count."""
    return Mistake(SUBMIT, done, f"bertnado submit {SEARCH} {flags}", prepare, environment=environment)


def in_file(done: str, content: str) -> Mistake:
    return searching(FILE, done, prepare=text("sweep.json", content))


def yaml(done: str, content: str) -> Mistake:
    return searching(FILE, f"YAML: {done}", "--config-path sweep.yaml", text("sweep.yaml", content))


def declaring(done: str, **declared: Any) -> Mistake:
    return checking(SPACE, done, prepare=parameters(**declared))


def flagged(flags: str, done: str = "", prepare: Preparation = nothing, **more: Any) -> Mistake:
    return searching(FLAG, f"`{flags}`{done}", flags, prepare, **more)


def data(done: str, prepare: Preparation, task: str = "binary_classification", metric: str = "loss") -> Mistake:
    flags = "" if task == "binary_classification" else f"--task-type {task} --metric-name {metric}"
    return checking(DATA, done, flags, prepare)


def by_hand(done: str, **content: Any) -> Mistake:
    return training(BEST, done, "--best-config-path best.json", best(**content))


HOPELESS = {"learning_rate": {"value": 1e30}, "training_args": {"parameters": {"max_grad_norm": {"value": 0}}}}
NO_ANSWER = {"WANDB_API_KEY": "0" * 40, "WANDB_BASE_URL": "http://localhost:9"}
DEEP = "[" * 900 + "]" * 900
BOMB = "a0: &a0 [x, x]\n" + "".join(f"a{i}: &a{i} [*a{i - 1}, *a{i - 1}]\n" for i in range(1, 40))
CODE = {"model_type": "own", "auto_map": {"AutoConfig": "own.OwnConfig"}}
MULTI, MANY, MEASURED = "multiclass_classification", "multilabel_classification", "regression"

MISTAKES = (
    Mistake(CALL, "a command that does not exist, `bertnado sweep`", "bertnado sweep"),
    Mistake(CALL, "no `--output-dir`", f"bertnado run-sweep --config-path sweep.json {RUN}"),
    Mistake(CALL, "no `--dataset`", "bertnado check --config-path sweep.json --output-dir out --model-name model"),
    Mistake(CALL, "neither `--config-path` nor `--sweep-id`", f"bertnado-sweep --output-dir out {RUN}"),
    Mistake(CALL, "`bertnado-train` without `--best-config-path`", f"bertnado-train --output-dir out {RUN}"),
    searching(CALL, "a flag that does not exist, `--sweep-cuont 5`", "--sweep-cuont 5"),
    searching(CALL, "a second file, `more.json`, without a flag", "more.json"),
    checking(CALL, "`--seed` without a value", "--seed"),
    # the sweep file
    searching(FILE, "`--config-path swep.json`, for `sweep.json`", "--config-path swep.json"),
    searching(FILE, "a file in a directory that does not exist", "--config-path configs/sweep.json"),
    searching(FILE, "a directory, `configs`", "--config-path configs", text("configs/grid.yaml", "method: grid")),
    searching(FILE, "another kind of file, `sweep.txt`", "--config-path sweep.txt", text("sweep.txt", "{}")),
    in_file("an empty file", ""),
    searching(FILE, "a file that is not UTF-8", prepare=text("sweep.json", '{"name": "méthode"}'.encode("latin-1"))),
    in_file("JSON without a comma between two lines", '{\n  "method": "grid"\n  "parameters": {}\n}'),
    in_file("JSON with a comma too many", '{"method": "grid", "parameters": {"seed": {"values": [1, 2,]}}}'),
    in_file("a key twice", '{"method": "grid", "method": "random", "parameters": {"seed": {"value": 1}}}'),
    searching(
        FILE,
        "YAML with the wrong bracket, `[1, 2}`",
        "--config-path sweep.yaml",
        text("sweep.yaml", "method: grid\nparameters:\n  seed: {values: [1, 2}\n"),
    ),
    searching(
        FILE,
        "YAML with a tab",
        "--config-path sweep.yaml",
        text("sweep.yaml", "method: grid\nparameters:\n\tseed: 1\n"),
    ),
    in_file("a list, `[]`", "[]"),
    searching(FILE, "a named pipe", prepare=pipe("sweep.json")),
    searching(FILE, "a device, `/dev/zero`", prepare=linked("sweep.json", "/dev/zero")),
    in_file("2 MiB of JSON", '"' + "a" * 2**21 + '"'),
    in_file("JSON that is nested 900 deep", DEEP),
    in_file("half a surrogate pair in a name", '{"name": "\\ud800", "method": "grid", "parameters": {}}'),
    in_file("an integer of 5000 digits", '{"run_cap": ' + "1" * 5000 + "}"),
    in_file("`1e999`", '{"method": "grid", "parameters": {"weight_decay": {"value": 1e999}}}'),
    yaml("aliases that expand to billions", BOMB),
    yaml("an object that holds itself", "method: grid\nparameters: &all\n  seed: *all\n"),
    yaml("a tag of Python", "method: !!python/object/apply:os.system [ls]\n"),
    yaml("a list as a key", "method: grid\nparameters:\n  ? [a, b]\n  : {value: 1}\n"),
    yaml("comments alone", "# to be written\n"),
    searching(FILE, '`"project": "lab/dna"`', prepare=sweep(project="lab/dna")),
    searching(FILE, "a project of 129 letters", prepare=sweep(project="d" * 129)),
    searching(FILE, '`"entity": "my lab"`', prepare=sweep(entity="my lab")),
    searching(FILE, "`methd` for `method`", prepare=sweep(method=None, methd="random")),
    searching(FILE, '`"method": "bayesian"`', prepare=sweep(method="bayesian")),
    searching(FILE, "no `parameters`", prepare=sweep(parameters=None)),
    searching(FILE, "a parameter beside `parameters`", prepare=sweep(learning_rate={"value": 1e-4})),
    searching(FILE, '`"count": 20`', prepare=sweep(count=20)),
    searching(FILE, '`"run_cap": 0`', prepare=sweep(run_cap=0)),
    searching(FILE, '`"metric": "eval/roc_auc"`', prepare=sweep(metric="eval/roc_auc")),
    searching(FILE, "a metric with a typing error", prepare=sweep(metric={"name": "eval/accurracy"})),
    searching(FILE, "a metric of another task", prepare=sweep(metric={"name": "eval/r2"})),
    searching(FILE, '`"goal": "max"`', prepare=sweep(metric={"name": "eval/roc_auc", "goal": "max"})),
    searching(FILE, "a goal that is the wrong way", prepare=sweep(metric={"name": "eval/loss", "goal": "maximize"})),
    searching(FILE, "`early_terminate` by `median`", prepare=sweep(early_terminate={"type": "median", "min_iter": 3})),
    searching(FILE, "`early_terminate` with its type alone", prepare=sweep(early_terminate={"type": "hyperband"})),
    searching(
        FILE,
        "`early_terminate` with `eta` 1",
        prepare=sweep(early_terminate={"type": "hyperband", "min_iter": 1, "eta": 1}),
    ),
    searching(
        FILE,
        "`early_terminate` with `eta` 1.0000001",
        prepare=sweep(early_terminate={"type": "hyperband", "min_iter": 1, "eta": 1.0000001}),
    ),
    searching(
        FILE,
        "`early_terminate` with fewer iterations than a band has",
        prepare=sweep(early_terminate={"type": "hyperband", "max_iter": 2, "s": 2}),
    ),
    searching(FILE, "a grid over an interval", prepare=sweep(method="grid")),
    searching(
        FILE,
        "several mistakes at once",
        "--dataset datset",
        sweep(method="bayesian", run_cap=0, parameters={"lr": {"min": 1e-5, "max": 1e-3}}),
    ),
    # its parameters
    declaring("a number for a parameter, `3`", seed=3),
    declaring("`lr`", lr={"min": 1e-5, "max": 1e-3}),
    declaring("`weight_deacy`", weight_deacy={"value": 0.1}),
    declaring("a name that resembles none, `pooling`", pooling={"values": ["mean", "max"]}),
    declaring("a typing error in `training_args`", training_args={"parameters": {"max_grad_nrom": {"value": 1}}}),
    declaring("two names for one argument", epochs={"value": 1}, num_train_epochs={"value": 2}),
    declaring("`min` above `max`", weight_decay={"min": 0.2, "max": 0.1}),
    declaring("`min` the same as `max`", weight_decay={"min": 0.1, "max": 0.1}),
    declaring("`min` without `max`", weight_decay={"min": 0.1}),
    declaring("bounds that are words", weight_decay={"min": "low", "max": "high"}),
    declaring("0 on a log scale", learning_rate={"distribution": "log_uniform_values", "min": 0, "max": 1e-3}),
    declaring("a misspelt distribution", weight_decay={"distribution": "unifrom", "min": 0, "max": 0.1}),
    declaring("an empty list", weight_decay={"values": []}),
    declaring("probabilities of 1.1", weight_decay={"values": [0, 0.1], "probabilities": [0.5, 0.6]}),
    declaring("a learning rate that is a word", learning_rate={"values": ["small", "large"]}),
    declaring("the optimizer `AdamW`", optim={"values": ["AdamW", "sgd"]}),
    declaring("`optimizer`", optimizer={"value": "adamw_torch"}),
    declaring("`dropout`", dropout={"values": [0.1, 0.2]}),
    declaring("`max_length`", max_length={"values": [128, 256]}),
    declaring("`model_name`", model_name={"values": ["PoetschLab/GROVER", "zhihan1996/DNABERT-2-117M"]}),
    declaring("`patience`", patience={"value": 3}),
    declaring("a learning rate below 0", learning_rate={"values": [-1e-4, 1e-4]}),
    declaring("a batch of 0 rows", per_device_train_batch_size={"values": [0, 16]}),
    declaring("a batch of 16.5 rows", per_device_train_batch_size={"values": [16.5]}),
    declaring("no epochs", num_train_epochs={"value": 0}),
    declaring("no steps", max_steps={"value": 0}),
    declaring("`eval_steps` of 0", eval_steps={"value": 0}),
    declaring("`warmup_ratio` of 10", warmup_ratio={"value": 10}),
    declaring("`eval_strategy` of `never`", eval_strategy={"value": "never"}),
    declaring("a misspelt `train_sampling_strategy`", train_sampling_strategy={"value": "group_by_lenght"}),
    declaring("`bf16` that is neither true nor false", bf16={"value": "maybe"}),
    declaring("a seed below 0", seed={"values": [-1, 2]}),
    declaring("`deepspeed`", deepspeed={"value": "zero2.json"}),
    declaring("`push_to_hub`", push_to_hub={"value": True}),
    declaring("`hub_model_id`", hub_model_id={"value": "lab/dna"}),
    declaring("`hub_token`", hub_token={"value": "hf_abc"}),
    declaring("a token in the place of a parameter", hub_token="hf_abc"),
    declaring("a token in `training_args`", training_args={"value": {"push_to_hub_token": "hf_abc"}}),
    declaring("100,000 processes that load data", dataloader_num_workers={"values": [0, 100_000]}),
    declaring("`dataloader_prefetch_factor` of 5000", dataloader_prefetch_factor={"value": 5000}),
    declaring("`class_weight: balance`", class_weight={"values": ["none", "balance"]}),
    declaring("`pos_weight` of 0", pos_weight={"value": 0}),
    declaring("`pos_weight` and `class_weight`", pos_weight={"value": 3}, class_weight={"value": "balanced"}),
    checking(
        SPACE,
        f"`pos_weight` for `{MULTI}`",
        f"--task-type {MULTI} --metric-name loss",
        parameters(pos_weight={"value": 3}),
    ),
    declaring("`hidden_dropout_prob`", hidden_dropout_prob={"values": [0.1, 0.2]}),
    declaring("`model_config.dropout`", **{"model_config.dropout": {"values": [0.1, 0.2]}}),
    declaring("a typing error in `model_config`", model_config={"parameters": {"hiden_dropout_prob": {"value": 0.1}}}),
    declaring("a dropout of 1.5", **{"model_config.hidden_dropout_prob": {"value": 1.5}}),
    declaring("`model_config.num_hidden_layers`", **{"model_config.num_hidden_layers": {"values": [1, 2]}}),
    declaring("`model_config.num_labels`", **{"model_config.num_labels": {"value": 3}}),
    declaring("`layer_lr_decay` of 1.5", layer_lr_decay={"value": 1.5}),
    declaring("`head_learning_rate` of 0", head_learning_rate={"values": [0, 1e-3]}),
    declaring("`llrd`", llrd={"value": 0.9}),
    declaring("`classifier_lr`", classifier_lr={"value": 1e-3}),
    declaring(
        "`layer_lr_decay` with an optimizer that has one learning rate",
        layer_lr_decay={"value": 0.9},
        optim={"values": ["adamw_torch", "adalomo"]},
    ),
    declaring("`freeze: encoder`", freeze={"values": ["none", "encoder"]}),
    declaring("`freeze` of -1 layers", freeze={"values": [-1, 2]}),
    declaring("`freeze` of more layers than the model has", freeze={"values": ["none", 99]}),
    declaring("`freeze_layers`", freeze_layers={"value": 2}),
    declaring("`freeze` with `neftune_noise_alpha`", freeze={"value": "embeddings"}, neftune_noise_alpha={"value": 5}),
    declaring("`reverse_complement: both`", reverse_complement={"values": ["none", "both"]}),
    declaring("`rc_augmentation`", rc_augmentation={"value": True}),
    checking(
        SPACE,
        "`reverse_complement` with a dataset of token ids",
        prepare=both(
            parameters(reverse_complement={"values": ["none", "average"]}),
            splits(train=tokens(), validation=tokens()),
        ),
    ),
    declaring("`lora_alpha` without `lora_r`", lora_alpha={"value": 16}),
    declaring("`lora_r` below 0", lora_r={"values": [8, -1]}),
    declaring("`lora_rank`", lora_rank={"value": 8}),
    declaring("a module that the model does not have", lora_r={"value": 8}, lora_target_modules={"value": ["q_proj"]}),
    declaring("the head among the modules", lora_r={"value": 8}, lora_target_modules={"value": ["classifier"]}),
    declaring("`modules_to_save`", lora_r={"value": 8}, modules_to_save={"value": ["classifier"]}),
    declaring("`1e308` epochs", num_train_epochs={"value": 1e308}),
    checking(
        SPACE,
        "`accelerator_config` that is a named pipe",
        prepare=both(parameters(accelerator_config={"value": "pipe.json"}), pipe("pipe.json")),
    ),
    # values of flags
    flagged("--sweep-count 0"),
    flagged("--sweep-count many"),
    flagged("--seed -1"),
    flagged("--seed 4294967296"),
    flagged("--workers 0"),
    flagged("--trials-per-gpu 0"),
    flagged("--max-failures 0"),
    flagged("--confirm-top 0"),
    flagged("--confirm-top 3 --sweep-count 2"),
    flagged("--confirm-top 1 --confirm-seeds 1"),
    flagged("--confirm-top 1 --confirm-folds chromosome"),
    flagged("--time-limit soon"),
    flagged("--time-limit 0m"),
    flagged("--time-limit 99999999999999d"),
    flagged("--save-state-every sometimes"),
    flagged("--start-from nowhere/best_sweep_config.json"),
    flagged("--start-from preset"),
    flagged("--save-state-every 0"),
    flagged("--project-name lab/dna"),
    flagged("--project-name ''"),
    searching(FLAG, "`WANDB_PROJECT=lab/dna`", environment={"WANDB_PROJECT": "lab/dna"}),
    flagged("--storage postgresql:/u:tulip@host/dna"),
    flagged("--storage postgresql://u:tu@lip@host/dna"),
    flagged("--storage postgresql://u:tulip@host:port/dna"),
    flagged("--storage postgresql+tulip://u:tulip@host/dna"),
    flagged("--storage postgresql://u:tulip@localhost:9/dna", ", where no server is"),
    flagged("--study dna", " without `--storage`"),
    flagged("--keep-checkpoints last"),
    flagged("--task-type binary"),
    flagged("--metric-name roc"),
    flagged("--metric-goal maximum"),
    flagged("--precision fp8"),
    flagged("--label-scaling standardise"),
    flagged("--precision bf16", ", and `fp16` in the file", parameters(fp16={"value": False})),
    flagged("--backend wandbb"),
    flagged("--backend wandb", " without an account"),
    flagged("--backend wandb", " with `WANDB_MODE=offline`", environment={"WANDB_MODE": "offline"}),
    flagged("--backend wandb", " with `WANDB_DISABLED=true`", environment={"WANDB_DISABLED": "true"}),
    flagged("--backend wandb", " with a server that does not answer", environment=NO_ANSWER),
    flagged("--backend wandb --join-or-begin"),
    flagged("--sweep-id lab/dna/a1b2c3d4 --backend local"),
    flagged("--sweep-id lab/dna/a1b2c3d4", " without an account"),
    flagged("--model-name ''"),
    flagged("--dataset ''"),
    flagged("--dataset ' '"),
    Mistake(FLAG, "`--model-name` of 5000 letters", f"bertnado check {SEARCH} --model-name {'m' * 5000}"),
    Mistake(FLAG, "`--dataset` of 5000 letters", f"bertnado check {SEARCH} --dataset {'d' * 5000}"),
    # the dataset
    checking(DATA, "`--dataset datset`, for `dataset`", "--dataset datset"),
    checking(DATA, "a directory that does not exist", "--dataset peaks"),
    checking(DATA, "a table, `peaks.csv`", "--dataset peaks.csv", text("peaks.csv", "sequence,labels\nACGT,1\n")),
    checking(DATA, "an empty directory", "--dataset peaks", directory("peaks")),
    checking(DATA, "one split of a dataset", "--dataset dataset/train"),
    data("a file of it is missing", own("dataset", without("dataset/train/data-00000-of-00001.arrow"))),
    data("a file of it is a named pipe", own("dataset", pipe("dataset/train/data-00000-of-00001.arrow"))),
    checking(DATA, "a named pipe", "--dataset pipe", pipe("pipe")),
    data("`dataset_dict.json` that is a list", own("dataset", text("dataset/dataset_dict.json", "[]"))),
    data("`dataset_dict.json` that is empty", own("dataset", text("dataset/dataset_dict.json", ""))),
    data("`state.json` that is `{}`", own("dataset", text("dataset/train/state.json", "{}"))),
    data("`state.json` that is cut off", own("dataset", text("dataset/train/state.json", '{"_data_files": ['))),
    data(
        "`state.json` that is nested 900 deep", own("dataset", text("dataset/train/state.json", "[" * 900 + "]" * 900))
    ),
    data("no `validation`", splits(validation=None, test=rows())),
    data("`valid` for `validation`", splits(validation=None, valid=rows())),
    data("no `train`", splits(train=None)),
    data("no rows in `validation`", splits(validation=rows(sequence=[], labels=[]))),
    data("no rows in `test`", splits(test=rows(sequence=[], labels=[]))),
    data("`label` for `labels`", splits(train=rows(labels=None, label=[0, 1] * 4))),
    data("`target` for `labels`", splits(train=rows(labels=None, target=[0, 1] * 4))),
    data("no labels in `test`", splits(test=rows(labels=None))),
    data("`seq` for `sequence`", splits(train=rows(sequence=None, seq=["ACGT"] * 8))),
    data("a sequence that is missing", splits(train=rows(sequence=[None, *["ACGT"] * 7]))),
    data("a sequence that is empty", splits(train=rows(sequence=["", *["ACGT"] * 7]))),
    data("sequences that are numbers", splits(train=rows(sequence=list(range(8))))),
    data("sequences in lower case", splits(train=rows(sequence=["acgtacgtac"] * 8))),
    data("a sequence of 6000 letters", splits(train=rows(sequence=["AC" * 3000, *["ACGT"] * 7]))),
    data("a label that is missing", splits(train=rows(labels=[None, *[1, 0] * 3, 1]))),
    data("a label that is NaN", splits(train=rows(labels=[float("nan"), *[1.0, 0.0] * 3, 1.0]))),
    data("labels that are words", splits(train=rows(labels=["yes", "no"] * 4))),
    data("labels 1 and 2", splits(train=rows(labels=[1, 2] * 4))),
    data("one class alone in `train`", splits(train=rows(labels=[1] * 8))),
    data("one class alone in `validation`", splits(validation=rows(labels=[1] * 8))),
    data(f"fractions as labels of `{MULTI}`", splits(train=rows(labels=[0.5, 1.0] * 4)), MULTI),
    data(f"single labels for `{MANY}`", splits(), MANY),
    data(
        f"rows of two and of one label for `{MANY}`",
        splits(train=rows(labels=[[0, 1], [1]] * 4), validation=rows(labels=[[0, 1], [1, 0]] * 4)),
        MANY,
    ),
    data(
        f"three labels in `train`, two in `validation` for `{MANY}`",
        splits(train=rows(labels=[[0, 1, 1], [1, 0, 0]] * 4), validation=rows(labels=[[0, 1], [1, 0]] * 4)),
        MANY,
    ),
    data(f"words as labels of `{MEASURED}`", splits(train=rows(labels=["1.5", "high"] * 4)), MEASURED),
    data(f"infinity as a label of `{MEASURED}`", splits(train=rows(labels=[float("inf"), 2] * 4)), MEASURED),
    data("token ids of another model", splits(train=tokens(input_ids=[[2, 5000, 8, 3]] * 8))),
    data("token ids below 0", splits(train=tokens(input_ids=[[2, -5, 8, 3]] * 8))),
    data("token ids as text", splits(train=tokens(input_ids=["2 9 8 3"] * 8))),
    data("a mask of another length", splits(train=tokens(attention_mask=[[1, 1]] * 8))),
    data("`class_weights.json` with a weight below 0", splits({"class_weights.json": '{"0": 1, "1": -2}'})),
    data("fractions in `class_weights.json`", splits({"class_weights.json": '{"0": 0.5, "1": 5.0}'})),
    data("`class_weights.json` of three classes", splits({"class_weights.json": '{"0": 9, "1": 5, "2": 2}'})),
    data("`class_weights.json` that is a list", splits({"class_weights.json": "[1, 2]"})),
    data("`label2id.json` that counts from 1", splits({"label2id.json": '{"no": 1, "yes": 2}'})),
    data("`class_weights.json` with null", splits({"class_weights.json": '{"0": null, "1": 1}'})),
    data("`class_weights.json` that is empty", splits({"class_weights.json": ""})),
    data("`label2id.json` that is a named pipe", own("dataset", pipe("dataset/label2id.json"))),
    data("`label2id.json` that is broken", splits({"label2id.json": '{"no": 0 "yes": 1}'})),
    # the model
    checking(MODEL, "`--model-name ./modle`, for `./model`", "--model-name ./modle"),
    checking(MODEL, "a name that is not in the cache, without internet", "--model-name PoetschLab/GROVR"),
    checking(MODEL, "a name with a space", "--model-name 'GROVER large'"),
    checking(MODEL, "a file", "--model-name sweep.json"),
    checking(MODEL, "an empty directory", "--model-name empty", directory("empty")),
    checking(MODEL, "no `config.json`", prepare=own("model", without("model/config.json"))),
    checking(MODEL, "`config.json` that is broken", prepare=own("model", text("model/config.json", "{"))),
    checking(MODEL, "no weights", prepare=own("model", without("model/model.safetensors"))),
    checking(MODEL, "an adapter of peft", prepare=own("model", text("model/adapter_config.json", "{}"))),
    checking(MODEL, "weights that are cut off", prepare=own("model", text("model/model.safetensors", b"\0" * 7))),
    checking(
        MODEL,
        "a clone without Git LFS",
        prepare=own("model", text("model/model.safetensors", "version https://git-lfs.github.com/spec/v1\n")),
    ),
    checking(
        MODEL,
        "`config.json` of a smaller model",
        prepare=own("model", replaced("model/config.json", '"hidden_size": 64', '"hidden_size": 32')),
    ),
    checking(
        MODEL,
        "`config.json` of another kind of model",
        prepare=own("model", replaced("model/config.json", '"model_type": "bert"', '"model_type": "roberta"')),
    ),
    checking(MODEL, "a model of images", prepare=own("model", text("model/config.json", '{"model_type": "vit"}'))),
    checking(
        MODEL,
        "no tokenizer, and a dataset of sequences",
        prepare=own("model", without("model/tokenizer.json"), without("model/tokenizer_config.json")),
    ),
    checking(
        MODEL,
        "a model with custom code",
        prepare=own("model", text("model/config.json", json.dumps(CODE))),
    ),
    checking(MODEL, "`config.json` that is a list", prepare=own("model", text("model/config.json", "[]"))),
    checking(MODEL, "`config.json` that is a named pipe", prepare=own("model", pipe("model/config.json"))),
    checking(MODEL, "weights that are a named pipe", prepare=own("model", pipe("model/model.safetensors"))),
    checking(MODEL, "weights that are a pickle with code", prepare=own("model", pickled)),
    checking(
        MODEL,
        "weights that are damaged, `pytorch_model.bin`",
        prepare=own("model", without("model/model.safetensors"), text("model/pytorch_model.bin", b"garbage" * 20)),
    ),
    checking(MODEL, "attention by a kernel on the hub", prepare=configured(attn_implementation="somebody/kernel")),
    checking(MODEL, "a billion layers", prepare=configured(num_hidden_layers=10**9)),
    checking(
        MODEL,
        "code in another repository",
        prepare=configured(model_type="own", auto_map={"AutoConfig": "somebody/else--code.OwnConfig"}),
    ),
    # the output directory
    searching(PLACE, "a file", "--output-dir sweep.json"),
    searching(PLACE, "a directory below a file", "--output-dir sweep.json/out"),
    searching(PLACE, "a directory with another sweep", "--output-dir done"),
    searching(PLACE, "`--output-dir ''`", "--output-dir ''"),
    searching(PLACE, "a name of 5,000 letters", f"--output-dir {'d' * 5000}"),
    # going on
    searching(RESUME, "`--resume` if no sweep was started", "--resume"),
    searching(RESUME, "`--resume` with another file", "--resume --output-dir done", parameters(max_steps={"value": 9})),
    searching(RESUME, "`--resume` with another seed", "--resume --output-dir done --seed 7"),
    searching(RESUME, "`--retry-failed` without `--resume`", "--retry-failed"),
    searching(RESUME, "`--retry-failed 1` of a trial that is completed", "--resume --output-dir done --retry-failed 1"),
    searching(RESUME, "`--retry-failed first`", "--resume --output-dir done --retry-failed first"),
    searching(RESUME, "`--resume` with another metric", "--resume --output-dir done --metric-name f1"),
    searching(
        RESUME,
        "`--resume` with a record that is cut off, and without its journal",
        "--resume --output-dir done",
        cut_off,
    ),
    searching(
        RESUME,
        "`--resume` with the `sweep.json` of another sweep",
        "--resume --output-dir done",
        changed_id("done/sweep.json"),
    ),
    searching(RESUME, "`--resume` without `sweep.json`", "--resume --output-dir done", without("done/sweep.json")),
    searching(RESUME, "`--resume --output-dir ''`", "--resume --output-dir ''"),
    Mistake(RESUME, "`--join` if no sweep was started", "bertnado run-sweep --join nowhere"),
    Mistake(RESUME, "`--join` with flags of the record", "bertnado run-sweep --join done --sweep-count 3"),
    # sync
    confirming("a directory without a sweep", "model"),
    confirming("the directory above a sweep's", ".", without("sweep.json")),
    confirming("a flag of run-sweep, `--seed 3`", "done --seed 3"),
    confirming("more finalists than trials, `--top 3`", "done --top 3"),
    confirming("`--top 0` and `--seeds 1`", "done --top 0 --seeds 1"),
    confirming("`--folds chromosome` without that column", "done --top 1 --folds chromosome"),
    confirming("`--folds labels`", "done --top 1 --folds labels"),
    confirming("`--folds sequence`", "done --top 1 --folds sequence"),
    confirming("a sweep whose trials are lost", "done", without_trials),
    confirming("`--time-limit soon`", "done --top 1 --time-limit soon"),
    confirming(
        "another `--model-name` than the sweep's",
        "done --top 1 --model-name model",
        recorded(model_name="PoetschLab/GROVER"),
    ),
    confirming(
        "another dataset in the place of the sweep's",
        "done --top 1 --dataset dataset",
        both(recorded(dataset="/gone/dataset"), splits()),
    ),
    Mistake(SYNC, "a directory without offline runs", "bertnado sync --output-dir model"),
    Mistake(SYNC, "without an account", "bertnado sync --output-dir done"),
    # sweep-status
    Mistake(STATUS, "a name of 5,000 letters", f"bertnado sweep-status --output-dir {'d' * 5000}"),
    Mistake(STATUS, "neither `--output-dir` nor `--sweep-id`", "bertnado sweep-status"),
    Mistake(STATUS, "`--export` without `--output-dir`", "bertnado sweep-status --sweep-id lab/dna/a1b2c3d4 --export"),
    Mistake(STATUS, "a directory without a sweep", "bertnado sweep-status --output-dir model"),
    Mistake(STATUS, "the directory above a sweep's", "bertnado sweep-status --output-dir .", without("sweep.json")),
    Mistake(STATUS, "`--sweep-id` without an account", "bertnado sweep-status --sweep-id lab/dna/a1b2c3d4"),
    Mistake(
        STATUS,
        "`--sweep-id`, and a server that does not answer",
        "bertnado sweep-status --sweep-id lab/dna/a1b2c3d4",
        environment=NO_ANSWER,
    ),
    Mistake(
        STATUS,
        "`--export` of a sweep without a trial",
        "bertnado sweep-status --output-dir done --export",
        without_trials,
        code=1,
    ),
    # report
    Mistake(REPORT, "neither `--output-dir` nor `--sweep-id`", "bertnado report"),
    Mistake(REPORT, "a directory without a sweep", "bertnado report --output-dir model"),
    Mistake(REPORT, "a sweep without a trial", "bertnado report --output-dir done", without_trials),
    Mistake(REPORT, "`--to` a directory", "bertnado report --output-dir done --to ."),
    Mistake(REPORT, "`--to` the record of the sweep", "bertnado report --output-dir done --to done/sweep.json"),
    Mistake(REPORT, "`--to` a place below a file", "bertnado report --output-dir done --to sweep.json/report.html"),
    Mistake(REPORT, "`--sweep-id` without a place to write to", "bertnado report --sweep-id lab/dna/a1b2c3d4"),
    Mistake(REPORT, "`--sweep-id` without an account", "bertnado report --sweep-id lab/dna/a1b2c3d4 --to report.html"),
    # the best configuration
    training(BEST, "a file that does not exist", "--best-config-path done/best_sweep_confg.json"),
    training(BEST, "the sweep's directory", "--best-config-path done"),
    training(BEST, "the sweep file", "--best-config-path sweep.json"),
    training(BEST, "`best_sweep_details.json`", "--best-config-path done/best_sweep_details.json"),
    training(BEST, "broken JSON", "--best-config-path best.json", text("best.json", '{"learning_rate": 1e-4')),
    training(BEST, "nothing, `{}`", "--best-config-path best.json", text("best.json", "{}")),
    training(BEST, "a named pipe", "--best-config-path best.json", pipe("best.json")),
    by_hand("a metric and no parameter", metric_for_best_model="roc_auc"),
    by_hand("`hub_token`", learning_rate=1e-4, hub_token="hf_abc"),
    training(BEST, "a list, `[]`", "--best-config-path best.json", text("best.json", "[]")),
    by_hand("`lr` in the config of a W&B run", lr=1e-4, _wandb={"version": 1}),
    by_hand("`lr`", lr=1e-4),
    by_hand("a learning rate that is a word", learning_rate="fast"),
    by_hand("a metric of another task", learning_rate=1e-4, metric_for_best_model="r2"),
    by_hand("two metrics", metric_for_best_model="roc_auc", optimization_metric={"name": "eval/f1"}),
    by_hand("two goals", greater_is_better=False, optimization_metric={"name": "eval/f1", "goal": "maximize"}),
    # full-train
    training(FINAL, "another task than the sweep's", "--task-type regression"),
    training(FINAL, "a directory with a trained model", prepare=text("out/model/config.json", "{}")),
    training(FINAL, "the sweep's own directory", "--output-dir done"),
    training(FINAL, "`--output-dir` that is a file", "--output-dir sweep.json"),
    training(FINAL, "`--dataset datset`, for `dataset`", "--dataset datset"),
    training(FINAL, "`--model-name ./modle`, for `./model`", "--model-name ./modle"),
    training(FINAL, "`--model-name ''`", "--model-name ''"),
    training(FINAL, "`--dataset ''`", "--dataset ''"),
    training(FINAL, "`--early-stopping-patience 0`", "--early-stopping-patience 0"),
    training(FINAL, "`--seed 4294967296`", "--seed 4294967296"),
    training(FINAL, "`--from-sweep` with `--seed 3`", "--from-sweep --seed 3"),
    training(FINAL, "`--from-sweep` with `--metric-name f1`", "--from-sweep --metric-name f1"),
    training(FINAL, "`--from-sweep` with `--max-length 50`", "--from-sweep --max-length 50"),
    training(FINAL, "`--from-sweep` after `--keep-checkpoints none`", "--from-sweep", detailed(checkpoint=None)),
    training(
        FINAL,
        "`--from-sweep`, and the checkpoint was removed",
        "--from-sweep",
        detailed(checkpoint="done/gone/checkpoint", directory="gone"),
    ),
    training(
        FINAL,
        "`--from-sweep`, and the checkpoint is on another machine",
        "--from-sweep",
        detailed(checkpoint="/scratch/sweep/gone/checkpoint", directory="gone", host="node17"),
    ),
    training(FINAL, "`--from-sweep` of other parameters", "--from-sweep", detailed(parameters={"epochs": 1})),
    training(
        FINAL,
        "`--from-sweep` with a file that a person wrote",
        "--from-sweep --best-config-path best.json",
        best(epochs=1),
    ),
    training(FINAL, "`--from-sweep` with `--train-on train+validation`", "--from-sweep --train-on train+validation"),
    training(FINAL, "`--train-on all`", "--train-on all"),
    training(
        FINAL,
        "`--train-on train+validation` with `--early-stopping-patience 3`",
        "--train-on train+validation --early-stopping-patience 3",
    ),
    training(
        FINAL,
        "`--train-on train+validation` with a file that a person wrote",
        "--train-on train+validation --best-config-path best.json",
        best(max_steps=4, eval_steps=2),
    ),
    training(FINAL, "`--group-column chromosome`, a column that the test split lacks", "--group-column chromosome"),
    # predictions
    Mistake(PREDICT, "no `--input`", "bertnado predict --model final/model --output out.tsv"),
    predicting("a file that does not exist", "--input y.fa"),
    predicting("a file without sequences", content="\n"),
    predicting("a file of reads (FASTQ)", content="@r\nACGT\n+\nIIII\n"),
    predicting("a file of another kind", "--input sweep.json"),
    predicting("a FASTA file with `--split test`", "--split test"),
    predicting("a dataset without `--split`", "--input dataset"),
    predicting("`--split tset`", "--input dataset --split tset"),
    predicting("a table without the column", "--input x.csv", prepare=text("x.csv", "id,sequences\n1,ACGT\n")),
    predicting(
        "an unknown `--id-column`", "--input x.csv --id-column nmae", prepare=text("x.csv", "name,sequence\n1,ACGT\n")
    ),
    predicting("a line with too few fields", "--input x.csv", prepare=text("x.csv", "name,sequence\n1\n")),
    predicting("a sequence with a gap", content=">a\nACGT\n>b\nACG-T\n"),
    predicting("an ambiguous letter with `--ambiguous-letters error`", "--ambiguous-letters error", ">a\nACRT\n"),
    predicting("an empty sequence", content=">a\nACGT\n>b\n>c\nACGT\n"),
    predicting("sequences in lower case", content=f">a\n{'acgt' * 20}\n"),
    predicting("a sequence that is too long", content=f">a\n{'ACGTTGCATTAC' * 200}\n"),
    predicting("`--too-long windoes`", "--too-long windoes"),
    predicting("`--max-length 2 --too-long windows`", "--max-length 2 --too-long windows"),
    predicting("`--max-length 0`", "--max-length 0"),
    predicting("`--threshold 1.5`", "--threshold 1.5"),
    predicting("`--threshold high`", "--threshold high"),
    predicting("`--precision fp16` without a GPU", "--precision fp16"),
    predicting("`--reverse-complement both`", "--reverse-complement both"),
    predicting("a model that does not exist", "--model final/modle"),
    predicting("the directory around the model", "--model final"),
    predicting("the directory of a sweep", "--model done"),
    predicting("a model with its own code", prepare=own("final", with_code)),
    predicting(
        "a model with a damaged `prediction.json`", prepare=own("final", text("final/model/prediction.json", "{}"))
    ),
    predicting(
        "a `prediction.json` of a newer version",
        prepare=own("final", text("final/model/prediction.json", '{"format": 2}')),
    ),
    predicting("a directory that does not exist for `--output`", "--output gone/out.tsv"),
    predicting("a directory for `--output`", "--output done"),
    predicting("the input for `--output`", "--output x.fa"),
    predicting("three mistakes at once", "--model gone --input gone.fa --output gone/out.tsv"),
    # init
    Mistake(INIT, "no `--dataset`", "bertnado init --model-name model"),
    Mistake(INIT, "`--to` names a file that exists", f"bertnado init {RUN} --to old.yaml", text("old.yaml", "{}")),
    Mistake(INIT, "`--to sweep.json`, where comments are not allowed", f"bertnado init {RUN} --to sweep.json"),
    Mistake(
        INIT, "`--sweep-count 0` and a metric of another task", f"bertnado init {RUN} --sweep-count 0 --metric-name r2"
    ),
    Mistake(INIT, "`--dataset datset`, for `dataset`", "bertnado init --model-name model --dataset datset"),
    # jobs of a cluster
    Mistake(SUBMIT, "no `--output-dir`", f"bertnado submit --config-path sweep.json {RUN} --scheduler local"),
    Mistake(SUBMIT, "no `--config-path`, and no sweep is recorded there", "bertnado submit --output-dir out --time 4h"),
    submitting("`--jobs 0`", "--scheduler local --jobs 0"),
    submitting("`--gpus-per-job one`", "--scheduler local --gpus-per-job one"),
    submitting("`--time soon`", "--scheduler local --time soon"),
    submitting("no `--time` at SLURM", "--jobs 4", login_node, PATH="bin"),
    submitting("`--time 30`, which is 30 seconds", "--time 30", login_node, PATH="bin"),
    submitting("`--scheduler pbs`", "--scheduler pbs"),
    submitting("`--scheduler slurm` on a machine without SLURM", "--scheduler slurm --time 4:00:00", PATH="bin"),
    submitting("`--partition gpu --mem 32G` on a machine without SLURM", "--partition gpu --mem 32G", PATH="bin"),
    submitting("more GPUs than a machine without SLURM has", "--gpus-per-job 1", PATH="bin", CUDA_VISIBLE_DEVICES=""),
    submitting("`--slurm gres`, without a value", "--slurm gres --time 4:00:00", login_node, PATH="bin"),
    submitting("`--slurm time=4:00:00`, for `--time`", "--slurm time=4:00:00 --time 4h", login_node, PATH="bin"),
    submitting("`--time-limit 4h`, for `--time 4h`", "--time-limit 4h"),
    submitting("`--dataset datset`, for `dataset`", "--scheduler local --dataset datset"),
    Mistake(
        SUBMIT,
        "another seed for a sweep that is recorded",
        "bertnado submit --output-dir done --seed 7 --scheduler local",
    ),
    Mistake(CANCEL, "no `--output-dir`", "bertnado cancel"),
    Mistake(CANCEL, "a directory without a sweep", "bertnado cancel --output-dir model"),
    # baselines
    Mistake(BASE, "no `--dataset`", "bertnado baselines --model-name model"),
    Mistake(BASE, "`--dataset datset`, for `dataset`", "bertnado baselines --model-name model --dataset datset"),
    Mistake(BASE, "`--model-name ./modle`, for `./model`", "bertnado baselines --model-name ./modle --dataset dataset"),
    Mistake(BASE, "`--output-dir` that is a file", f"bertnado baselines {RUN} --output-dir sweep.json"),
    Mistake(BASE, "`--task-type regresion`", f"bertnado baselines {RUN} --task-type regresion"),
    # quickstart
    Mistake(QUICK, "a directory that is not empty", "bertnado quickstart done"),
    # what failed
    searching(FAILED, "every trial diverges", "--sweep-count 2", parameters(**HOPELESS), code=1),
    searching(
        FAILED,
        "the first three trials diverge, of 4",
        "--sweep-count 4",
        parameters(**HOPELESS, per_device_train_batch_size={"values": [8, 16, 32, 64]}),
        code=1,
    ),
    searching(FAILED, "`--max-failures 1`", "--sweep-count 4 --max-failures 1", parameters(**HOPELESS), code=1),
    training(
        FAILED,
        "the final training diverges",
        "--best-config-path best.json",
        best(learning_rate=1e30, max_grad_norm=0, max_steps=4, eval_steps=2),
        code=1,
    ),
)
