"""Predictions as a console table, CSV and JSON."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.errors import Problem, Problems
from leukreg.positive import positive_in
from leukreg.text import as_cell, json_text, percent, rounded
from leukreg.types import Section, Table

if TYPE_CHECKING:
    from rich.console import Console

    from leukreg.predict.prediction_table import Predicted
    from leukreg.record import RunRecord


SHOWN = 40
"""Rows printed without ``--all``; flagged ones come first."""
_FLAG = re.compile("( of training image| from the|:).*")


def refuse_existing(paths: Sequence[Path]) -> None:
    """Nothing is overwritten: say so before any work.

    What a killed command had in place while it moved another of these is its own remains.

    Raises:
        Problems: A path exists already.
    """
    from leukreg.files import left_behind

    if any(left_behind(path) for path in paths if not path.exists()):
        return
    there = [Problem("exists already; name another file", str(path))
             for path in paths if path.exists()]  # fmt: skip
    if there:
        raise Problems(there, closing="nothing was predicted.")


def show(
    found: Predicted,
    result: RunRecord,
    console: Console,
    everything: bool = False,
) -> None:
    """Print what was predicted: counts, notes, then row by row."""
    from leukreg.report.console import render

    render(_summary(found, result), console)
    flagged_first = sorted(range(len(found)), key=lambda row: not found.flags(row))
    rows = range(len(found)) if everything else flagged_first[:SHOWN]
    table = _table(found, rows)
    render(Section(title="Images", text=tuple(_left_out(found, rows)), tables=(table,)), console)
    details = tuple(_details(found, rows))
    if details:
        render(Section(title="What the flags mean", text=details), console)


def _summary(found: Predicted, result: RunRecord) -> Section:
    counts = Counter(answer for answer in found.answer if answer is not None)
    said = ", ".join(f"{counts[name]:,} {name}" for name in found.classes if counts[name])
    folds = len(result.folds)
    text = [
        f"{len(found):,} images by {result.name}"
        + (f", the mean of {folds} folds" if folds > 1 else "")
        + (f": {said}." if said else "."),
        "For research, not for diagnosis.",
    ]
    if found.threshold is not None:
        cuts = [one.threshold for one in result.fitted.thresholds]
        mean = (
            f": the mean of {len(cuts)} folds' thresholds ({rounded(min(cuts), 4)} to "
            f"{rounded(max(cuts), 4)}), never scored itself"
            if len(set(cuts)) > 1
            else ""
        )
        text.append(
            f"Answered {found.positive} from a probability of {rounded(found.threshold, 4)}{mean}."
        )
        positive = positive_in(result.recipe, found.classes)
        if positive is not None and not positive.stated:
            text.append(f"! Positive class: {positive.says()}.")
    if found.coverage is not None:
        text.append(
            f"A set holds the true class of at least {percent(found.coverage, 0)} of images like "
            "the run's own."
        )
    text += [f"! {line}" for line in _flagged(found)]
    text += [f"{note[:1].upper()}{note[1:]}." for note in found.notes]
    return Section(title="Predictions", text=tuple(text))


def _flagged(found: Predicted) -> Iterator[str]:
    unreadable = int((~found.readable).sum())
    if unreadable:
        yield f"{unreadable:,} of {len(found):,} images cannot be read."
    if found.far is not None and found.far.any():
        yield f"{int(found.far.sum()):,} lie far from the training data: do not rely on these."
    copies = sum(name is not None for name in found.copy_of or ())
    copies += sum(name is not None for name in found.near_copy_of or ())
    if copies:
        yield f"{copies:,} are copies of training images: they say nothing of new ones."


def _left_out(found: Predicted, rows: Sequence[int]) -> Iterator[str]:
    if len(rows) < len(found):
        yield (
            f"{len(rows)} of {len(found):,}, flagged ones first; --all prints every one, "
            "--csv or --json writes them."
        )


def _table(found: Predicted, rows: Sequence[int]) -> Table:
    names = _below(found.name)
    cells = [dict(_cells(found, row)) for row in rows]
    columns = ("image", *(cells[0] if cells else ()))
    body = tuple((names[row], *line.values()) for row, line in zip(rows, cells, strict=True))
    return Table(columns=columns, rows=body)


def _cells(found: Predicted, row: int) -> Iterator[tuple[str, str]]:
    """Column and cell of one row."""
    index = int(found.decision[row])
    read = index >= 0
    yield "answer", found.classes[index] if read else "-"
    yield "p", rounded(found.probabilities[row, index]) if read else "-"
    yield "entropy", rounded(found.uncertainty[row]) if read else "-"
    if found.mutual_information is not None:
        yield "mutual inf.", rounded(found.mutual_information[row]) if read else "-"
    if found.sets is not None:
        yield "set", ", ".join(found.set_of(row) or ()) or "-"
    if found.distance is not None:
        yield "distance", f"{found.distance[row]:.2f}" if read else "-"
    yield "flags", ", ".join(_FLAG.sub("", flag) for flag in found.flags(row))


def _details(found: Predicted, rows: Sequence[int]) -> Iterator[str]:
    """Which training image a copy shows, and why an image cannot be read."""
    names = _below(found.name)
    for row in rows:
        for flag in found.flags(row):
            if not flag.startswith("far"):
                yield f"  {names[row]}: {flag.removeprefix('unreadable: ')}"


def _below(names: Sequence[str]) -> list[str]:
    """Names without the folders that all of them share."""
    folders = [Path(name).parent.parts for name in names]
    shared = 0
    for parts in zip(*folders, strict=False):
        if len(set(parts)) > 1:
            break
        shared += 1
    return [str(Path(*Path(name).parts[shared:])) for name in names]


def as_csv(found: Predicted, result: RunRecord) -> str:
    """The columns of ``predict_table``; each text as :func:`leukreg.text.as_cell` has it."""
    frame = found.frame()
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(as_cell(name) for name in frame.columns)
    for row in frame.itertuples(index=False, name=None):
        writer.writerow(map(_written, row))
    return buffer.getvalue()


def _written(value: Any) -> str:
    import pandas as pd

    if isinstance(value, tuple):
        value = "|".join(value)
    if isinstance(value, str):
        return as_cell(value) if value else ""
    if pd.isna(value):
        return ""
    return repr(value.item() if hasattr(value, "item") else value)


def as_json(found: Predicted, result: RunRecord) -> str:
    """Everything, with what the figures mean beside them."""
    data = {
        "run": str(result.folder),
        "classes": found.classes,
        "folds": len(result.folds),
        "threshold": found.threshold,
        "positive": found.positive,
        "coverage": found.coverage,
        "notes": found.notes,
        "readings": list(map(str, found.readings)),
        "images": list(found.records()),
    }
    return json_text(data)
