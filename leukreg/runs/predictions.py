"""Predictions as one CSV table: a row per scored image, a column per class.

Where probabilities were calibrated the raw ones stand beside them, where there are conformal sets
each class's membership, 0 or 1; once a run is scored, the group that counts as one in intervals.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast, get_args

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
    names = [cell(name) for name in predictions.classes]
    columns = [
        [str(row) for row in predictions.row.tolist()],
        [cell(value) for value in predictions.id],
        [cell(value) for value in predictions.path],
        [cell(value) for value in predictions.patient],
        list(predictions.origin),
        [str(fold) for fold in predictions.fold.tolist()],
        [names[label] for label in predictions.label.tolist()],
        _decisions(predictions, names),
        [number(value) for value in predictions.uncertainty.tolist()],
        [number(value) for value in predictions.mutual_information.tolist()],
    ]
    header = list(HEAD)
    if predictions.group is not None:
        header.append(GROUP)
        columns.append([str(group) for group in predictions.group.tolist()])
    for prefix, values in _blocks(predictions):
        header += [cell(prefix + name) for name in predictions.classes]
        written = str if prefix == SET else number
        columns += [[written(value) for value in column] for column in values.T.tolist()]
    write_table(path, header, zip(*columns, strict=True))


def _blocks(predictions: Predictions) -> Iterator[tuple[str, NDArray[Any]]]:
    """What has a column per class."""
    yield PREFIX, predictions.probabilities
    if predictions.raw is not None:
        yield RAW, predictions.raw
    if predictions.sets is not None:
        yield SET, predictions.sets.astype(np.int64)


def _decisions(predictions: Predictions, names: list[str]) -> list[str]:
    if predictions.decision is None:
        return [""] * len(predictions)
    return [names[index] for index in predictions.decision.tolist()]


def read_predictions(path: Path) -> Predictions:
    """Read the table back, bit by bit.

    Raises:
        RunError: The file is missing or damaged.
    """
    header, lines = read_table(path, HEAD)
    try:
        grouped = header[len(HEAD) : len(HEAD) + 1] == [GROUP]
        names = [sure(column) for column in header[len(HEAD) + grouped :]]
        classes = tuple(name[len(PREFIX) :] for name in names if name.startswith(PREFIX))
        return _table(classes, _kinds(names, classes), lines, grouped)
    except (ValueError, KeyError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def _kinds(names: list[str], classes: tuple[str, ...]) -> list[str]:
    """The prefixes of the blocks of columns, each block with a column per class."""
    kinds = [PREFIX]
    kinds += [kind for kind in (RAW, SET) if any(name.startswith(kind) for name in names)]
    expected = [kind + name for kind in kinds for name in classes]
    strange = [name for name in names if name not in expected]
    if strange or names != expected:
        what = repr(strange[0]) if strange else repr(names)
        raise ValueError(f"column {what} is no class's probability")
    return kinds


def _table(
    classes: tuple[str, ...], kinds: list[str], lines: list[list[str]], grouped: bool
) -> Predictions:
    index: dict[str | None, int] = {name: i for i, name in enumerate(classes)}
    k, n = len(classes), len(lines)
    columns = list(zip(*lines, strict=True)) or [()] * (len(HEAD) + grouped + k * len(kinds))
    answers = [text(value) for value in columns[7]]

    def block(kind: str) -> NDArray[np.float64] | None:
        if kind not in kinds:
            return None
        start = len(HEAD) + grouped + k * kinds.index(kind)
        values = np.array([[float(x) for x in column] for column in columns[start : start + k]])
        return np.ascontiguousarray(values.reshape(k, n).T)

    p, sets = block(PREFIX), block(SET)
    assert p is not None
    return Predictions(
        classes=classes,
        row=np.array([int(x) for x in columns[0]], dtype=np.int64),
        id=tuple(sure(x) for x in columns[1]),
        path=tuple(sure(x) for x in columns[2]),
        patient=tuple(text(x) for x in columns[3]),
        origin=tuple(_origin(x) for x in columns[4]),
        fold=np.array([int(x) for x in columns[5]], dtype=np.int64),
        label=np.array([index[text(x)] for x in columns[6]], dtype=np.int64),
        probabilities=p,
        uncertainty=np.array([float(x) for x in columns[8]], dtype=np.float64),
        mutual_information=np.array([float(x) for x in columns[9]], dtype=np.float64),
        decision=_indices(answers, index),
        raw=block(RAW),
        sets=None if sets is None else sets == 1,
        group=np.array([int(x) for x in columns[len(HEAD)]], dtype=np.int64) if grouped else None,
    )


def _indices(
    answers: list[str | None], index: dict[str | None, int]
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    if answers and all(answer is None for answer in answers):
        return None
    return np.array([index[answer] for answer in answers], dtype=np.int64)


def _origin(value: str) -> Origin:
    if value not in get_args(Origin):
        raise ValueError(f"no origin of an image: {value!r}")
    return cast("Origin", value)
