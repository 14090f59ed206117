"""Command-line flags made of declared fields: name, type, help and default stand in one place, the model's."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args, get_origin

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Mapping, Sequence

    from pydantic import BaseModel


class GeneratedCommand(click.Command):
    """A command whose flags are generated when they are first needed, so that `bertnado --help` answers at once.

    Args:
        generate: Makes the flags that come before the command's own.
    """

    def __init__(self, *args: Any, generate: Callable[[], Sequence[click.Parameter]], **kwargs: Any) -> None:
        self._generate: Callable[[], Sequence[click.Parameter]] | None = generate
        super().__init__(*args, **kwargs)

    @property
    def params(self) -> list[click.Parameter]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """The flags of the command."""
        if self._generate is not None:
            self._params = [*self._generate(), *self._params]
            self._generate = None
        return self._params

    @params.setter
    def params(self, params: list[click.Parameter]) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        self._params = params


def flag_of(name: str) -> str:
    """Return the flag of a field: `--sweep-count` for `sweep_count`."""
    return f"--{name.replace('_', '-')}"


def flag_words(model: type[BaseModel], name: str) -> str:
    """Return how a field is declared as a flag: one that is on by default can be switched off."""
    is_on = model.model_fields[name].default is True
    return f"{flag_of(name)}/{flag_of(f'no_{name}')}" if is_on else flag_of(name)


def given_words(values: BaseModel, leave_out: Container[str]) -> list[str]:
    """Return the command-line words of the fields that differ from their defaults.

    Args:
        values: The fields and their values.
        leave_out: Flags to omit.
    """
    words: list[str] = []
    for name, field in type(values).model_fields.items():
        value = getattr(values, name)
        if flag_of(name) not in leave_out and value != field.default:
            words += [flag_of(name)] if value is True else [flag_of(name), str(value)]
    return words


def flags_of(model: type[BaseModel], *, leave_out: Iterable[str] = ()) -> list[click.Parameter]:
    """Make a flag of each field of a model; one that is not given is None, whatever the field's default."""
    return [make_flag(model, name) for name in model.model_fields if name not in {*leave_out}]


def make_flag(model: type[BaseModel], name: str) -> click.Option:
    """Make the flag of one field."""
    from bertnado_config import OptionDetails, literal_choices

    field = model.model_fields[name]
    details = OptionDetails.of(field)
    kinds = {part for part in (field.annotation, *get_args(field.annotation)) if part is not type(None)}
    choices = details.choices() if details.choices else literal_choices(field.annotation)
    bare: dict[str, Any] = {"flag_value": details.value_if_bare} if details.value_if_bare else {}
    return click.Option(
        [flag_words(model, name)],
        **bare,
        type=_type_of(kinds) if not choices else str,
        is_flag=kinds == {bool},
        multiple=get_origin(field.annotation) is tuple,
        default=None,
        metavar=details.metavar or (f"[{'|'.join(choices)}]" if choices else None),
        envvar=details.variable,
        show_envvar=details.variable is not None,
        help=_with_default(describe_field(model, name, show=flag_of), default_text(model, name)),
    )


def _type_of(kinds: Container[Any]) -> click.Path | type[int] | type[bool] | type[str]:
    return click.Path() if Path in kinds else int if int in kinds else bool if kinds == {bool} else str


def _with_default(text: str, default: str | None) -> str:
    return f"{text}  [default: {default}]" if default else text


def describe_field(model: type[BaseModel], name: str, *, show: Callable[[str], str]) -> str:
    """Return the doc string of a field in one line.

    Args:
        model: The model that declares the field.
        name: The field.
        show: How another field is referred to: by its flag, or by its name.
    """
    text = " ".join((model.model_fields[name].description or "").split())
    known = {*model.model_fields, "output_dir", "config_path"}
    return re.sub(r"`([a-z_]+)`", lambda found: show(found[1]) if found[1] in known else found[0], text)


def options_table(*models: type[BaseModel], own: Mapping[str, str]) -> str:
    """Return the Markdown table of the flags of several models; the first that declares a field describes it.

    Args:
        models: The models that declare the fields.
        own: Flags of a command that no model declares, with their descriptions.
    """
    fields = {name: model for model in reversed(models) for name in model.model_fields}
    ordered = dict.fromkeys(name for model in models for name in model.model_fields)
    declared = {_flags_in_table(fields[name], name): _described_in_table(fields[name], name) for name in ordered}
    rows = {f"`{flag}`": text for flag, text in own.items()} | declared
    lines = [f"| {flags} | {' '.join(text.replace('|', chr(92) + '|').split())} |" for flags, text in rows.items()]
    return "\n".join(["| flag | |", "|---|---|", *lines])


def _flags_in_table(model: type[BaseModel], name: str) -> str:
    return ", ".join(f"`{flag}`" for flag in flag_words(model, name).split("/"))


def _described_in_table(model: type[BaseModel], name: str) -> str:
    text, default = describe_field(model, name, show=_quoted_flag), default_text(model, name)
    return f"{text} Default: {default}." if default else text


def _quoted_flag(name: str) -> str:
    return f"`{flag_of(name)}`"


def default_text(model: type[BaseModel], name: str) -> str | None:
    """Return the default of a field in words; None for a flag that is off, or a field that must be given."""
    from bertnado_config import OptionDetails

    field = model.model_fields[name]
    declared = OptionDetails.of(field).default_text
    if declared is not None:
        return declared
    is_silent = field.is_required() or field.default in (None, ()) or field.default is False
    return None if is_silent else str(field.default)
