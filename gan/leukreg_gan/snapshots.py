"""Snapshots of the averaged generator: images, their quality and a picture."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch

from leukreg import as_cell, derive, write_file
from leukreg_gan.ema import settle
from leukreg_gan.grid import grid
from leukreg_gan.judge import Judge, Quality
from leukreg_gan.parts import Parts, fresh_generator
from leukreg_gan.sampling import made_images, noise_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from torch import Tensor, nn

    from leukreg_gan.conditions import Conditions
    from leukreg_gan.material import Material
    from leukreg_gan.state import Line

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
    material: Material
    conditions: Conditions
    labels: tuple[str, ...]
    """Classes that can be made."""
    judge: Judge
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

    def write_log(self, lines: Sequence[Line]) -> None:
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
