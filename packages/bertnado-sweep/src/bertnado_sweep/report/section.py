"""A section of the report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from .html import Html, joined, tag

if TYPE_CHECKING:
    from collections.abc import Iterable

    from .figure import Figure


@dataclass(frozen=True)
class Section:
    """A section: a heading and what stands below it."""

    name: str
    """Its place in the page's addresses; unique."""
    title: str
    parts: tuple[Html, ...]

    def to_html(self) -> Html:
        """Return the section."""
        return tag("section", tag("h2", self.title), joined(self.parts), id=self.name)


def paragraph(*parts: object) -> Html:
    """Return a paragraph."""
    return tag("p", *parts)


def note(*parts: object) -> Html:
    """Return a paragraph of lesser weight."""
    return tag("p", *parts, class_="note")


def small_multiples(figures: Iterable[Figure]) -> Html:
    """Return figures beside each other, as many as the width allows."""
    return tag("div", *(figure.to_html() for figure in figures), class_="small")
