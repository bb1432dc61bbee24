"""Predictions as sections of text and tables, as CSV and as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from leukreg.section import Section, Table
from leukreg.text import as_cell, counted, csv_text, json_text, percent, rounded

if TYPE_CHECKING:
    from leukreg.predict.prediction_table import Predicted
    from leukreg.record import RunRecord


SHOWN = 40
"""Rows printed without ``--all``; flagged ones come first."""
_FLAG = re.compile("( of training image| from the|:).*")


def sections(found: Predicted, result: RunRecord, everything: bool = False) -> Iterator[Section]:
    """What was predicted: counts and notes, then row by row."""
    yield Section(title="Predictions", text=tuple(_summary(found, result)))
    if found.of_patients is not None:
        yield _of_patients(found, found.of_patients, everything)
    rows: Sequence[int] = range(len(found))
    if not everything:
        rows = sorted(rows, key=lambda row: not found.flags(row))[:SHOWN]
    left_out = (
        f"{len(rows)} of {len(found):,}, flagged ones first; --all prints every one, --csv or "
        "--json writes them."
    )
    names = _below(found.name)
    yield Section(
        title="Images",
        text=(left_out,) if len(rows) < len(found) else (),
        tables=(_table(found, rows, names),),
    )
    details = tuple(_details(found, rows, names))
    if details:
        yield Section(title="What the flags mean", text=details)


def _of_patients(found: Predicted, of: Predicted, everything: bool) -> Section:
    """A row a patient, with the image of most weight; each folder of images is taken for one."""
    rows = range(len(of) if everything else min(SHOWN, len(of)))
    images: dict[str, list[int]] = {}
    for place, patient in enumerate(found.patient or ()):
        images.setdefault(patient, []).append(place)
    table = _table(of, rows, list(of.name))
    body = tuple(
        (name, f"{len(images[name]):,}", *line, _heaviest(found, images[name]))
        for name, *line in table.rows
    )
    columns = ("patient", "images", *table.columns[1:], "of most weight")
    cut = (
        ""
        if of.threshold is None
        else (f" Answered {of.positive} from a probability of {rounded(of.threshold, 4)}.")
    )
    said = f"{len(of):,} patients; each folder of images is taken for one.{cut}"
    more = (f"The first {len(rows)}; --all prints every one.",) if len(rows) < len(of) else ()
    return Section(
        title="Patients",
        text=(said, *more),
        tables=(Table(columns=columns, rows=body),),
    )


def _heaviest(found: Predicted, places: Sequence[int]) -> str:
    """The image on which the answer about a patient rests most."""
    assert found.weight is not None
    weights = {place: float(found.weight[place]) for place in places if found.readable[place]}
    if not weights:
        return ""
    place = max(weights, key=weights.__getitem__)
    return f"{Path(found.name[place]).name} ({weights[place]:.2f})"


def _summary(found: Predicted, result: RunRecord) -> Iterator[str]:
    counts = Counter(answer for answer in found.answer if answer is not None)
    said = ", ".join(f"{counts[name]:,} {name}" for name in found.classes if counts[name])
    folds = f", the mean of {len(result.folds)} folds" if len(result.folds) > 1 else ""
    yield f"{len(found):,} images by {result.name}{folds}{f': {said}' if said else ''}."
    yield "For research, not for diagnosis."
    if result.samples.weak:
        yield (
            "The run knew labels of patients alone: the answer of an image is what it speaks for "
            "by itself, not what cell it shows."
        )
    if found.threshold is not None:
        cuts = [one.threshold for one in result.fitted.thresholds]
        mean = ""
        if len(set(cuts)) > 1:
            mean = (
                f": the mean of {len(cuts)} folds' thresholds ({rounded(min(cuts), 4)} to "
                f"{rounded(max(cuts), 4)}), never scored itself"
            )
        cut = rounded(found.threshold, 4)
        yield f"Answered {found.positive} from a probability of {cut}{mean}."
        positive = result.positive
        if positive is not None and not positive.stated:
            yield f"! Positive class: {positive.says()}."
    if found.coverage is not None:
        yield (
            f"A set holds the true class of at least {percent(found.coverage, 0)} of images like "
            "the run's own."
        )
    yield from (f"! {line}" for line in _flagged(found))
    yield from (f"{note[:1].upper()}{note[1:]}." for note in found.notes)


def _flagged(found: Predicted) -> Iterator[str]:
    unreadable = int((~found.readable).sum())
    if unreadable:
        yield f"{unreadable:,} of {len(found):,} images cannot be read."
    if found.far is not None and found.far.any():
        far = counted(int(found.far.sum()), "image")
        yield f"Far from the training data, not to be relied on: {far}."
    copies = sum(name is not None for name in found.copy_of or ())
    copies += sum(name is not None for name in found.near_copy_of or ())
    if copies:
        known = counted(copies, "image")
        yield f"Copies of training images, which say nothing of new ones: {known}."


def _table(found: Predicted, rows: Sequence[int], names: Sequence[str]) -> Table:
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


def _details(found: Predicted, rows: Sequence[int], names: Sequence[str]) -> Iterator[str]:
    """Which training image a copy shows, and why an image cannot be read."""
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


def as_csv(found: Predicted, what: str = "image") -> str:
    """The columns of ``predict_table``; each text as :func:`leukreg.text.as_cell` has it.

    Args:
        what: The name of the first column.
    """
    frame = found.frame().rename(columns={"image": what})
    rows = (map(_written, row) for row in frame.itertuples(index=False, name=None))
    return csv_text([map(as_cell, frame.columns), *rows])


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
    if found.of_patients is not None:
        of = found.of_patients
        data["patients"] = [{"patient": one.pop("image"), **one} for one in of.records()]
        data["patient_threshold"] = of.threshold

    return json_text(data)
