"""Snapshots of what a training has learned: images, their quality, a picture, and the log."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from leukreg import as_cell, derive, kid, write_file

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg_gan.training import Job, Networks
    from leukreg_gan.training_set import TrainingSet

    Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

TOGETHER = 256
"""Images made in one pass."""
MOST_COMPARED = 200
"""Images of a class that are compared at most."""
FEWEST_MADE = 32
"""Images of a class that a snapshot makes at least."""
SHRUNK = 8
"""Side to which images are shrunk before their differences are measured."""
GRID_COLUMNS = 10
GAP = 2
SHOWN = 64
"""Images are enlarged to at least this side, by whole factors."""


class ImageMaker(nn.Module):
    """A network from noise ``(b, latent)`` and conditions ``(b, d)`` to images.

    These have shape ``(b, 3, size, size)`` and lie between -1 and 1.
    """

    latent: int


def noise_for(seeds: Sequence[int], latent: int, truncation: float = 1.0) -> Tensor:
    """Standard normal noise times ``truncation``, one line of ``latent`` figures for each seed.

    An image's noise follows from its own seed alone, the same on every device, so that the image
    can be made again without the others (to the rounding of a grey value).
    """
    rows = [np.random.default_rng(seed).standard_normal(latent, np.float32) for seed in seeds]
    return torch.from_numpy(np.array(rows, np.float32).reshape(-1, latent) * np.float32(truncation))


@torch.no_grad()
def made_images(
    maker: nn.Module, noise: Tensor, conditions: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Images ``(n, size, size, 3)`` of noise ``(n, latent)`` and condition vectors ``(n, d)``.

    The network must be in eval mode: each image then depends on its own noise alone.
    """
    device = next(maker.parameters()).device
    told = torch.from_numpy(np.ascontiguousarray(conditions))
    parts = []
    for start in range(0, len(noise), TOGETHER):
        part = slice(start, start + TOGETHER)
        images = maker(noise[part].to(device), told[part].to(device)).float()
        grey = images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        parts.append(grey.permute(0, 2, 3, 1).cpu().numpy())
    return np.ascontiguousarray(np.concatenate(parts))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of one snapshot."""

    kid: float | None
    """Mean over the classes of the distance to held-out images; None where nothing was held out."""
    kid_all: float | None
    """The same of all classes as one heap."""
    spread: float
    """Differences among made images of a class against those among real ones, the mean over the
    classes with real images; about 1 is good."""
    classes: Mapping[str, float] = field(default_factory=dict)
    """KID of each class."""
    spreads: Mapping[str, float] = field(default_factory=dict)
    """Spread of each class that can be made."""


@dataclass(slots=True, kw_only=True)
class LogLine:
    """One line of the log: mean losses over some steps, and at a snapshot its quality."""

    step: int
    images: int
    """Real images seen so far."""
    seconds: float
    """Training time so far, as :class:`.training.State` counts it."""
    losses: Mapping[str, float]
    """What a step of the family came to, by name."""
    quality: Quality | None = None


class Snapshots:
    """Takes snapshots of a training into its folder.

    Made images are compared with those of their class that were kept out of the training.
    """

    def __init__(self, job: Job, networks: Networks, data: TrainingSet) -> None:
        self.job, self.networks, self.data = job, networks, data
        self.classes = job.conditions.classes
        held = np.isin(np.arange(len(job.pixels)), job.held)
        self.real: dict[str, float] = {}
        """Spread of the real images of each class."""
        self.known: dict[str, NDArray[np.float32]] = {}
        """Features of the held-out images of each class that has some."""
        for name in self.classes:
            own = job.conditions.labels == job.names.index(name)
            if own.sum() > 1:
                self.real[name] = spread(job.pixels[own])
            if job.features is not None and (own & held).sum() > 1:
                self.known[name] = job.features(job.pixels[own & held][:MOST_COMPARED])

    def basis(self) -> str:
        """What the KIDs of all snapshots rest on, in words."""
        if not self.known:
            return "no images are held out, so snapshots have no KID"
        counts = [len(features) for features in self.known.values()]
        least, most = min(counts), max(counts)
        each = f"{least}" if least == most else f"{least} to {most}"
        others = [name for name in self.classes if name not in self.known]
        none = f" (none of {', '.join(others)})" if others else ""
        return (
            f"KIDs are by {self.job.extractor} at {self.job.size} px, to {sum(counts):,} held-out "
            f"images: {each} of each class{none}"
        )

    def take(self, step: int) -> tuple[dict[str, Tensor], Quality]:
        """Weights that are ready to make images, and how good these are."""
        maker = self.networks.image_maker(self.data)
        made = {name: self._made(maker, name) for name in self.classes}
        self._write(f"step-{step:07d}.png", grid(made))
        weights = {name: value.cpu().clone() for name, value in maker.state_dict().items()}
        return weights, self._quality(made)

    def _made(self, maker: ImageMaker, label: str) -> NDArray[np.uint8]:
        # The same noise and conditions at every snapshot, so that one sees what changes.
        seed, n = self.job.seed, max(FEWEST_MADE, len(self.known.get(label, ())))
        rng = np.random.default_rng(derive(seed, "snapshot", label))
        told, _ = self.job.conditions.plan.draw(label, n, rng)
        seeds = [derive(seed, "snapshot", label, number) for number in range(n)]
        return made_images(maker, noise_for(seeds, maker.latent), told)

    def _quality(self, made: Mapping[str, NDArray[np.uint8]]) -> Quality:
        by_class = spreads(made, self.real)
        alike = float(np.mean([by_class[name] for name in self.real])) if self.real else 1.0
        if self.job.features is None or not self.known:
            return Quality(kid=None, kid_all=None, spread=alike, spreads=by_class)
        found = {name: self.job.features(made[name]) for name in self.known}
        each = {name: distance(self.known[name], found[name]) for name in self.known}
        heaps = (np.concatenate([*side.values()]) for side in (self.known, found))
        return Quality(
            kid=float(np.mean([*each.values()])),
            kid_all=distance(*heaps),
            classes=each,
            spread=alike,
            spreads=by_class,
        )

    def write_log(self, lines: Sequence[LogLine]) -> None:
        """All lines as ``log.csv``: plain columns, KID and spread by class, and the basis."""
        kids, others = [*self.known], self.classes if self.real else ()
        heads = [*(f"kid {name}" for name in kids), *(f"spread {name}" for name in others)]
        text = io.StringIO(newline="")
        table = csv.writer(text)
        columns = ["step", "images", "seconds", *(lines[0].losses if lines else ())]
        columns += ["kid", "kid_all", "spread", *map(as_cell, heads)]
        columns += ["extractor", "size", "held_out"]
        table.writerow(columns)
        basis = (self.job.extractor, self.job.size, sum(map(len, self.known.values())))
        for line in lines:
            row: list[object] = [line.step, line.images, line.seconds, *line.losses.values()]
            if (found := line.quality) is not None:
                row += [found.kid, found.kid_all, found.spread]
                row += [found.classes.get(name) for name in kids]
                row += [found.spreads.get(name) for name in others]
                row += basis if found.kid is not None else ()
            row += [None] * (len(columns) - len(row))
            table.writerow(f"{x:.6g}" if isinstance(x, float) else x for x in row)
        self._write("log.csv", text.getvalue().encode("utf-8"))

    def _write(self, name: str, data: bytes) -> None:
        for folder in (self.job.folder, self.job.shown):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                write_file(folder / name, data)


def distance(real: NDArray[np.float32], made: NDArray[np.float32]) -> float:
    """KID of two sets of features ``(n, d)``."""
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
    step = side // SHRUNK
    small = pixels.reshape(n, SHRUNK, step, SHRUNK, step, 3).mean(axis=(2, 4))
    return float(np.sqrt(small.var(axis=0).mean()))


def grid(made: Mapping[str, NDArray[np.uint8]]) -> bytes:
    """A PNG whose rows are the classes in their order, each with its first ten images."""
    from PIL import Image

    rows = [pixels[:GRID_COLUMNS] for pixels in made.values()]
    side = rows[0].shape[1]
    factor = max(1, -(-SHOWN // side))
    cell = side * factor + GAP
    sheet = Image.new("RGB", (GRID_COLUMNS * cell + GAP, len(rows) * cell + GAP), "white")
    for y, pixels in enumerate(rows):
        for x, picture in enumerate(pixels):
            large = picture.repeat(factor, axis=0).repeat(factor, axis=1)
            sheet.paste(Image.fromarray(large), (GAP + x * cell, GAP + y * cell))
    data = io.BytesIO()
    sheet.save(data, "PNG")
    return data.getvalue()
