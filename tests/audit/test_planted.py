"""Faults planted among real cells are found, and nothing else is."""

from __future__ import annotations

import io
import random
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from leukreg_plugins.audits.confounding import PatientAcrossSplit, Shortcut
from leukreg_plugins.audits.finding import pictures
from leukreg_plugins.audits.leakage import CopiesAcrossSplit, CopiesDisagree
from PIL import Image, ImageEnhance

from leukreg.data.image_store import open_images
from leukreg.data.near_duplicates import searched
from leukreg.record import RunRecord
from leukreg.types import Fold, ImageSpec, Sample, Samples

CELLS = Path(__file__).parents[3] / "shared" / "data" / "pbc128"
CLASSES = ("lymphocyte", "monocyte", "neutrophil", "ig")
TRAINED, TESTED, EACH = 110, 40, 6

pytestmark = pytest.mark.skipif(not CELLS.is_dir(), reason="the real cells are not here")


def shifted(image: Image.Image) -> Image.Image:
    pixels = np.pad(np.asarray(image), ((3, 0), (2, 0), (0, 0)), mode="edge")
    return Image.fromarray(pixels[: image.height, : image.width])


def recompressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(io.BytesIO(buffer.getvalue())).convert("RGB")


def recoloured(image: Image.Image) -> Image.Image:
    return ImageEnhance.Color(ImageEnhance.Brightness(image).enhance(1.12)).enhance(0.8)


CHANGES: tuple[Callable[[Image.Image], Image.Image], ...] = (shifted, recompressed, recoloured)


class Planted:
    """A folder of real cells with copies of training pictures among the test pictures."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.rows: list[Sample] = []
        self.train: list[int] = []
        self.test: list[int] = []
        self.copies: set[str] = set()
        draw = random.Random(7)
        for label in CLASSES:
            (root / label).mkdir()
            names = draw.sample(sorted(p.name for p in (CELLS / label).iterdir()), TRAINED + TESTED)
            for number, name in enumerate(names):
                shutil.copy(CELLS / label / name, root / label / name)
                self._list(label, name, self.train if number < TRAINED else self.test)
            self._plant(label, names)

    def _plant(self, label: str, names: list[str]) -> None:
        for i in range(EACH):
            shutil.copy(self.root / label / names[i], self.root / label / f"exact-{i}.jpg")
            self._list(label, f"exact-{i}.jpg", self.test, copy=True)
        for k, change in enumerate(CHANGES):
            for i in range(EACH):
                source = self.root / label / names[(k + 1) * EACH + i]
                changed = change(Image.open(source).convert("RGB"))
                changed.save(self.root / label / f"{change.__name__}-{i}.jpg", quality=85)
                self._list(label, f"{change.__name__}-{i}.jpg", self.test, copy=True)

    def _list(self, label: str, name: str, side: list[int], copy: bool = False) -> None:
        side.append(len(self.rows))
        path = self.root / label / name
        self.rows.append(Sample(id=f"{label}/{name}", path=str(path), label=label))
        if copy:
            self.copies.add(f"{label}/{name}")

    def evidence(self) -> RunRecord:
        samples = Samples(rows=tuple(self.rows), classes=CLASSES)
        images = searched(open_images(samples, ImageSpec(size=64)))
        fold = Fold(index=0, train=tuple(self.train), validation=(), test=tuple(self.test))
        return RunRecord(
            samples=images.samples, pixels=images.digests, near_duplicates=images.near_duplicates,
            statistics=images.statistics, folds=(fold,),
        )  # fmt: skip


@pytest.fixture
def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Planted:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cells").mkdir()
    return Planted(tmp_path / "cells")


def test_copies_across_the_split_are_found_and_only_they(planted: Planted) -> None:
    evidence = planted.evidence()
    number = pictures(evidence)
    trained = {number[planted.rows[r].id] for r in planted.train}
    found = {planted.rows[r].id for r in planted.test if number[planted.rows[r].id] in trained}
    assert found == planted.copies
    (finding,) = CopiesAcrossSplit().build(evidence)
    assert f"{len(planted.copies)} of {len(planted.test)} test rows" in finding.message
    assert list(CopiesDisagree().build(evidence)) == []


def test_a_mislabelled_twin_is_found(planted: Planted) -> None:
    row = planted.rows[planted.train[0]]
    shutil.copy(row.path, planted.root / "monocyte" / "mislabelled.jpg")
    planted._list("monocyte", "mislabelled.jpg", planted.test)
    (finding,) = CopiesDisagree().build(planted.evidence())
    assert "1 picture stands under" in finding.message
    assert "monocyte/mislabelled.jpg (monocyte)" in finding.message


def test_patients_across_the_split_are_found_and_only_they(planted: Planted) -> None:
    crossing = {f"crossing-{n}" for n in range(5)}
    for side in (planted.train, planted.test):
        for position, row in enumerate(side):
            patient = (
                f"crossing-{position // 3}"
                if position < 15
                else f"row-{row // 4}-{side is planted.test}"
            )
            planted.rows[row] = replace(planted.rows[row], patient=patient)
    (finding,) = PatientAcrossSplit().build(planted.evidence())
    everyone = len({row.patient for row in planted.rows})
    assert finding.severity == "error"
    assert finding.message.startswith(f"5 of {everyone} patients stand in training and in test")
    assert sum(name in finding.message for name in crossing) >= 3


def test_a_colour_cast_is_found_and_clean_cells_are_not(planted: Planted) -> None:
    assert list(Shortcut().build(planted.evidence())) == []
    for row in planted.rows:
        pixels = np.asarray(Image.open(row.path).convert("RGB")).astype(np.int64)
        pixels[..., 2] -= 15 * CLASSES.index(row.label)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(row.path, quality=92)
    messages = [finding.message for finding in Shortcut().build(planted.evidence())]
    assert any("colour statistics" in message for message in messages)
