"""What the trials were trained on, and with: dataset, classes, arguments and versions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from bertnado_config import value_key

from bertnado_sweep.report.html import Html, cell, name_of, table, tag
from bertnado_sweep.report.section import Section, note, paragraph
from bertnado_sweep.report.wording import clipped, value_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from bertnado_sweep.report.material import Material


def fingerprints(material: Material) -> list[str]:
    """Return the fingerprint of the dataset as the trials recorded it; several if it has changed."""
    found = [
        cast("dict[str, Any]", one).get("fingerprint") for one in material.detail("dataset") if isinstance(one, dict)
    ]
    return list(dict.fromkeys(str(one) for one in found if one is not None))


def class_counts(dataset: Mapping[str, Any]) -> dict[str, list[Any]]:
    """Return the rows of each class, in order, by split; empty if they are not recorded."""
    counts = dataset.get("classes")
    known = cast("dict[str, Any]", counts) if isinstance(counts, dict) else {}
    return {split: cast("list[Any]", rows) for split, rows in known.items() if isinstance(rows, list) and rows}


def differing_arguments(material: Material) -> list[str]:
    """Return the names of the effective arguments that differ between trials, sorted."""
    found = [cast("dict[str, Any]", one) for one in material.detail("arguments") if isinstance(one, dict)]
    names = {name for arguments in found for name in arguments}
    return sorted(name for name in names if len({value_key(arguments.get(name)) for arguments in found}) > 1)


def section(material: Material) -> Section:
    """Return the section."""
    return Section("setup", "Dataset, arguments and versions", tuple(_parts(material)))


def _parts(material: Material) -> Iterator[Html]:
    application = cast("dict[str, Any]", material.status.record.get("application") or {})
    facts = [(name, value_text(value)) for name, value in application.items()]
    marks = fingerprints(material)
    facts += [("dataset fingerprint", mark) for mark in marks]
    facts += [(f"rows of {split}", value_text(rows)) for split, rows in _rows(material)]
    device = next((value_text(found) for found in material.detail("device")), None)
    facts += [("device", device)] if device else []
    if facts:
        yield table(
            ("", ""), [(cell(name, kind="th", scope="row"), name_of(value)) for name, value in facts], caption="Inputs"
        )
    if len(marks) > 1:
        yield tag(
            "p", "The trials were trained on different datasets; their values cannot be compared.", class_="warning"
        )
    yield from _classes(material)
    yield from _arguments(material)
    yield from _versions(material)


def _rows(material: Material) -> Iterator[tuple[str, Any]]:
    rows = material.dataset.get("rows")
    yield from cast("dict[str, Any]", rows).items() if isinstance(rows, dict) else ()


def _classes(material: Material) -> Iterator[Html]:
    counts = class_counts(material.dataset)
    if counts:
        heads = [f"class {number}" for number in range(max(map(len, counts.values())))]
        rows = [
            (cell(split, name_of(split), kind="th", scope="row"), *map(cell, found)) for split, found in counts.items()
        ]
        yield table(("split", *heads), rows, caption="Rows of each class")


def _arguments(material: Material) -> Iterator[Html]:
    best = next((cast("dict[str, Any]", one) for one in material.detail("arguments") if isinstance(one, dict)), None)
    if best is None:
        yield note("No effective arguments are recorded.")
        return
    differing = differing_arguments(material)
    if differing:
        yield paragraph(f"Effective arguments that differ between trials: {', '.join(differing)}.")
    whose = f"trial {material.best.number + 1}" if material.best else "the first trial that recorded them"
    rows = [
        (cell(name, name_of(name), kind="th", scope="row"), name_of(clipped(value_text(value), 200)))
        for name, value in sorted(best.items())
    ]
    shown = table(("argument", "value"), rows, caption=f"Effective arguments of {whose}")
    yield tag("details", tag("summary", f"All {len(rows)} effective training arguments of {whose}"), shown)


def _versions(material: Material) -> Iterator[Html]:
    versions = cast("dict[str, Any]", material.status.record.get("versions") or {})
    if versions:
        rows = [(cell(name, kind="th", scope="row"), value_text(version)) for name, version in versions.items()]
        yield table(("software", "version"), rows, caption="Versions with which the sweep was last run")
