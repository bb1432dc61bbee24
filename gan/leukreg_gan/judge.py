"""How good a snapshot is: KID of each class to images that were kept out of the training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

MOST = 200
"""Images of a class that are compared at most."""
SMALL = 8
"""Side to which images are shrunk before their differences are measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of one snapshot."""

    kid: float | None
    """Mean over the classes with held-out images; None where there are none."""
    kid_all: float | None
    """All classes as one heap."""
    classes: Mapping[str, float] = field(default_factory=dict)
    spread: float
    """Mean over the classes with real images of how much made ones differ, against real ones."""
    spreads: Mapping[str, float] = field(default_factory=dict)
    """The same of each class that can be made, as :func:`spreads` finds it."""


class Judge:
    """Compares made images with real ones of the same class."""

    def __init__(self, held: Mapping[str, NDArray[np.uint8]], features: Features | None) -> None:
        """``held`` are pixels ``(n, size, size, 3)`` by class; without ``features`` no KID."""
        held = {label: pixels[:MOST] for label, pixels in held.items() if len(pixels) > 1}
        self.features = features
        self.known = {} if features is None else {n: features(p) for n, p in held.items()}

    def wanted(self, label: str) -> int:
        """Images of a class that :meth:`judge` should be given."""
        return max(32, len(self.known.get(label, ())))

    @property
    def held(self) -> int:
        """Held-out images that every KID rests on, of all classes together."""
        return sum(len(features) for features in self.known.values())

    def judge(self, made: Mapping[str, NDArray[np.uint8]], real: Mapping[str, float]) -> Quality:
        """Quality of made images by class; ``real`` is the real images' :func:`spread` by class."""
        by_class = spreads(made, real)
        alike = float(np.mean([by_class[name] for name in real])) if real else 1.0
        if self.features is None or not self.known:
            return Quality(kid=None, kid_all=None, spread=alike, spreads=by_class)
        found = {name: self.features(made[name]) for name in self.known}
        each = {name: distance(self.known[name], found[name]) for name in self.known}
        heaps = (np.concatenate([*side.values()]) for side in (self.known, found))
        return Quality(
            kid=float(np.mean([*each.values()])),
            kid_all=distance(*heaps),
            classes=each,
            spread=alike,
            spreads=by_class,
        )


def distance(real: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """KID of two sets of features ``(n, d)``."""
    from leukreg import kid

    return kid(real, made)[0]


def spreads(made: Mapping[str, NDArray[np.uint8]], real: Mapping[str, float]) -> dict[str, float]:
    """How much made images of each class differ, against real ones; about 1 is good.

    A class that is only described, without two real images, is held against the real class that
    differs least: nothing nearer is known, and less than that is no variety for any class.
    """
    if not real:
        return {}
    least = min(real.values())
    return {name: spread(own) / max(real.get(name, least), 1e-6) for name, own in made.items()}


def spread(pixels: NDArray[np.uint8]) -> float:
    """How much images ``(n, side, side, 3)`` differ from each other, in grey values.

    The root of the mean variance over the images, each shrunk to 8 pixels a side, so that noise
    does not count as difference.
    """
    n, side = len(pixels), pixels.shape[1]
    step = side // SMALL
    small = pixels.reshape(n, SMALL, step, SMALL, step, 3).mean(axis=(2, 4))
    return float(np.sqrt(small.var(axis=0).mean()))
