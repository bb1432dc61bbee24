"""Predictions as one CSV table: a row per scored image, a column per class."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leukreg.runs.cells import cell, number, read_table, sure, text, write_table
from leukreg.runs.files import damaged
from leukreg.runs.tables import origin
from leukreg.types import Predictions

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
PREFIX = "p:"
"""Begins the header of a class's probability: ``p:Benign``."""


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
        *([number(p) for p in column] for column in predictions.probabilities.T.tolist()),
    ]
    header = [*HEAD, *(cell(PREFIX + name) for name in predictions.classes)]
    write_table(path, header, zip(*columns, strict=True))


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
        classes = tuple(_class_name(column) for column in header[len(HEAD) :])
        return _table(classes, lines)
    except (ValueError, KeyError) as error:
        raise damaged(path, f"{type(error).__name__}: {error}") from error


def _class_name(column: str) -> str:
    name = sure(column)
    if not name.startswith(PREFIX):
        raise ValueError(f"column {column!r} is no class's probability")
    return name.removeprefix(PREFIX)


def _table(classes: tuple[str, ...], lines: list[list[str]]) -> Predictions:
    index: dict[str | None, int] = {name: i for i, name in enumerate(classes)}
    columns = list(zip(*lines, strict=True)) or [()] * (len(HEAD) + len(classes))
    answers = [text(value) for value in columns[7]]
    p = np.array([[float(x) for x in column] for column in columns[len(HEAD) :]])
    return Predictions(
        classes=classes,
        row=np.array([int(x) for x in columns[0]], dtype=np.int64),
        id=tuple(sure(x) for x in columns[1]),
        path=tuple(sure(x) for x in columns[2]),
        patient=tuple(text(x) for x in columns[3]),
        origin=tuple(origin(x) for x in columns[4]),
        fold=np.array([int(x) for x in columns[5]], dtype=np.int64),
        label=np.array([index[text(x)] for x in columns[6]], dtype=np.int64),
        probabilities=np.ascontiguousarray(p.reshape(len(classes), len(lines)).T),
        uncertainty=np.array([float(x) for x in columns[8]], dtype=np.float64),
        mutual_information=np.array([float(x) for x in columns[9]], dtype=np.float64),
        decision=_indices(answers, index),
    )


def _indices(
    answers: list[str | None], index: dict[str | None, int]
) -> np.ndarray[tuple[int], np.dtype[np.int64]] | None:
    if answers and all(answer is None for answer in answers):
        return None
    return np.array([index[answer] for answer in answers], dtype=np.int64)
