"""The warp generator: other pictures of the donor, honestly labelled as such."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
from leukreg_plugins.generators import Warp
from leukreg_plugins.warping import STRENGTHS, warp
from numpy.typing import NDArray

from leukreg import DataError, ImageSpec, Labels, Sample, Samples

LABELS = Labels(names=("Benign", "Pro-B"), counts=(4, 0))
IMAGE = ImageSpec(size=48)


@dataclass(frozen=True)
class InMemory:
    samples: Samples
    array: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.samples)

    def pixels(self, rows: list[int]) -> NDArray[np.uint8]:
        return self.array[list(rows)]


def images(labels: tuple[str, ...] = ("Benign",) * 4) -> InMemory:
    rows = tuple(Sample(id=f"{i}.png", path="", label=label) for i, label in enumerate(labels))
    array = np.random.default_rng(1).integers(0, 256, (len(rows), 48, 48, 3), np.uint8)
    return InMemory(Samples(rows=rows, classes=LABELS.names), array)


@pytest.mark.parametrize("strength", ["conservative", "advanced"])
def test_images_and_lineage(strength: str) -> None:
    generator = Warp(strength=strength).build(IMAGE, LABELS)  # type: ignore[arg-type]
    generator.fit(images(), 3, None)
    made = generator.sample("Pro-B", 10, 5)
    assert made.pixels.shape == (10, 48, 48, 3)
    assert made.pixels.dtype == np.uint8
    assert {line.parent for line in made.lineage} == {"0.png", "1.png", "2.png", "3.png"}
    assert {line.parent_label for line in made.lineage} == {"Benign"}
    assert {line.condition["strength"] for line in made.lineage} == {strength}
    assert len({picture.tobytes() for picture in made.pixels}) == 10
    assert len({line.seed for line in made.lineage}) == 10


def test_the_same_seed_gives_the_same_images() -> None:
    def sample(seed: int) -> NDArray[np.uint8]:
        generator = Warp(strength="advanced").build(IMAGE, LABELS)
        generator.fit(images(), 0, None)
        return generator.sample("Pro-B", 4, seed).pixels

    assert np.array_equal(sample(5), sample(5))
    assert not np.array_equal(sample(5), sample(6))


def test_every_donor_comes_once_before_any_comes_twice() -> None:
    generator = Warp().build(IMAGE, LABELS)
    generator.fit(images(("Benign",) * 7), 0, None)
    parents = [line.parent for line in generator.sample("Pro-B", 14, 0).lineage]
    assert len(set(parents[:7])) == len(set(parents[7:])) == 7


def test_only_donors_are_warped() -> None:
    generator = Warp().build(IMAGE, LABELS)
    generator.fit(images(("Benign", "Pro-B", "Pro-B")), 0, None)
    assert {line.parent for line in generator.sample("Pro-B", 5, 0).lineage} == {"0.png"}


def test_conservative_stays_closer_than_advanced() -> None:
    y, x = np.mgrid[0:96, 0:96]
    picture = np.full((96, 96, 3), 220, np.uint8)
    picture[(y - 40) ** 2 + (x - 60) ** 2 < 400] = (90, 40, 140)

    def change(name: str) -> float:
        # Both are flipped by the same draws, so compare with the nearest of the four flips.
        flips = [picture[::a, ::b].astype(float) for a in (1, -1) for b in (1, -1)]
        made = [warp(picture, np.random.default_rng(i), STRENGTHS[name]) for i in range(20)]
        return float(np.mean([min(np.abs(flip - one).mean() for flip in flips) for one in made]))

    assert 0 < change("conservative") < 0.6 * change("advanced")


def test_errors() -> None:
    with pytest.raises(DataError, match="did you mean 'Benign'"):
        Warp(donor="Bening").build(IMAGE, LABELS)
    generator = Warp().build(IMAGE, LABELS)
    with pytest.raises(DataError, match="fit comes before sample"):
        generator.sample("Pro-B", 1, 0)
    with pytest.raises(DataError, match="no images of 'Benign'"):
        generator.fit(images(("Pro-B",)), 0, None)


def test_the_docstring_says_what_it_cannot_do() -> None:
    assert "cannot teach the class" in (Warp.__doc__ or "")
