"""Held-out images: a generator never reads them from a folder of its own."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from leukreg import DataError, Fold, ImageSpec
from leukreg.data import ImageStore, list_folder, open_images
from leukreg.recipe.model import Choice
from leukreg.synthesis.held_out import refuse_held_out

FOLD = Fold(index=0, train=(0, 1, 2), validation=(3,), test=(4, 5))


def cell(seed: int) -> Image.Image:
    """A picture with structure, such as a copy of it keeps."""
    noise = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    return Image.fromarray(noise).resize((72, 72), Image.Resampling.BICUBIC)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStore:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    (tmp_path / "home" / "a").mkdir(parents=True)
    for number in range(6):
        cell(number).save(tmp_path / "home" / "a" / f"{number}.png")
    return open_images(list_folder(tmp_path / "home"), ImageSpec(size=16))


@pytest.fixture
def donors(tmp_path: Path) -> Path:
    folder = tmp_path / "donors" / "mono"
    folder.mkdir(parents=True)
    for number in range(3):
        cell(100 + number).save(folder / f"{number}.png")
    (folder / "notes.txt").write_text("no image")
    return folder


def reading(folder: Path) -> Choice:
    plugin: Any = SimpleNamespace(files=lambda: (folder,))
    return Choice(kind="generator", name="reader", plugin=plugin, owner="stranger 1.2", options={})


def test_pictures_of_another_source_pass(images: ImageStore, donors: Path) -> None:
    refuse_held_out(reading(donors), images, FOLD)


def test_training_images_are_not_held_out(images: ImageStore, donors: Path) -> None:
    cell(0).save(donors / "same.png")
    refuse_held_out(reading(donors), images, FOLD)


@pytest.mark.parametrize(("row", "side"), [(3, "validation"), (4, "test")])
def test_a_held_out_picture_is_named_whatever_its_file(
    images: ImageStore, donors: Path, row: int, side: str
) -> None:
    cell(row).save(donors / "same.bmp")
    with pytest.raises(DataError, match=rf"^1 of 4 images .*same\.bmp is a/{row}\.png \({side}\)"):
        refuse_held_out(reading(donors), images, FOLD)


def test_a_near_copy_is_found(images: ImageStore, donors: Path) -> None:
    shifted = cell(5).filter(ImageFilter.GaussianBlur(0.5)).point(lambda value: value * 0.9)
    shifted.save(donors / "near.jpg", quality=80)
    with pytest.raises(DataError, match=r"near\.jpg is a near copy of a/5\.png \(test\)"):
        refuse_held_out(reading(donors), images, FOLD)


def test_many_are_counted(images: ImageStore, donors: Path) -> None:
    for number in range(7):
        cell(4).save(donors / f"same{number}.png")
    with pytest.raises(DataError, match=r"^7 of 10 images .*; and 2 more\. Take them"):
        refuse_held_out(reading(donors), images, FOLD)


def test_unreadable_pictures_are_the_generators_business(images: ImageStore, donors: Path) -> None:
    (donors / "half.png").write_bytes(b"half")
    refuse_held_out(reading(donors), images, FOLD)
    for path in donors.glob("?.png"):
        path.unlink()
    refuse_held_out(reading(donors), images, FOLD)


def test_a_row_that_is_also_trained_on_is_not_held_out(images: ImageStore, donors: Path) -> None:
    cell(3).save(donors / "same.png")
    refuse_held_out(reading(donors), images, replace(FOLD, train=(0, 1, 2, 3)))
