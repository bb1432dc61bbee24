"""Figures of fidelity as sections of text and tables, as JSON, and as a sheet of nearest images."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.errors import DataError
from leukreg.files import write_file
from leukreg.paths import read_regular, require_regular
from leukreg.section import Section, Table

if TYPE_CHECKING:
    from leukreg.synthesis.fidelity import Fidelity, FidelityByClass, LabelledImages

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


def changes(before: Mapping[str, Any], found: FidelityByClass, name: str) -> Section:
    """What changed since an earlier check, class by class.

    Raises:
        DataError: The figures rest on another extractor, size or number of images.
    """
    from leukreg.synthesis.fidelity import compare

    names = ("fid", "kid", "precision", "recall", "density", "coverage")
    pairs = [(label, before["classes"].get(label), one) for label, one in found.classes.items()]
    rows = []
    for label, kept, one in [*pairs, (ALL_CLASSES, before["overall"], found.overall)]:
        if kept is not None:
            moved = compare(kept, one.table())
            values = (moved.get(name) for name in names)
            rows.append((label, *("-" if v is None else f"{v:+.4f}" for v in values)))
    columns = ("class", "FID", "KID", "precision", "recall", "density", "coverage")
    return Section(title=f"Change since {name}", tables=(Table(columns=columns, rows=tuple(rows)),))


def too_many_copies(found: Fidelity) -> bool:
    return len(found.memorized.copies) > MANY * found.fake


def _distances(rows: list[tuple[str, Fidelity]]) -> Table:
    columns = ("class", "real", "fake", "FID", "floor", "×", "KID", "±", "floor", "×")
    cells = []
    for label, one in rows:
        fid = (_short(one.fid), _short(one.floor.fid), _times(one.ratio("fid")))
        kid = [_short(1000 * value) for value in (one.kid, one.kid_std, one.floor.kid)]
        counts = (f"{one.real:,}", f"{one.fake:,}")
        cells.append((label, *counts, *fid, *kid, _times(one.ratio("kid"))))
    return Table(columns=columns, rows=tuple(cells))


def _variety(rows: list[tuple[str, Fidelity]]) -> Table:
    names = ("precision", "recall", "density", "coverage")
    cells = []
    for label, one in rows:
        pairs = ((getattr(one, name), getattr(one.floor, name)) for name in names)
        parts = (f"{value:.2f}/{floor:.2f}" for value, floor in pairs)
        copies = f"{len(one.memorized.copies):,}" if one.training else "-"
        cells.append((label, *parts, f"{one.told_apart:.2f}", copies))
    return Table(columns=("class", *names, "apart", "copies"), rows=tuple(cells))


def _remarks(found: FidelityByClass) -> Iterator[str]:
    overall = found.overall
    yield (
        "KID is in thousandths. The floor, also after a slash, is the same figure between halves "
        "of the real images; × is the figure over it. apart: share of real and fake images that a "
        "plain classifier tells apart; 0.50 would be ideal."
    )
    n = len(overall.memorized.copies)
    share = f"{n:,} of {overall.fake:,} fakes copy one of {overall.training:,} training images"
    yield f"! {share}" if too_many_copies(overall) else share
    if blind := [label for label, one in found.classes.items() if not one.training]:
        yield f"! {', '.join(blind)}: no training image, so copies could not be looked for"
    if overall.refused:
        yield f"! {overall.refused}"
    elif few := [label for label, one in found.classes.items() if one.refused]:
        least = 2 * overall.dimensions
        yield f"no FID of {', '.join(few)}: it needs {least:,} images a side; read KID"
    if overall.fid is not None and overall.floor.fid is None:
        yield f"no floor of FID: half of the real images are fewer than {2 * overall.dimensions:,}"
    for label, why in found.left_out.items():
        yield f"! {label}: left out, {why}"


def _short(value: float | None) -> str:
    """Three figures or so, in five places."""
    if value is None:
        return "-"
    size = abs(value)
    return f"{value:.2f}" if size < 100 else f"{value:.1f}" if size < 1000 else f"{value:,.0f}"


def _times(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def is_check(path: Path) -> bool:
    """Whether the file holds an earlier check's figures."""
    try:
        return bool(_kind(json.loads(read_regular(path))) == KIND)
    except (OSError, ValueError):
        return False


def read_check(path: Path) -> dict[str, Any]:
    """An earlier check's figures.

    Raises:
        DataError: The file is not there or holds none.
    """
    try:
        content = json.loads(read_regular(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}") from error
    if _kind(content) != KIND or not _has_figures(content):
        raise DataError(f"{path} holds no figures of leukreg fidelity --json")
    found: dict[str, Any] = content
    return found


def write_check(path: Path, found: FidelityByClass, facts: Mapping[str, Any]) -> None:
    """Write everything as plain values, figures at full precision, whole or not at all.

    Args:
        facts: What was compared, and by what.

    Raises:
        WriteError: The file cannot be written.
    """
    content = {
        "kind": KIND,
        **facts,
        "overall": found.overall.table(),
        "classes": {label: one.table() for label, one in found.classes.items()},
        "left_out": dict(found.left_out),
    }
    text = json.dumps(content, ensure_ascii=False, indent=1)
    write_file(path, (text + "\n").encode("utf-8", "surrogatepass"))


def _has_figures(content: Mapping[str, Any]) -> bool:
    """Whether there is a comparable table over all, and one for each class."""
    from leukreg.synthesis.fidelity import is_comparable

    classes = content.get("classes")
    if not isinstance(classes, Mapping):
        return False
    return all(is_comparable(table) for table in (content.get("overall"), *classes.values()))


def _kind(content: Any) -> Any:
    return content.get("kind") if isinstance(content, dict) else None


def is_sheet(path: Path) -> bool:
    """Whether the file is an earlier check's sheet."""
    from PIL import Image

    from leukreg.synthesis.contact_sheet import MARK

    try:
        require_regular(path)
        with Image.open(path) as image:
            return bool(image.info.get("Software") == MARK)
    except (OSError, ValueError):
        return False


def write_sheet(
    path: Path, found: FidelityByClass, fakes: LabelledImages, training: LabelledImages
) -> None:
    """Write the fakes that are nearest to training images above these, by class; copies first.

    Raises:
        WriteError: The file cannot be written.
    """
    from leukreg.synthesis.contact_sheet import MARK, SHOWN, Neighbours, Strip, contact_sheet

    memorized, copies = found.overall.memorized, set(found.overall.memorized.copies)
    seen = found.training_rows
    by_class: dict[str, list[int]] = {}
    for place, row in enumerate(found.fake_rows):
        by_class.setdefault(fakes.labels[row], []).append(place)
    strips = []
    for label, own in by_class.items():
        own.sort(key=lambda place: (place not in copies, memorized.closeness[place]))
        shown = own[:SHOWN]
        below = Neighbours(
            training.pixels[[seen[memorized.nearest[place]] for place in shown]],
            [memorized.closeness[place] for place in shown],
            [place in copies for place in shown],
        )
        copied = sum(below.copies)
        text = f"{label or ALL_CLASSES}: fakes above their nearest training images"
        text += f", {copied} of these copies (red)" if copied else ""
        pixels = fakes.pixels[[found.fake_rows[place] for place in shown]]
        strips.append(Strip(text, pixels, below))
    write_file(path, contact_sheet(strips, MARK))
