"""Figures as Plotly draws them: plain data, with texts that cannot be taken for markup."""

from __future__ import annotations

import html
import unicodedata
from dataclasses import dataclass
from typing import Any

from .html import Html, plain, script_json, tag
from .wording import clipped

BLUE, ORANGE, GREEN, VERMILLION, PURPLE, SKY = "#0072b2", "#e69f00", "#009e73", "#d55e00", "#cc79a7", "#56b4e9"
"""Colours that the colour-blind can tell apart. Okabe and Ito 2008, https://jfly.uni-koeln.de/color/"""

GRAY = "#8a8a8a"

LEGEND = {"orientation": "h", "y": -0.22, "yanchor": "top", "x": 0}
"""The place of a legend: below, where it covers nothing on a narrow screen."""

_RIGHT_TO_LEFT = ("R", "AL", "AN", "RLE", "RLO", "RLI")


@dataclass(frozen=True)
class Figure:
    """A figure."""

    name: str
    """Unique in the report; letters, digits and hyphens."""
    data: list[dict[str, Any]]
    """Plotly's traces."""
    layout: dict[str, Any]
    """Plotly's layout, without colours of text, grid and background: those are the page's."""
    alternative: str
    """What the figure shows, for those who do not see it."""
    height: int = 420

    def to_html(self) -> Html:
        """Return the place of the figure, and its data for the script that draws it."""
        style = f"height:{self.height}px"
        place = tag("div", class_="plot", id=self.name, role="img", aria_label=self.alternative, style=style)
        layout = {"margin": _MARGIN | (_FOR_LEGEND if "legend" in self.layout else {}), **self.layout}
        content = script_json({"id": self.name, "data": self.data, "layout": layout})
        return tag("figure", place, Html(f'<script type="application/json" class="figure">{content}</script>'))


_MARGIN = {"t": 24, "r": 16, "b": 56, "l": 64}

_FOR_LEGEND = {"b": 100}
"""Room for a line of the legend: Plotly would make it, but not in time when the page is printed."""


def label(value: object, most: int = 40) -> str:
    """Return a text from the data for a figure: no markup, no direction that leaves it, not too long."""
    text = html.escape(plain(clipped(str(value), most)), quote=False).replace("\n", " ")
    if any(unicodedata.bidirectional(character) in _RIGHT_TO_LEFT for character in text):
        return f"\u2068{text}\u2069"
    return text


def axis(title: str, **further: Any) -> dict[str, Any]:
    """Return an axis with a title; the title is not markup."""
    return {"title": {"text": label(title, 60)}, "automargin": True, "zeroline": False, **further}
