"""Messages, doc strings and documents avoid the commonest slips of English."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

PLACES = [
    *("packages/bertnado-config", "packages/bertnado-metrics", "packages/bertnado-sweep", "packages/bertnado-train"),
    *("apps/cli", "README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "docs"),
]
"""Documents, and directories of source code and documents."""

SLIPS = {
    r"(?<!there )\bis no (?!longer)\w": "'must be ...', 'is not a ...' or 'unknown ...'",
    r"\bwhere there (is|are) no\b": "'if there is no ...', 'without ...'",
    r"\bsays? not\b": "'does not say'",
    r"\b(came|comes) to\b": "'became', 'resulted in', 'amounts to'",
    r"\b(has|have) to be\b": "'must be'",
    r"`?None`? where\b": "'`None` if'",
    r"\btake (it|them|one of them) out\b": "'remove it'",
    r"\bleave (it|them) out\b": "'omit it'",
    r"\bof (its|their|one's) own\b": "'its own ...', 'your own ...'",
}
"""Regular expressions of slips, each with what to write instead."""


def texts_of(file):
    """Yield the line and the text of every string of a Python file, doc strings included, or of every line."""
    if file.suffix != ".py":
        yield from enumerate(file.read_text().splitlines(), start=1)
        return
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.lineno, " ".join(node.value.split())


def slips_in(file):
    for line, text in texts_of(file):
        for slip, instead in SLIPS.items():
            if found := re.search(slip, text, re.IGNORECASE):
                yield f"{file.relative_to(ROOT)}:{line}: {found[0]!r}; write {instead}"


@pytest.mark.parametrize("place", PLACES)
def test_no_text_has_a_slip(place):
    path = ROOT / place
    files = [path] if path.is_file() else sorted([*path.rglob("*.py"), *path.rglob("*.md")])
    assert files
    assert [slip for file in files for slip in slips_in(file)] == []


@pytest.mark.parametrize(
    "text",
    [
        "0 is no number of trials",
        "`None` where there is no value",
        "'last' says not whose",
        "no trial came to a value",
        "eta has to be above 1",
    ],
)
def test_a_slip_is_found(text):
    assert any(re.search(slip, text, re.IGNORECASE) for slip in SLIPS)
