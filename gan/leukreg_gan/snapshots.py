"""Snapshots of the averaged generator: images, their quality and a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn

from leukreg import as_cell, derive, write_file
from leukreg_gan.cgan_training import Parts, fresh_generator, settle

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg_gan.checkpoint import LogLine
    from leukreg_gan.conditions import Conditions
    from leukreg_gan.training_set import TrainingSet


TOGETHER = 256
"""Images made in one pass."""


def noise_for(seeds: Sequence[int], latent: int, truncation: float = 1.0) -> Tensor:
    """Standard normal noise times ``truncation``, one line of ``latent`` figures for each seed.

    An image's noise follows from its own seed alone, the same on every device, so that the image
    can be made again without the others (to the rounding of a grey value).
    """
    rows = [np.random.default_rng(seed).standard_normal(latent, np.float32) for seed in seeds]
    return torch.from_numpy(np.array(rows, np.float32).reshape(-1, latent) * np.float32(truncation))


@torch.no_grad()
def made_images(
    generator: nn.Module, noise: Tensor, conditions: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """Images ``(n, size, size, 3)`` of noise ``(n, latent)`` and condition vectors ``(n, d)``.

    The generator must be in eval mode: each image then depends on its own noise alone.
    """
    device = next(generator.parameters()).device
    told = torch.from_numpy(np.ascontiguousarray(conditions))
    parts = []
    for start in range(0, len(noise), TOGETHER):
        part = slice(start, start + TOGETHER)
        images = generator(noise[part].to(device), told[part].to(device)).float()
        grey = images.add(1).mul(127.5).round().clamp(0, 255).to(torch.uint8)
        parts.append(grey.permute(0, 2, 3, 1).cpu().numpy())
    return np.ascontiguousarray(np.concatenate(parts))


if TYPE_CHECKING:
    from numpy.typing import NDArray

    Features = Callable[[NDArray[np.uint8]], NDArray[np.float32]]

MOST_COMPARED = 200
"""Images of a class that are compared at most."""
SHRUNK = 8
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


class HeldOut:
    """Compares made images with real ones of the same class."""

    def __init__(self, held: Mapping[str, NDArray[np.uint8]], features: Features | None) -> None:
        """``held`` are pixels ``(n, size, size, 3)`` by class; without ``features`` no KID."""
        held = {label: pixels[:MOST_COMPARED] for label, pixels in held.items() if len(pixels) > 1}
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
    step = side // SHRUNK
    small = pixels.reshape(n, SHRUNK, step, SHRUNK, step, 3).mean(axis=(2, 4))
    return float(np.sqrt(small.var(axis=0).mean()))


GRID_COLUMNS = 10
GAP = 2
SHOWN = 64
"""Images are enlarged to at least this side, by whole factors."""


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


SETTLING = 16
"""Batches that batch-norm statistics are measured on."""
SETTLED = 64
"""Images in each of them."""
COLUMNS = ("step", "images", "seconds", "discriminator", "generator", "real", "fake", "kid",
           "kid_all", "spread")  # fmt: skip
BASIS = ("extractor", "size", "held_out")
"""Columns that say what the KIDs of a line rest on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshots:
    """Takes snapshots of a training into its folder."""

    parts: Parts
    material: TrainingSet
    conditions: Conditions
    labels: tuple[str, ...]
    """Classes that can be made."""
    judge: HeldOut
    extractor: str
    """Name and digest of what the judge sees images with."""
    real: Mapping[str, float]
    """Spread of the real images of each class."""
    seed: int
    folder: Path
    shown: Path | None
    """A second folder for log and pictures."""
    device: str

    def basis(self) -> str:
        """What the KIDs of all snapshots rest on, in words."""
        counts = [len(features) for features in self.judge.known.values()]
        if not counts:
            return "no images are held out, so snapshots have no KID"
        least, most = min(counts), max(counts)
        each = f"{least}" if least == most else f"{least} to {most}"
        others = [name for name in self.labels if name not in self.judge.known]
        return (
            f"KIDs are by {self.extractor} at {self.parts.settings.size} px, to "
            f"{self.judge.held:,} held-out images: {each} of each class"
            + f" (none of {', '.join(others)})"
            * bool(others)
        )

    def take(self, step: int) -> tuple[dict[str, Tensor], Quality]:
        """Weights of the averaged generator, ready to make images, and how good it is."""
        generator = self.settled()
        made = {name: self._made(generator, name) for name in self.labels}
        quality = self.judge.judge(made, self.real)
        self._write(f"step-{step:07d}.png", grid(made))
        weights = {name: value.cpu().clone() for name, value in generator.state_dict().items()}
        return weights, quality

    def settled(self) -> nn.Module:
        """The averaged generator with batch-norm statistics of its own, in eval mode."""
        settings = self.parts.settings
        generator = fresh_generator(settings, self.material.conditions.shape[1]).to(self.device)
        generator.load_state_dict(self.parts.average.module.state_dict())
        torch.manual_seed(derive(self.seed, "settle"))
        batches = []
        for _ in range(SETTLING):
            rows = self.material.rows(SETTLED, settings.balance)
            noise = torch.randn(SETTLED, settings.latent)
            told = self.material.conditions[rows]
            batches.append((noise.to(self.device), told.to(self.device)))
        settle(generator, batches)
        return generator

    def _made(self, generator: nn.Module, label: str) -> NDArray[np.uint8]:
        """The same noise and conditions at every snapshot, so that one sees what changes."""
        n = self.judge.wanted(label)
        rng = np.random.default_rng(derive(self.seed, "snapshot", label))
        told, _ = self.conditions.draw(label, n, rng)
        seeds = [derive(self.seed, "snapshot", label, number) for number in range(n)]
        return made_images(generator, noise_for(seeds, self.parts.settings.latent), told)

    def write_log(self, lines: Sequence[LogLine]) -> None:
        """All lines as ``log.csv``: plain columns, KID and spread by class, and the basis."""
        kids, spreads = [*self.judge.known], self.labels if self.real else ()
        text = io.StringIO(newline="")
        table = csv.writer(text)
        heads = [*(f"kid {name}" for name in kids), *(f"spread {name}" for name in spreads)]
        table.writerow([*COLUMNS, *map(as_cell, heads), *BASIS])
        basis = (self.extractor, self.parts.settings.size, self.judge.held)
        for line in lines:
            own = [getattr(line, column) for column in COLUMNS]
            own += [line.classes.get(name) for name in kids]
            own += [line.spreads.get(name) for name in spreads]
            own += [None] * len(basis) if line.kid is None else basis
            table.writerow([_shown(value) for value in own])
        self._write("log.csv", text.getvalue().encode("utf-8"))

    def _write(self, name: str, data: bytes) -> None:
        for folder in (self.folder, self.shown):
            if folder is not None:
                folder.mkdir(parents=True, exist_ok=True)
                write_file(folder / name, data)


def _shown(value: float | str | None) -> str:
    if value is None:
        return ""
    return f"{value:.6g}" if isinstance(value, float) else str(value)
