"""Predictions as one CSV table: a row per scored image, a column per class.

Where probabilities were calibrated the raw ones stand beside them, where there are conformal sets
each class's membership, 0 or 1; once a run is scored, the group that counts as one in intervals.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import cast, get_args

import numpy as np
from numpy.typing import NDArray

from leukreg.runs.codec import cell, damaged, number, read_table, sure, text, write_table
from leukreg.types import Origin, Predictions

HEAD = (
    "row",
    "id",
    "path",
    "patient",
    "origin",
    "fold",
    "label",
    "decision",
    "uncertainty",
    "mutual_information",
)
GROUP = "group"
"""A further column before those of the classes, in scored tables."""
PREFIX = "p:"
"""Begins the header of a class's probability: ``p:Benign``."""
RAW, SET = "raw:", "set:"
"""Begin the headers of its raw probability and of its place in the conformal set."""


def write_predictions(path: Path, predictions: Predictions) -> None:
    """Write the table; floats keep all their digits."""
    p, names = predictions, [cell(name) for name in predictions.classes]
    decided = [] if p.decision is None else p.decision.tolist()
    columns: dict[str, Iterable[str]] = {
        "row": map(str, p.row.tolist()),
        "id": map(cell, p.id),
        "path": map(cell, p.path),
        "patient": map(cell, p.patient),
        "origin": p.origin,
        "fold": map(str, p.fold.tolist()),
        "label": [names[label] for label in p.label.tolist()],
        "decision": [names[answer] for answer in decided] or [""] * len(p),
        "uncertainty": map(number, p.uncertainty.tolist()),
        "mutual_information": map(number, p.mutual_information.tolist()),
    }
    if p.group is not None:
        columns[GROUP] = map(str, p.group.tolist())
    sets = None if p.sets is None else p.sets.astype(np.int64)
    for prefix, values in ((PREFIX, p.probabilities), (RAW, p.raw), (SET, sets)):
        for name, column in zip(p.classes, () if values is None else values.T, strict=False):
            columns[cell(prefix + name)] = map(str if prefix == SET else number, column.tolist())
    write_table(path, [*columns], zip(*columns.values(), strict=True))


def read_predictions(path: Path) -> Predictions:
    """Read the table back, bit by bit.

    Raises:
        RunError: The file is missing or damaged.
    """
    header, lines = read_table(path, HEAD)
    try:
        cells = zip(*lines, strict=True) if lines else [()] * len(header)
        return _table(dict(zip(header, cells, strict=True)))
    except (ValueError, KeyError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def _blocks(columns: Mapping[str, Sequence[str]]) -> dict[str, NDArray[np.float64]]:
    """What has a column for each class: an array ``(n, k)`` by prefix."""
    names = [sure(column) for column in columns if column not in (*HEAD, GROUP)]
    kinds = [kind for kind in (PREFIX, RAW, SET) if any(name.startswith(kind) for name in names)]
    classes = _classes(names)
    expected = [kind + name for kind in kinds for name in classes]
    strange = [name for name in names if name not in expected]
    if strange or names != expected:
        what = repr(strange[0]) if strange else repr(names)
        raise ValueError(f"column {what} is no class's probability")
    return {
        kind: np.ascontiguousarray(
            np.array([[float(x) for x in columns[cell(kind + name)]] for name in classes]).T
        )
        for kind in kinds
    }


def _classes(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(name[len(PREFIX) :] for name in names if name.startswith(PREFIX))


def _table(columns: Mapping[str, Sequence[str]]) -> Predictions:
    blocks, classes = _blocks(columns), _classes(map(sure, [*columns]))
    index = {name: i for i, name in enumerate(classes)}
    answers = columns["decision"]
    if strange := {*columns["origin"]} - {*get_args(Origin)}:
        raise ValueError(f"no origin of an image: {min(strange)!r}")

    def numbers(name: str) -> NDArray[np.int64]:
        return np.array([int(x) for x in columns[name]], dtype=np.int64)

    def of_classes(cells: Iterable[str]) -> NDArray[np.int64]:
        return np.array([index[sure(x)] for x in cells], dtype=np.int64)

    return Predictions(
        classes=classes,
        row=numbers("row"),
        id=tuple(map(sure, columns["id"])),
        path=tuple(map(sure, columns["path"])),
        patient=tuple(map(text, columns["patient"])),
        origin=cast("tuple[Origin, ...]", tuple(columns["origin"])),
        fold=numbers("fold"),
        label=of_classes(columns["label"]),
        probabilities=blocks.get(PREFIX, np.zeros((len(answers), 0))),
        uncertainty=np.array([float(x) for x in columns["uncertainty"]]),
        mutual_information=np.array([float(x) for x in columns["mutual_information"]]),
        decision=None if answers and not any(answers) else of_classes(answers),
        raw=blocks.get(RAW),
        sets=blocks[SET] == 1 if SET in blocks else None,
        group=numbers(GROUP) if GROUP in columns else None,
    )
