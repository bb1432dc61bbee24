"""A gate to be tried: pictures like cells, generators that give what they are told to, an eye."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from leukreg import Fold, ImageSpec, Lineage, plugin
from leukreg.data.image_store import ImageStore
from leukreg.recipe.model import GateSpec, SynthesisSpec
from leukreg.registry.plugin_call import Choice
from leukreg.synthesis.make import Placed
from leukreg.synthesis.make import place as place_in
from leukreg.synthesis.request import Request
from tests.synthesis.cells import SIZE, cells

IMAGE = ImageSpec(size=SIZE)
PER_CLASS = 60
"""Real images of a class: 30 to train on, 24 to watch, 6 to test."""
CLASSES = ("a", "b")
PIXELS = {label: cells(label, PER_CLASS + 40) for label in CLASSES}
"""The first PER_CLASS are the data, the others what a perfect generator would make."""


@plugin("small")
class Small:
    """A fixed projection of tiny pictures, as a stand-in for a trained network."""

    def build(self) -> Any:
        import torch
        from torch import nn

        class Net(nn.Module):
            dimensions = 24

            def __init__(self) -> None:
                super().__init__()
                made = torch.Generator().manual_seed(0)
                self.weight = nn.Parameter(torch.randn(192, 24, generator=made) / 14)

            def forward(self, images: torch.Tensor) -> torch.Tensor:
                tiny = nn.functional.adaptive_avg_pool2d(images.float() / 255, 8)
                return (tiny.flatten(1) - 0.5) @ self.weight

        return Net().eval()

    def describe(self) -> dict[str, str]:
        return {"digest": "5" * 64}


@dataclass
class Copier:
    """A generator that gives the images of ``make(label, n, seed)``, and notes what it saw."""

    make: Callable[[str, int, int], np.ndarray[Any, Any]]
    ids: list[str] = field(default_factory=list)
    draws: list[tuple[str, int]] = field(default_factory=list)
    kill_at: int | None = None

    def build(self, image: ImageSpec, labels: Any) -> Copier:
        return self

    def fit(self, images: Any, seed: int, folder: Path | None) -> None:
        self.ids = [row.id for row in images.samples.rows]
        self.images = images

    def sample(self, label: str, n: int, seed: int) -> Any:
        self.draws.append((label, n))
        if len(self.draws) == self.kill_at:
            raise KeyboardInterrupt
        lineage = tuple(Lineage(generator="double", seed=seed + i) for i in range(n))
        return Made(self.make(label, n, seed), lineage)


@dataclass
class Made:
    pixels: Any
    lineage: Any


def good(label: str, n: int, seed: int) -> np.ndarray[Any, Any]:
    """Real cells that are in no data set: what a perfect generator makes."""
    return PIXELS[label][PER_CLASS:][:n]


def noise(label: str, n: int, seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, 3), np.uint8)


def other(label: str, n: int, seed: int) -> np.ndarray[Any, Any]:
    return good("a" if label == "b" else "b", n, seed)


class Listener:
    """Progress that keeps what is said."""

    def __init__(self) -> None:
        from leukreg.progress import SILENT

        self.task = SILENT.task
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


def side(first: int, last: int) -> tuple[int, ...]:
    """These rows of both classes."""
    return tuple(row for start in (0, PER_CLASS) for row in range(start + first, start + last))


FOLD = Fold(index=0, train=side(0, 30), validation=side(30, 54), test=side(54, 60))


def spec(make: Any, **more: Any) -> SynthesisSpec:
    maker = make if isinstance(make, Copier) else Copier(make)
    choice = Choice(kind="generator", name="double", plugin=maker, owner="test 1")
    gate = more.pop("gate", GateSpec())
    asked = {"generator": choice, "classes": ("b",), "per_class": 24, "gate": gate}
    return SynthesisSpec(**{**asked, **more})


def asked(wanted: SynthesisSpec, seed: int, folder: Path, fold: int | None = 0) -> Request:
    return Request(spec=wanted, image=IMAGE, seed=seed, folder=folder, fold=fold)


def place(
    images: ImageStore, wanted: SynthesisSpec, where: Path, progress: Any = None, fold: Fold = FOLD
) -> Placed:
    return place_in(images, fold, asked(wanted, 7, where / "run"), progress or Listener())


def entered(placed: Placed) -> list[str]:
    assert placed.fold is not None
    rows = [placed.images.samples.rows[row] for row in placed.fold.train]
    return [row.label for row in rows if row.origin == "synthetic"]
