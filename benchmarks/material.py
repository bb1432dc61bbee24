"""What the benchmarks train on: recipes of built-in plugins, and images held in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg import Fold, Labels, Sample, Samples
from leukreg.recipe import Recipe, parse

NAMES = ("Benign", "ALL")
LABELS = Labels(names=NAMES, counts=(1, 1), positive="ALL")

RECIPE = """
schema = 1
data = {{ use = "demo" }}
image = {{ size = {size} }}
loss = "cross-entropy"
training = {{ batch_size = 32, feature_views = {views} }}
evaluate = {{ mc_dropout = {{ passes = 30 }} }}
[model]
backbone = {{ use = "resnet18", weights = "random" }}
head = {{ use = "mlp", widths = [256], dropout = 0.5 }}
[[phase]]
name = "only"
unfreeze = {unfreeze}
epochs = {epochs}
optimizer = {{ use = "adam", lr = 1e-4 }}
"""


@dataclass(frozen=True)
class InMemory:
    """Random images that need no decoding."""

    samples: Samples
    array: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        return self.array[list(rows)]


def images(n: int, size: int) -> InMemory:
    """``n`` noise images, every other one of each class."""
    array = np.random.default_rng(0).integers(0, 256, (n, size, size, 3), dtype=np.uint8)
    rows = tuple(Sample(id=f"{i}", path=f"{i}.png", label=NAMES[i % 2]) for i in range(n))
    return InMemory(Samples(rows=rows, classes=NAMES), array)


def everything(n: int) -> Fold:
    """All rows train; none is watched or tested."""
    return Fold(index=0, train=tuple(range(n)), validation=(), test=())


def recipe(size: int, epochs: int, unfreeze: str = '"all"', views: int = 0) -> Recipe:
    return parse(RECIPE.format(size=size, epochs=epochs, unfreeze=unfreeze, views=views))
