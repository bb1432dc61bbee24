"""Small pictures and a cache of their own for every test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukreg.data.image_store import open_images
from leukreg.types import ImageSpec, Sample, Samples

SPEC = ImageSpec(size=32)
Write = Callable[..., Samples]


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "the-cache"
    monkeypatch.setenv("LEUKREG_CACHE", str(folder))
    return folder


def picture(seed: int, size: tuple[int, int] = (96, 96)) -> Image.Image:
    """A smooth random picture, different for every seed."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(small).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write one picture per seed and label, and list them."""

    def make(
        labels: Sequence[str], seeds: Sequence[int] | None = None, patients: Sequence[str] = ()
    ) -> Samples:
        rows = []
        for index, label in enumerate(labels):
            path = tmp_path / "images" / label / f"{index:04}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture(seeds[index] if seeds else index).save(path)
            rows.append(
                Sample(
                    id=f"{label}/{path.name}",
                    path=str(path),
                    label=label,
                    patient=patients[index] if patients else None,
                )
            )
        return Samples(rows=tuple(rows), classes=tuple(dict.fromkeys(labels)))

    return make


class Steps:
    """Counts what is reported, by title."""

    def __init__(self) -> None:
        self.done: dict[str, int] = {}
        self.said: list[str] = []

    def task(self, title: str, total: int | None = None) -> Steps:
        self._title = title
        self.done.setdefault(title, 0)
        return self

    def __enter__(self) -> Steps:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def __call__(self, steps: int = 1, note: str = "") -> None:
        self.done[self._title] += steps

    def say(self, text: str) -> None:
        self.said.append(text)


def packs(cache: Path) -> list[Path]:
    return sorted(cache.glob("pixels/*/pack-*"))


def decoded(samples: Samples, spec: ImageSpec = SPEC) -> int:
    steps = Steps()
    open_images(samples, spec, progress=steps)
    return steps.done.get("Decoding images", 0)
