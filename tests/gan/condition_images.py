"""Training images for tests of conditions: they know their rows and refuse every other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from leukreg_gan.conditions import Conditions
from numpy.typing import NDArray

from leukreg import Labels, Sample, Samples

SIZE = 8


@dataclass(frozen=True)
class Given:
    """Satisfies :class:`leukreg.Images`."""

    samples: Samples
    given: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        assert all(0 <= row < len(self) for row in rows), "a row that was not given"
        return self.given[list(rows)]


def given(counts: Mapping[str, int], seed: int = 0, around: float = 150.0) -> Given:
    """Images of noise, ``counts[name]`` of each class, called ``name/0000.png`` and so on."""
    rng = np.random.default_rng(seed)
    rows = tuple(
        Sample(id=f"{name}/{number:04d}.png", path=f"/none/{name}-{number}", label=name)
        for name, count in counts.items()
        for number in range(count)
    )
    noise = rng.normal(around, 25, (len(rows), SIZE, SIZE, 3)).clip(0, 255).astype(np.uint8)
    return Given(Samples(rows=rows, classes=tuple(counts)), noise)


def labels_of(counts: Mapping[str, int]) -> Labels:
    return Labels(names=tuple(counts), counts=tuple(counts.values()))


def told_alike(one: Conditions, other: Conditions) -> bool:
    """Whether two trainings see the same rows, are told the same of them, and draw alike."""
    arrays = [(x.vectors, x.labels, x.donors) for x in (one, other)]
    return (one.plan, one.rows) == (other.plan, other.rows) and all(
        np.array_equal(a, b) for a, b in zip(*arrays, strict=True)
    )
