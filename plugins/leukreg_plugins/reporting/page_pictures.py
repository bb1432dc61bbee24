"""Rows a person would want to look at: the surest mistakes, the least certain answers."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from leukreg import Picture, RunRecord

MOST = 12


def mistakes(result: RunRecord) -> list[int]:
    """Places of wrong answers, the most probable first; a file once."""
    rows = result.predictions
    answer = rows.answers
    sure = rows.probabilities[np.arange(len(rows)), answer]
    wrong = np.flatnonzero(answer != rows.label)
    return _once(result, wrong[np.argsort(-sure[wrong], kind="stable")].tolist())


def uncertain(result: RunRecord) -> list[int]:
    """Places of all answers, the most uncertain first; a file once."""
    order = np.argsort(-result.predictions.uncertainty, kind="stable")
    return _once(result, order.tolist())


def _once(result: RunRecord, places: Iterable[int]) -> list[int]:
    first: dict[str, int] = {}
    for place in places:
        first.setdefault(result.predictions.id[place], place)
    return list(first.values())


def pictures(result: RunRecord, places: Iterable[int]) -> tuple[Picture, ...]:
    """The rows as pictures, with what they are, what was answered, and how sure."""
    rows, answer = result.predictions, result.predictions.answers
    return tuple(
        Picture(
            id=rows.id[place],
            path=rows.path[place],
            origin=rows.origin[place],
            caption=_caption(result, place, int(answer[place])),
            row=place,
        )
        for place in places
    )


def _caption(result: RunRecord, place: int, answer: int) -> tuple[str, ...]:
    rows = result.predictions
    label = int(rows.label[place])
    p = rows.probabilities[place]
    first = f"right: {rows.classes[label]}"
    if answer != label:
        first = f"is {rows.classes[label]}, taken for {rows.classes[answer]}"
    sure = (f"p = {p[answer]:.3f}", f"entropy {rows.uncertainty[place]:.3f}")
    patient = rows.patient[place]
    who = () if patient is None else (f"patient {patient}",)
    return first, *sure, *who, rows.id[place].rpartition("/")[2]
