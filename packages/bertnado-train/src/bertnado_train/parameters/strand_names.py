"""The parameter namespace of the strands that a trial shows its model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, get_args

from .namespace import ParameterNamespace, TrialSettings
from .value_types import choice_type

if TYPE_CHECKING:
    from collections.abc import Mapping

Strands = Literal["none", "augment", "average"]
"""`none`: each row as it is. `augment`: training shows each row as it is or as its reverse complement, at random.
`average`: the same, and every evaluation averages the logits of both."""

REVERSE_COMPLEMENT = "reverse_complement"
_TYPE = choice_type(
    get_args(Strands),
    misnomers={
        **dict.fromkeys(("false", "off", "no", "forward"), "none"),
        **dict.fromkeys(("true", "on", "yes", "augmentation", "random", "train", "training"), "augment"),
        **dict.fromkeys(("both", "mean", "averaging", "conjoined", "post_hoc", "post-hoc", "tta"), "average"),
    },
    is_optional=False,
)
_OTHER_NAMES = frozenset(
    {
        f"{name}{end}"
        for name in ("rc", "revcomp", "reverse_complement")
        for end in ("_aug", "_augment", "_augmentation")
    }
    | {"rc", "revcomp", "rev_comp", "reverse_complements", "use_rc", "conjoin", "conjoin_train", "conjoin_test"}
)
"""Names that are common elsewhere."""


class StrandNames(ParameterNamespace):
    """`reverse_complement`, which is `none`, `augment` or `average`."""

    names = (REVERSE_COMPLEMENT,)

    def convert(self, name: str, value: Any) -> Strands:
        """Convert a choice; null means `none`.

        Raises:
            ValueError: It is something else.
        """
        return _TYPE.convert("none" if value is None else value)

    def apply(self, values: Mapping[str, Any], settings: TrialSettings) -> None:
        """Set the strands of the trial."""
        settings.reverse_complement = values[REVERSE_COMPLEMENT]

    def equivalent(self, name: str) -> str | None:
        """Return `reverse_complement` for the names of other code that have its meaning."""
        return REVERSE_COMPLEMENT if name.lower().replace("-", "_") in _OTHER_NAMES else None

    def changes_cost(self, name: str) -> bool:
        """Return True: evaluations of both strands take twice as long."""
        return True
