"""Scores that may be undefined, and why they are."""

from __future__ import annotations

from collections.abc import Iterable

from leukreg import Predictions, Score


def scored(name: str, value: float, why: str, label: str | None = None) -> Score:
    """A score, undefined where the value is NaN."""
    if value != value:
        return Score(name=name, value=None, label=label, why=why)
    return Score(name=name, value=float(value), label=label)


def absent(predictions: Predictions) -> list[str]:
    present = set(predictions.label.tolist())
    return [name for i, name in enumerate(predictions.classes) if i not in present]


def no_row(names: Iterable[str]) -> str:
    return f"no row of {', '.join(names)}"
