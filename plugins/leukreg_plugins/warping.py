"""Random warps of pictures: affine, elastic (Simard et al., ICDAR 2003) and colour."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.ndimage import gaussian_filter, map_coordinates

from leukreg import DataError, Images, Lineage, derive

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Strength:
    """Largest changes; each picture draws its own below them."""

    turn: float
    """Degrees."""
    shift: float
    """Share of the side."""
    zoom: float
    """Relative, both ways."""
    bend: float
    """Root mean square of the elastic displacement, as a share of the side."""
    colour: float
    """Relative change of each channel."""
    light: float
    """Relative change of brightness and contrast."""


STRENGTHS = {
    "conservative": Strength(turn=15, shift=0.05, zoom=0.08, bend=0.0, colour=0.02, light=0.05),
    "advanced": Strength(turn=180, shift=0.12, zoom=0.25, bend=0.012, colour=0.12, light=0.15),
}


@dataclass(frozen=True, slots=True)
class Warped:
    """Images and, for each, its lineage."""

    pixels: NDArray[np.uint8]
    lineage: tuple[Lineage, ...]


class WarpGenerator:
    """Warps images of ``donor``; satisfies :class:`leukreg.ClassGenerator`."""

    def __init__(self, donor: str, strength: str) -> None:
        self._donor = donor
        self._strength = strength
        self._images: Images | None = None
        self._rows: tuple[int, ...] = ()

    def fit(self, images: Images, seed: int, folder: Path | None) -> None:
        """Remember the donor's rows; nothing is learned, so there is nothing to keep.

        Raises:
            DataError: The donor class has no images here.
        """
        rows = images.samples.rows
        self._rows = tuple(i for i, row in enumerate(rows) if row.label == self._donor)
        self._images = images
        if not self._rows:
            raise DataError(f"warp: there are no images of {self._donor!r} to warp")

    def sample(self, label: str, n: int, seed: int) -> Warped:
        """``n`` warped donors, every donor once before any comes twice.

        Raises:
            DataError: ``fit`` was not called.
        """
        if self._images is None:
            raise DataError("warp: fit comes before sample")
        parents = _draw(self._rows, n, np.random.default_rng(derive(seed, "parents")))
        pixels: list[NDArray[np.uint8]] = []
        lineage: list[Lineage] = []
        for number, row in enumerate(parents):
            own = derive(seed, label, number)
            picture = self._images.pixels([row])[0]
            pixels.append(warp(picture, np.random.default_rng(own), STRENGTHS[self._strength]))
            parent = self._images.samples.rows[row]
            lineage.append(
                Lineage(
                    generator="warp",
                    seed=own,
                    parent=parent.id,
                    parent_label=parent.label,
                    condition={"strength": self._strength},
                )
            )
        return Warped(np.stack(pixels), tuple(lineage))


def _draw(rows: tuple[int, ...], n: int, rng: np.random.Generator) -> list[int]:
    rounds = [rng.permutation(rows) for _ in range(-(-n // len(rows)))]
    found: list[int] = np.concatenate(rounds)[:n].tolist()
    return found


def warp(picture: NDArray[np.uint8], rng: np.random.Generator, at: Strength) -> NDArray[np.uint8]:
    """A warped copy of ``picture`` (shape ``(h, w, 3)``, uint8); what lies outside is mirrored."""
    where = _affine(picture.shape[:2], rng, at)
    if at.bend:
        where += _elastic(picture.shape[:2], rng, at.bend)
    moved = np.stack(
        [
            map_coordinates(picture[:, :, c].astype(np.float32), where, order=1, mode="mirror")
            for c in range(3)
        ],
        axis=-1,
    )
    gain = 1 + rng.uniform(-at.colour, at.colour, 3) + rng.uniform(-at.light, at.light)
    contrast = 1 + rng.uniform(-at.light, at.light)
    middle = moved.mean()
    shown = ((moved - middle) * contrast + middle) * gain
    return np.asarray(np.clip(np.rint(shown), 0, 255), dtype=np.uint8)


def _affine(shape: tuple[Any, ...], rng: np.random.Generator, at: Strength) -> NDArray[np.float64]:
    """Where each pixel of the result comes from, shape ``(2, h, w)``: flips, turn, zoom, shift."""
    height, width = shape
    centre = np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    angle = np.deg2rad(rng.uniform(-at.turn, at.turn))
    zoom = 1 + rng.uniform(-at.zoom, at.zoom)
    flips = rng.choice([-1.0, 1.0], 2)[:, None, None]
    shift = rng.uniform(-at.shift, at.shift, 2) * shape
    y, x = (np.mgrid[0:height, 0:width] - centre) * flips
    cos, sin = np.cos(angle) / zoom, np.sin(angle) / zoom
    turned = np.stack([cos * y - sin * x, sin * y + cos * x])
    return np.asarray(turned + centre + shift[:, None, None])


def _elastic(shape: tuple[Any, ...], rng: np.random.Generator, bend: float) -> NDArray[np.float64]:
    side = max(shape)
    field = rng.standard_normal((2, *shape))
    smooth = np.stack([gaussian_filter(axis, side * 0.06, mode="wrap") for axis in field])
    return np.asarray(smooth * (bend * side / np.sqrt(np.mean(smooth**2))))
