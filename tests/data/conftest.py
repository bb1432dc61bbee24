"""Small pictures and a cache of their own for every test."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukreg.types import Sample, Samples


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
def write(tmp_path: Path) -> Callable[..., Samples]:
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
