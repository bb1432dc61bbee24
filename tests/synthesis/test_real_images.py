"""The real images that a gate looks at: nobody is asked about an image that taught."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from leukreg import Sample, Samples
from leukreg.synthesis.real_images import FEWEST, RealImages

MOST = 40


@dataclass(frozen=True)
class Marked:
    """Images whose one pixel says which they are."""

    samples: Samples
    marks: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.marks)

    def pixels(self, rows: Any) -> np.ndarray[Any, Any]:
        chosen = np.array([self.marks[row] for row in rows], np.uint8)
        return np.repeat(chosen, 3).reshape(-1, 1, 1, 3)


def marked(first: int, n: int) -> Marked:
    rows = tuple(Sample(id=f"{i}.png", path=f"{i}.png", label="a") for i in range(first, first + n))
    return Marked(Samples(rows=rows, classes=("a",)), tuple(range(first, first + n)))


def marks(pixels: np.ndarray[Any, Any]) -> list[int]:
    return pixels[:, 0, 0, 0].tolist()


def reference(fitted: int, unseen: int) -> RealImages:
    return RealImages(marked(0, fitted), marked(100, unseen), {})


def test_all_images_of_a_class_teach_that_nobody_is_asked_about() -> None:
    assert len(reference(30, 5).taught("a", MOST, asked=False)) == 30


@given(fitted=st.integers(0, 90), unseen=st.integers(0, 90))
def test_whoever_teaches_is_not_asked(fitted: int, unseen: int) -> None:
    real = reference(fitted, unseen)
    taught, asked = marks(real.taught("a", MOST)), marks(real.asked("a", MOST))
    assert not {*taught} & {*asked}
    assert max(len(taught), len(asked)) <= MOST
    assert bool(asked) == bool(fitted or unseen)
    assert set(asked) <= set(marks(real.held("a").pixels))


@pytest.mark.parametrize(
    ("fitted", "unseen", "taught", "asked", "held"),
    [
        (30, FEWEST, 30, FEWEST, "validation rows"),
        (30, 5, 15, 20, "validation and training rows"),
        (5, 0, 2, 3, "training rows"),
        (0, 5, 0, 5, "validation rows"),
        (0, 0, 0, 0, ""),
    ],
)
def test_training_rows_help_out_by_half(
    fitted: int, unseen: int, taught: int, asked: int, held: str
) -> None:
    real = reference(fitted, unseen)
    assert len(real.taught("a", MOST)) == taught
    assert len(real.asked("a", MOST)) == asked
    assert real.held("a").rows == held


@given(pictures=st.integers(1, 40), times=st.integers(1, 4), seen=st.integers(1, 40))
def test_each_picture_is_looked_at_once(pictures: int, times: int, seen: int) -> None:
    """Copies made ideal synthetic images seem far off, and stood in both halves of the real."""
    unseen, fitted = marked(50, pictures * times), marked(0, seen)
    digests = {row.id: f"{i // times}" for i, row in enumerate(unseen.samples.rows)}
    digests |= {row.id: f"{i}" for i, row in enumerate(fitted.samples.rows)}
    real = RealImages(fitted, unseen, digests)
    looked_at = [*marks(real.held("a").pixels)]
    shown = [digests[f"{mark}.png"] for mark in looked_at]
    assert len(set(shown)) == len(shown) >= pictures
    helped = pictures < FEWEST and seen > pictures
    assert len(shown) == (max(pictures, seen) if helped else pictures)
    assert real.copies_of("a") == pictures * (times - 1) + min(pictures, seen) * helped
    taught, asked = marks(real.taught("a", MOST)), marks(real.asked("a", MOST))
    assert not {digests[f"{m}.png"] for m in taught} & {digests[f"{m}.png"] for m in asked}


def test_near_copies_are_one_picture() -> None:
    pairs = (("100.png", "101.png"), ("101.png", "102.png"))
    real = RealImages(marked(0, 0), marked(100, 30), {}, pairs)
    assert marks(real.held("a").pixels) == [100, *range(103, 130)]
    assert real.copies_of("a") == 2
