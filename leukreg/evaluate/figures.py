"""What metrics say of their figures: titles, which way is better, which stand for the whole."""

from __future__ import annotations

from collections.abc import Mapping

from leukreg.registry import Registry
from leukreg.types import Figure

Figures = Mapping[str, Figure]
"""By the name of their scores, in the order of the metrics."""


def declared(registry: Registry) -> Figures:
    """What the installed metrics declare in ``figures``; the first of a name counts."""
    found: dict[str, Figure] = {}
    for entry in registry:
        if entry.kind == "metric":
            for figure in getattr(entry.cls, "figures", ()):
                found.setdefault(figure.name, figure)
    return found


def main_ones(figures: Figures) -> list[Figure]:
    """Those that stand where results are compared or summed up."""
    return [figure for figure in figures.values() if figure.main]


def of_classes(figures: Figures) -> list[Figure]:
    """Those of single classes that have a mean over the classes."""
    means = {figure.mean_of for figure in figures.values()}
    return [figure for figure in figures.values() if figure.name in means]


def mean_of(figures: Figures, name: str) -> str | None:
    """The figure of the whole that is the mean of ``name`` over the classes."""
    return next((figure.name for figure in figures.values() if figure.mean_of == name), None)
