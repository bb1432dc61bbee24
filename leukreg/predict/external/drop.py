"""How much worse a model does elsewhere, with an interval from both sides."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from leukreg.evaluate.bootstrap import Resampling, percentiles, resampling
from leukreg.evaluate.rows import take
from leukreg.evaluate.scoring import declared, default_metric, main_ones
from leukreg.recipe.model import EvaluateSpec
from leukreg.registry import Registry
from leukreg.seeds import derive
from leukreg.types import Predictions

Key = tuple[str, str | None]
Draws = Mapping[Key, NDArray[np.float64]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """One figure on both sides."""

    name: str
    label: str | None
    """The class it belongs to; None for the whole."""
    original: float | None
    here: float | None
    drop: float | None
    """Original less here; None where either is undefined."""
    low: float | None = None
    high: float | None = None
    """95 % interval of the drop."""


def drops(
    original: Predictions,
    here: Predictions,
    spec: EvaluateSpec,
    seed: int,
    registry: Registry,
) -> tuple[tuple[Drop, ...], str]:
    """The figures of both sides with the drop, and how its interval was made.

    Only rows of classes that both have are compared, and means over the classes (such as the
    balanced accuracy) are of these classes. The two sides are resampled independently of each
    other, each by patient where its patients are known.
    """
    shared = sorted(set(original.label.tolist()) & set(here.label.tolist()))
    sides = [take(rows, np.flatnonzero(np.isin(rows.label, shared))) for rows in (original, here)]
    names = [here.classes[index] for index in shared]
    metrics, known = _metrics(registry), declared(registry)
    means = {one.name: one.mean_of for one in main_ones(known) if one.mean_of is not None}
    asked = _Asked(metrics, means, names)
    values = [_drawn(asked, rows, np.ones((len(rows), 1))) for rows in sides]
    plans = [
        resampling(rows, spec.bootstrap, derive(seed, "drop", side))
        for side, rows in enumerate(sides)
    ]
    draws: list[Draws] = [{}, {}]
    first, second = plans
    how = "no interval: fewer than two rows or patients on a side, or none was asked for"
    if first is not None and second is not None:
        draws = [_all(asked, rows, plan)
                 for rows, plan in zip(sides, (first, second), strict=True)]  # fmt: skip
        how = f"{first.says()} of the original and {second.of} here, independently"
    whole = [one for one in main_ones(known) if one.higher_is_better is not None]
    keys: list[Key] = [(one.name, None) for one in whole]
    keys += [(one.mean_of, name) for one in whole if one.headline and one.mean_of for name in names]
    return tuple(_drop(key, values, draws) for key in keys if key in values[0]), how


def _drop(key: Key, values: Sequence[Draws], draws: Sequence[Draws]) -> Drop:
    one, two = (float(side[key][0]) for side in values)
    bounds = None
    if all(key in side for side in draws):
        bounds = percentiles(draws[0][key] - draws[1][key])
    defined = np.isfinite(one) and np.isfinite(two)
    return Drop(
        name=key[0],
        label=key[1],
        original=one if np.isfinite(one) else None,
        here=two if np.isfinite(two) else None,
        drop=one - two if defined else None,
        low=bounds[0] if bounds and defined else None,
        high=bounds[1] if bounds and defined else None,
    )


def _metrics(registry: Registry) -> list[Any]:
    """Every metric that resamples fast, whatever the recipe names."""
    found = [default_metric(name, registry) for name in registry.names("metric")]
    return [metric for metric in found if callable(getattr(metric, "resampled", None))]


@dataclass(frozen=True, slots=True)
class _Asked:
    metrics: Sequence[Any]
    means: Mapping[str, str]
    """Figures of the whole, and those of single classes that they are the means of."""
    names: Sequence[str]
    """Classes that both sides have."""


def _all(asked: _Asked, rows: Predictions, plan: Resampling) -> Draws:
    parts = [_drawn(asked, rows, weights) for weights in plan.weights()]
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _drawn(asked: _Asked, rows: Predictions, weights: NDArray[np.float64]) -> Draws:
    found: dict[Key, NDArray[np.float64]] = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for metric in asked.metrics:
            with suppress(Exception):  # a stranger's may raise anything; the run's scores say so
                found |= metric.resampled(rows, weights)
    for name, single in asked.means.items():
        parts = [found[single, label] for label in asked.names if (single, label) in found]
        if parts:
            found[name, None] = np.mean(parts, axis=0)
    return found
