"""The space of a search: what is varied, from where to where, and how its points are named."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from leukreg.recipe.mistakes import undotted
from leukreg.recipe.reference import toml

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution

T = TypeVar("T")
DIGITS = 4
"""Of a drawn figure, as names show it."""


@dataclass(frozen=True, kw_only=True)
class Range:
    """Values between two ends, both included; integers where both ends are."""

    low: int | float
    high: int | float
    log: bool = False
    """Drawn evenly over orders of magnitude."""

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"low = {self.low} is not below high = {self.high}")
        if self.log and self.low <= 0:
            raise ValueError(f"log = true needs low above 0, not {self.low}")

    @property
    def ends(self) -> tuple[int | float, int | float]:
        """Of one type, since a recipe tells 1 from 1.0."""
        if self.whole:
            return self.low, self.high
        return float(self.low), float(self.high)

    @property
    def whole(self) -> bool:
        return isinstance(self.low, int) and isinstance(self.high, int)


Axis = Range | tuple[Any, ...]
"""A range, or values one by one."""


def distributions(axes: Mapping[str, Axis]) -> dict[str, BaseDistribution]:
    """The axes as Optuna has them; of values one by one their places, since tables are none."""
    from optuna.distributions import (
        CategoricalDistribution,
        FloatDistribution,
        IntDistribution,
    )

    found: dict[str, BaseDistribution] = {}
    for key, axis in axes.items():
        if not isinstance(axis, Range):
            found[key] = CategoricalDistribution([toml(value) for value in axis])
        elif axis.whole:
            found[key] = IntDistribution(int(axis.low), int(axis.high), log=axis.log)
        else:
            found[key] = FloatDistribution(*axis.ends, log=axis.log)
    return found


def values_of(axes: Mapping[str, Axis], drawn: Mapping[str, Any]) -> dict[str, Any]:
    """What a recipe is given for what Optuna drew, in the order of the axes."""
    return {
        key: drawn[key]
        if isinstance(axis, Range)
        else next(value for value in axis if toml(value) == drawn[key])
        for key, axis in axes.items()
    }


def shown(chosen: Mapping[str, Any], axes: Mapping[str, Axis]) -> Iterator[str]:
    """ "backbone=resnet18" for ``model.backbone.use``, as short as axes are told apart."""
    short = {one: undotted(one.removesuffix(".use"))[-1] for one in axes}
    times = Counter(short.values())
    for key, value in chosen.items():
        if isinstance(value, Mapping) and "use" in value:
            value = ", ".join(str(one) for one in value.values())
        if isinstance(axes[key], Range) and isinstance(value, float):
            value = f"{value:.{DIGITS}g}"
        name = short[key] if times[short[key]] == 1 else key
        yield f"{name}={value if isinstance(value, str) else toml(value)}"


def spread(points: Iterator[T], count: int, most: int) -> Iterator[T]:
    """All of so many points, or ``most`` evenly over them, the first and the last among them."""
    if count <= most:
        return points
    taken = {round(n * (count - 1) / (most - 1)) for n in range(most)}
    return itertools.compress(points, (n in taken for n in range(count)))
