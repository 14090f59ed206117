"""Finding out, by trying, what the head of a model reads of the hidden states of a row."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch.utils import _pytree as pytree

from .backbone_outputs import Capture, NotSeparableError, Replay, captured, last_backbone_module, replaced
from .batch_format import BatchFormat
from .features import FeatureFormat, FeatureSplit, array_of
from .loading_errors import first_line
from .model_parts import find_parts

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator

    from torch import nn
    from transformers import PreTrainedModel

    from .encoded_split import EncodedSplit

Reading = Literal["first token", "last token", "mean of the tokens", "mean of all positions", "all tokens"]

_Reduction = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], torch.Tensor]

_ROUNDING: Mapping[str, float] = {"cpu": 1e-4, "cuda": 1e-2}
"""The largest difference of logits, as a share of their spread, that counts as rounding: in fp32, in TF32 on a GPU."""
_BYTES = 4
"""Of a number in fp32."""
_NOISE = 0.1
_SEED = 0


def _first(hidden: torch.Tensor, _tokens: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
    return hidden[:, :1]


def _last(hidden: torch.Tensor, tokens: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
    """Return the last position whose token is not that of padding, as decoders of transformers choose it."""
    last = (torch.arange(tokens.shape[1], device=tokens.device) * tokens).argmax(-1)
    return hidden[torch.arange(len(hidden), device=hidden.device), last][:, None]


def _mean(hidden: torch.Tensor, _tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    weights = mask.to(hidden.dtype).unsqueeze(-1)
    return ((hidden * weights).sum(1) / weights.sum(1).clamp(min=1))[:, None]


def _mean_of_all(hidden: torch.Tensor, _tokens: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
    return hidden.mean(1, keepdim=True)


def _all(hidden: torch.Tensor, _tokens: torch.Tensor, _mask: torch.Tensor) -> torch.Tensor:
    return hidden


READINGS: Mapping[Reading, _Reduction] = {
    "first token": _first,
    "last token": _last,
    "mean of the tokens": _mean,
    "mean of all positions": _mean_of_all,
    "all tokens": _all,
}
"""How the features of a batch are made of its hidden states (batch, tokens, width), of where a token is none of padding
and of its mask, in the order in which they are tried."""


class NotObservableError(NotSeparableError):
    """The model cannot be run on some rows here."""


@dataclass(frozen=True)
class FeatureReader:
    """Runs a model whose backbone is frozen, and takes from it what its head reads."""

    model: PreTrainedModel
    backbone: nn.Module
    replay: Replay
    format: FeatureFormat
    reading: Reading

    @property
    def has_all_tokens(self) -> bool:
        """Whether the head needs all hidden states of a row."""
        return self.reading == "all tokens"

    @property
    def description(self) -> str:
        """What the head reads of a row, for the user."""
        return self.reading if self.replay.has_tokens else "one vector"

    def bytes_of(self, splits: Iterable[EncodedSplit]) -> int:
        """Return the bytes that the features of some splits take in fp32."""
        count = sum(len(split.tokens) if self.has_all_tokens else len(split) for split in splits)
        return count * self.replay.width * _BYTES

    def read(self, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the features and the logits of a batch of the model, on its device, without `labels`.

        The features have the shape (batch, tokens, width), or (batch, 1, width) if one vector a row is enough.
        """
        seen = _Observation(self.model, self.backbone, self.format, inputs)
        return seen.features(self.replay, self.reading), seen.logits

    def split_of(self, rows: EncodedSplit, features: torch.Tensor) -> FeatureSplit:
        """Return the rows of a batch with their features, as `read` returns them."""
        flat = self.format.flat(rows, features, has_all_tokens=self.has_all_tokens)
        return FeatureSplit.of(rows, array_of(flat), flat.dtype, has_all_tokens=self.has_all_tokens)

    def logits(self, rows: FeatureSplit) -> torch.Tensor:
        """Return the logits that the head computes from features, on the device of the model."""
        inputs = {name: tensor.to(self.model.device) for name, tensor in self.format(rows).items() if name != "labels"}
        with replaced(self.backbone, self.replay):
            return self.format.logits(self.model, inputs)


class _Observation:
    """A batch that the whole model has computed."""

    def __init__(
        self, model: PreTrainedModel, backbone: nn.Module, batch_format: BatchFormat, inputs: dict[str, torch.Tensor]
    ) -> None:
        self._parts: list[tuple[Mapping[str, torch.Tensor], Capture]] = []
        self._format = batch_format
        self._inputs = inputs

        def run(**part: torch.Tensor) -> Any:
            with captured(backbone) as capture:
                outputs = model(**part)
            self._parts.append((part, capture))
            return outputs

        self.logits = BatchFormat.logits(batch_format, run, inputs)
        self.first = self._parts[0][1]

    def features(self, replay: Replay, reading: Reading) -> torch.Tensor:
        """Return what the head reads."""
        reduced = (self._reduced(part, replay.features_of(capture), reading) for part, capture in self._parts)
        return BatchFormat.logits(self._format, lambda **_: next(reduced), self._inputs)

    def _reduced(self, part: Mapping[str, torch.Tensor], hidden: torch.Tensor, reading: Reading) -> torch.Tensor:
        is_token = part["input_ids"] != self._format.pad_token_id
        return READINGS[reading](hidden, is_token, part.get("attention_mask", is_token))


def find_reader(model: PreTrainedModel, rows: EncodedSplit, batch_format: BatchFormat) -> FeatureReader:
    """Find out what the head of a model reads, by computing its logits from as little as possible of some rows.

    The logits must be the same in an evaluation and, with the dropout of the head, in training. The head is changed at
    random for it, so that a new one that gives the same for all rows cannot hide a difference.

    Args:
        model: The model, with a frozen backbone. It is as before when this returns, random states included.
        rows: Rows of different lengths, as many as fit into memory together.
        batch_format: The batches that it takes.

    Raises:
        NotSeparableError: The head cannot be computed from what its backbone has once returned.
        NotObservableError: The model cannot be run on the rows.
    """
    backbone = model.get_submodule(last_backbone_module(model))
    inputs = {name: tensor.to(model.device) for name, tensor in batch_format(rows).items() if name != "labels"}
    readings = list(READINGS)
    if batch_format.widths != "longest":  # rows of different widths do not make one batch of hidden states
        readings = [other for other in readings if other != "all tokens"]
    with torch.no_grad(), _random_states(model), _changed_head(model):
        model.eval()
        try:
            seen = _Observation(model, backbone, batch_format, inputs)
            trained = _in_training(model, lambda: batch_format.logits(model, inputs))
        except Exception as error:  # its code raises whatever it raises
            raise NotObservableError(f"its backbone cannot be observed: {first_line(error)}") from error
        for replay in _replays(seen.first):
            reader = FeatureReader(model, backbone, replay, FeatureFormat.of(batch_format, replay), "all tokens")
            for tried in readings:
                reader = replace(reader, reading=tried)
                if _is_enough(reader, rows, seen, trained):
                    return reader
    raise NotSeparableError("its head needs more than the hidden states that its backbone returns")


def _replays(capture: Capture) -> Iterator[Replay]:
    """Yield what may stand in for the backbone: one for each tensor that the head may read.

    Raises:
        NotSeparableError: Nothing may.
    """
    reasons: list[NotSeparableError] = []
    leaves = range(len(pytree.tree_leaves(capture.output)))
    for leaf in leaves:
        try:
            replay = Replay(capture, leaf)
        except NotSeparableError as error:
            reasons.append(error)
        else:
            yield replay
    if len(reasons) == len(leaves):
        raise reasons[0] if reasons else NotSeparableError("its backbone returns nothing")


def _is_enough(reader: FeatureReader, rows: EncodedSplit, seen: _Observation, trained: torch.Tensor) -> bool:
    """Return whether the logits follow from the features, in an evaluation and in training."""
    try:
        features = seen.features(reader.replay, reader.reading)
        split = reader.split_of(rows, features)
        found = reader.logits(split)
        again = _in_training(reader.model, lambda: reader.logits(split))
    except Exception:  # noqa: BLE001  (its code raises whatever it raises)
        return False
    return _same(found, seen.logits) and _same(again, trained)


def _in_training(model: PreTrainedModel, compute: Callable[[], torch.Tensor]) -> torch.Tensor:
    torch.manual_seed(_SEED)
    model.train()
    try:
        return compute()
    finally:
        model.eval()


def _same(found: torch.Tensor, expected: torch.Tensor) -> bool:
    spread = float((expected - expected.mean(0)).abs().max()) or float(expected.abs().max())
    within = _ROUNDING[expected.device.type] * spread
    return found.shape == expected.shape and bool(((found - expected).abs() <= within).all())


@contextmanager
def _random_states(model: PreTrainedModel) -> Generator[None]:
    """Leave the random states, and whether the model is in training, as they were."""
    was_training = model.training
    devices = [model.device] if model.device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        model.train(was_training)


@contextmanager
def _changed_head(model: PreTrainedModel) -> Generator[None]:
    """Change the weights of the head at random; they, and its buffers, are exactly as before afterwards."""
    modules = [model.get_submodule(name) for name in find_parts(model).head]
    before = [{name: tensor.clone() for name, tensor in module.state_dict().items()} for module in modules]
    torch.manual_seed(_SEED)
    try:
        for weight in (weight for module in modules for weight in module.parameters()):
            scale = weight.shape[-1] ** -0.5 if weight.dim() > 1 else _NOISE
            weight.add_(torch.randn(weight.shape).to(weight) * scale)
        yield
    finally:
        for module, state in zip(modules, before, strict=True):
            module.load_state_dict(state)
