"""Selecting rows of a table of predictions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter
from typing import TYPE_CHECKING, Any, TypeVar

from leukreg.types import Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

T = TypeVar("T")


def take(predictions: Predictions, rows: NDArray[np.int64]) -> Predictions:
    """The rows at these positions, in this order; a position may stand several times."""
    return replace(
        predictions,
        row=predictions.row[rows],
        id=_pick(predictions.id, rows),
        path=_pick(predictions.path, rows),
        patient=_pick(predictions.patient, rows),
        origin=_pick(predictions.origin, rows),
        fold=predictions.fold[rows],
        label=predictions.label[rows],
        probabilities=predictions.probabilities[rows],
        uncertainty=predictions.uncertainty[rows],
        mutual_information=predictions.mutual_information[rows],
        decision=None if predictions.decision is None else predictions.decision[rows],
        raw=None if predictions.raw is None else predictions.raw[rows],
        sets=None if predictions.sets is None else predictions.sets[rows],
        group=None if predictions.group is None else predictions.group[rows],
    )


def joined(parts: Sequence[Predictions]) -> Predictions:
    """The rows of all parts, one after the other; what scoring adds is left out."""
    import numpy as np

    def column(name: str) -> Any:
        return np.concatenate([getattr(part, name) for part in parts])

    def cells(name: str) -> Any:
        return tuple(value for part in parts for value in getattr(part, name))

    return Predictions(
        classes=parts[0].classes,
        row=column("row"),
        id=cells("id"),
        path=cells("path"),
        patient=cells("patient"),
        origin=cells("origin"),
        fold=column("fold"),
        label=column("label"),
        probabilities=column("probabilities"),
        uncertainty=column("uncertainty"),
        mutual_information=column("mutual_information"),
    )


def _pick(values: tuple[T, ...], rows: NDArray[np.int64]) -> tuple[T, ...]:
    if len(rows) == 0:
        return ()
    if len(rows) == 1:
        return (values[int(rows[0])],)
    return itemgetter(*rows.tolist())(values)  # type: ignore[no-any-return]
