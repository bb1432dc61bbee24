"""Images that are trivial to tell apart, and settings that train in seconds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from leukreg_gan.cgan import Cgan
from numpy.typing import NDArray

from leukreg import Labels, Sample, Samples

NAMES = ("red", "blue")
COLOURS = {"red": (200, 40, 40), "blue": (40, 40, 200)}
TINY = Cgan(
    channels=4,
    latent=8,
    steps=6,
    batch=4,
    generator_lr=1e-3,
    discriminator_lr=1e-3,
    decay=0.5,
    ema=0.9,
    r1=0.0,
    mismatch=0.5,
    feature_steps=2,
    feature_noise=0.1,
    colour=0.2,
    translation=0.125,
    cutout=0.25,
    balance="class",
    snapshot_every=3,
    threads=1,
)


def tiny(**keys: Any) -> Cgan:
    return replace(TINY, **keys)


@dataclass(frozen=True)
class Discs:
    """Coloured discs on a pale ground, in memory."""

    samples: Samples
    array: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
        return self.array[list(rows)]


def discs(red: int = 60, blue: int = 60, size: int = 32, seed: int = 0) -> Discs:
    """So many discs of either colour, a little different each."""
    rng = np.random.default_rng(seed)
    labels = ["red"] * red + ["blue"] * blue
    pictures, rows = [], []
    for number, label in enumerate(labels):
        centre = size / 2 + rng.uniform(-3, 3, 2)
        y, x = np.indices((size, size))
        near = np.hypot(y - centre[0], x - centre[1]) < size * rng.uniform(0.2, 0.35)
        picture = np.where(near[..., None], COLOURS[label], (225, 215, 215))
        noisy = picture + rng.normal(0, 6, picture.shape)
        pictures.append(np.clip(noisy, 0, 255).astype(np.uint8))
        rows.append(Sample(id=f"{label}/{number}.png", path=f"/{label}/{number}", label=label))
    return Discs(Samples(rows=tuple(rows), classes=NAMES), np.stack(pictures))


def labels_of(images: Discs) -> Labels:
    counts = images.samples.counts()
    return Labels(names=NAMES, counts=tuple(counts[name] for name in NAMES))
