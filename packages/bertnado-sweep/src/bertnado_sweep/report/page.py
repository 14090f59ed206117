"""The page of the report: one file that needs nothing else."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from .html import Html, joined, name_of, tag
from .sections import (
    baselines,
    confirmation,
    curves,
    early_termination,
    failures,
    final_model,
    history,
    importance,
    methods,
    parallel,
    setup,
    slices,
    summary,
    trials,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from .material import Material
    from .section import Section

SECTIONS: tuple[Callable[[Material], Section | None], ...] = (
    summary.section,
    confirmation.section,
    baselines.section,
    final_model.section,
    history.section,
    curves.section,
    importance.section,
    slices.section,
    parallel.section,
    trials.section,
    failures.section,
    early_termination.section,
    setup.section,
    methods.section,
)
"""The sections in the order of the page; one that has nothing to show is left out."""


def page(material: Material, plotly: str) -> str:
    """Return the page.

    Args:
        material: What is known of the sweep.
        plotly: Plotly's script.
    """
    sections = [found for make in SECTIONS if (found := make(material)) is not None]
    title = f"Sweep {material.status.sweep_id}"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", Html(_resource("page.css"))),
    )
    links = tag("ul", *(tag("li", tag("a", one.title, href=f"#{one.name}")) for one in sections))
    made = tag("p", "From ", name_of(material.status.source), f", {material.made}, by BertNado.", class_="note")
    body = tag(
        "body",
        tag("header", tag("h1", title), made, tag("nav", links, aria_label="Sections")),
        tag("main", joined(section.to_html() for section in sections)),
        tag("script", Html(plotly)),
        tag("script", Html(_resource("page.js"))),
    )
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _resource(name: str) -> str:
    return files(__package__ or __name__).joinpath(name).read_text(encoding="utf-8")
