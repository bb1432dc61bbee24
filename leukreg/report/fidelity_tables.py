"""Figures of fidelity as sections of text and tables, and as JSON."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from leukreg.types import Section, Table

if TYPE_CHECKING:
    from leukreg.synthesis.fidelity import Fidelity, FidelityByClass


ALL_CLASSES = "all"
KIND = "leukreg fidelity"
MANY = 0.01
"""Part of the fakes that may be copies without the check being failed."""


def sections(found: FidelityByClass, heads: tuple[str, ...]) -> Iterator[Section]:
    """What ``leukreg fidelity`` prints.

    Args:
        heads: What is compared, in words.
    """
    overall = found.overall
    rows = [*found.classes.items(), (ALL_CLASSES, overall)]
    basis = f"by {overall.extractor}, {overall.dimensions:,} features, at {overall.size} px"
    tables = (_distances(rows), _variety(rows))
    yield Section(title="Fidelity", text=(*heads, basis), tables=tables)
    yield Section(title="To know", text=tuple(_remarks(found)))


def as_json(found: FidelityByClass, facts: Mapping[str, Any]) -> dict[str, Any]:
    """Everything as plain values, figures at full precision."""
    return {
        "kind": KIND,
        **facts,
        "overall": found.overall.table(),
        "classes": {label: one.table() for label, one in found.classes.items()},
        "left_out": dict(found.left_out),
    }


def changes(before: Mapping[str, Any], found: FidelityByClass, name: str) -> Section:
    """What changed since an earlier check, class by class.

    Raises:
        DataError: The figures rest on another extractor, size or number of images.
    """
    from leukreg.synthesis.fidelity import compare

    rows = []
    for label, one in [*found.classes.items(), (ALL_CLASSES, found.overall)]:
        kept = before["overall"] if label == ALL_CLASSES else before["classes"].get(label)
        if kept is not None:
            moved = compare(kept, one.table())
            names = ("fid", "kid", "precision", "recall", "density", "coverage")
            rows.append((label, *(_signed(moved.get(name)) for name in names)))
    columns = ("class", "FID", "KID", "precision", "recall", "density", "coverage")
    return Section(title=f"Change since {name}", tables=(Table(columns=columns, rows=tuple(rows)),))


def too_many_copies(found: Fidelity) -> bool:
    return len(found.copies) > MANY * found.fake


def _distances(rows: list[tuple[str, Fidelity]]) -> Table:
    columns = ("class", "real", "fake", "FID", "floor", "×", "KID", "±", "floor", "×")
    cells = []
    for label, one in rows:
        fid = (_short(one.fid), _short(one.floor_fid), _times(one.fid_ratio))
        kid = [_short(1000 * value) for value in (one.kid, one.kid_std, one.floor_kid)]
        counts = (f"{one.real:,}", f"{one.fake:,}")
        cells.append((label, *counts, *fid, *kid, _times(one.kid_ratio)))
    return Table(columns=columns, rows=tuple(cells))


def _variety(rows: list[tuple[str, Fidelity]]) -> Table:
    names = ("precision", "recall", "density", "coverage")
    cells = []
    for label, one in rows:
        pairs = ((getattr(one, name), getattr(one, f"floor_{name}")) for name in names)
        parts = (f"{value:.2f}/{floor:.2f}" for value, floor in pairs)
        copies = f"{len(one.copies):,}" if one.training else "-"
        cells.append((label, *parts, f"{one.told_apart:.2f}", copies))
    return Table(columns=("class", *names, "apart", "copies"), rows=tuple(cells))


def _remarks(found: FidelityByClass) -> Iterator[str]:
    overall = found.overall
    yield (
        "KID is in thousandths. The floor, also after a slash, is the same figure between halves "
        "of the real images; × is the figure over it. apart: share of real and fake images that a "
        "plain classifier tells apart; 0.50 would be ideal."
    )
    n = len(overall.copies)
    share = f"{n:,} of {overall.fake:,} fakes copy one of {overall.training:,} training images"
    yield f"! {share}" if too_many_copies(overall) else share
    if blind := [label for label, one in found.classes.items() if not one.training]:
        yield f"! {', '.join(blind)}: no training image, so copies could not be looked for"
    if overall.refused:
        yield f"! {overall.refused}"
    elif few := [label for label, one in found.classes.items() if one.refused]:
        least = 2 * overall.dimensions
        yield f"no FID of {', '.join(few)}: it needs {least:,} images a side; read KID"
    if overall.fid is not None and overall.floor_fid is None:
        yield f"no floor of FID: half of the real images are fewer than {2 * overall.dimensions:,}"
    for label, why in found.left_out.items():
        yield f"! {label}: left out, {why}"


def _short(value: float | None) -> str:
    """Three figures or so, in five places."""
    if value is None:
        return "-"
    size = abs(value)
    return f"{value:.2f}" if size < 100 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def _signed(value: float | None) -> str:
    return "-" if value is None else f"{value:+.4f}"


def _times(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"
