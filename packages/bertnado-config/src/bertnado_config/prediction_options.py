"""The options of a prediction: a saved model, sequences, and the treatment of what the model does not expect."""

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (pydantic reads the annotations)
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from bertnado_metrics import did_you_mean
from pydantic import BaseModel, ConfigDict, Field, GetPydanticSchema, ValidationError

from .argument_problem import ArgumentProblem
from .errors import InvalidInputError
from .option_details import OptionDetails, literal_choices
from .training_inputs import Precision  # noqa: TC001 (pydantic reads the annotations)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic_core import ErrorDetails

TooLongToPredict = Literal["error", "truncate", "windows"]
"""`windows` predicts overlapping windows of the row's tokens and averages their logits."""

LetterTreatment = Literal["keep", "n", "error"]
"""`keep` leaves letters as they are, `n` writes N in their place, `error` refuses them."""

EmptyTreatment = Literal["error", "skip"]
"""`skip` writes a row without a prediction."""

ReverseComplement = Literal["none", "average"]
"""`average` averages the logits of a sequence and of its reverse complement."""

_AsGiven = GetPydanticSchema(lambda _, schema_of: schema_of(Any))
_AS_TRAINED = OptionDetails(default_text="as in training")


class PredictionOptions(BaseModel):
    """The options of a prediction; what is not given is as the model was trained."""

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True, protected_namespaces=())

    model: Annotated[str | Path, _AsGiven]
    """Directory of a saved model, such as the `model` that full-train wrote. Required."""
    input: Annotated[str | Path, _AsGiven]
    """Sequences: a FASTA, CSV or TSV file, also compressed (`.gz`), a Parquet file, or a `DatasetDict` on disk.
    Required."""
    split: Annotated[str | None, OptionDetails(metavar="NAME")] = None
    """Split of a `DatasetDict` to predict."""
    sequence_column: Annotated[str, OptionDetails(metavar="NAME")] = "sequence"
    """Column of a table that contains the sequences."""
    id_column: Annotated[str | None, OptionDetails(metavar="NAME", default_text="the row's number, from 0")] = None
    """Column of a table that contains an identifier for each row. In FASTA files it is the first word of the header."""
    threshold: Annotated[
        float | None,
        Field(ge=0, le=1, allow_inf_nan=False),
        OptionDetails(metavar="NUMBER", default_text="the model's, otherwise 0.5"),
    ] = None
    """Probability above which a label is predicted, between 0 and 1. A multiclass model predicts its likeliest class,
    whatever the threshold."""
    uppercase: bool = False
    """Write each sequence in upper case, also if that was not done in training."""
    rna_to_dna: bool = False
    """Write T for U in each sequence, also if that was not done in training."""
    ambiguous_letters: LetterTreatment = "keep"
    """Treatment of the IUPAC codes of several bases (R, Y, S, W, K, M, B, D, H, V): `keep`, write `n`, or `error`."""
    other_letters: LetterTreatment = "error"
    """Treatment of characters other than nucleotide codes, such as gaps: `keep`, write `n`, or `error`. White space is
    removed in FASTA files, and kept in tables, as in training."""
    empty: EmptyTreatment = "error"
    """Treatment of an empty sequence: `error`, or `skip`, which writes a row without a prediction."""
    max_length: Annotated[
        int | None, Field(ge=1), OptionDetails(metavar="N", default_text="that of training, otherwise the model's")
    ] = None
    """Most tokens of a row, special tokens included."""
    too_long: Annotated[TooLongToPredict | None, _AS_TRAINED] = None
    """Treatment of a row with more tokens: `error` refuses it, `truncate` cuts its end and keeps a closing special
    token, `windows` averages the logits of windows of its tokens, each of which overlaps the next by half."""
    reverse_complement: Annotated[ReverseComplement | None, OptionDetails(default_text="as the model was chosen")] = (
        None
    )
    """`average` averages the logits of each sequence and of its reverse complement; `none` predicts it alone."""
    precision: Annotated[Precision | None, _AS_TRAINED] = None
    """Floating-point precision."""
    trust_remote_code: bool = False
    """Allow Python code that comes with the model to run."""

    @classmethod
    def checked(cls, given: Mapping[str, Any]) -> Self:
        """Make the options from what is given; None stands for the default.

        Raises:
            InvalidInputError: An option is unknown or missing, or cannot have its value; every problem is in it.
        """
        known = {name: value for name, value in given.items() if value is not None}
        try:
            return cls(**known)
        except ValidationError as error:
            problems = [_problem(cls, details) for details in error.errors(include_url=False)]
        raise InvalidInputError(problems)


def _problem(options: type[PredictionOptions], details: ErrorDetails) -> ArgumentProblem:
    """Return pydantic's error as a problem of an argument."""
    name, kind, bounds = str(details["loc"][0]), details["type"], details.get("ctx", {})
    got = f"got {details['input']!r}"
    if kind == "extra_forbidden":
        return ArgumentProblem("", f"unknown option {name!r}; {did_you_mean(name, options.model_fields)}")
    if kind == "missing":
        return ArgumentProblem(name, f"{{{name}}} is required: {_REQUIRED[name]}")
    if kind == "literal_error":
        choices = ", ".join(literal_choices(options.model_fields[name].annotation))
        return ArgumentProblem(name, f"unknown {{{name}}} {details['input']!r}; choose from {choices}")
    if kind in _BOUNDS:
        key, words = _BOUNDS[kind]
        return ArgumentProblem(name, f"{{{name}}} must be {words} {bounds[key]:g}, got {details['input']}")
    expected = next((words for prefix, words in _KINDS.items() if kind.startswith(prefix)), "valid")
    return ArgumentProblem(name, f"{{{name}}} must be {expected}, {got}")


_REQUIRED = {"model": "the directory of a saved model", "input": "a file with sequences"}
_BOUNDS = {"greater_than_equal": ("ge", "at least"), "less_than_equal": ("le", "at most")}
_KINDS = {"int": "an integer", "bool": "true or false", "string": "text", "float": "a number", "finite": "a number"}
