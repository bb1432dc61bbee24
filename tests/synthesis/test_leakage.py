"""Before anything is trained: what a generator cannot do is said at once, of all folds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageFilter

from leukreg import DataError, Fold, ImageSpec
from leukreg.data.image_store import ImageStore, open_images
from leukreg.data.listing import list_folder
from leukreg.data.near_duplicates import searched
from leukreg.errors import NotAvailable, PluginError
from leukreg.recipe.model import GateSpec, SynthesisSpec
from leukreg.registry.plugin_call import Choice
from leukreg.synthesis.leakage import check, refuse_held_out
from leukreg.synthesis.make import synthesize

IMAGE = ImageSpec(size=16)
FOLDS = (
    Fold(index=0, train=(0, 1, 3), validation=(), test=(2,)),
    Fold(index=1, train=(1, 2, 3), validation=(), test=(0,)),
)


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStore:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for number in range(4):
        path = tmp_path / "data" / ("b" if number == 3 else "a") / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(path)
    return searched(open_images(list_folder(tmp_path / "data"), IMAGE))


def spec(check: Callable[..., None] | None, **more: Any) -> SynthesisSpec:
    """A recipe whose generator has this check and refuses to be fitted."""

    def fit(*args: Any) -> None:
        pytest.fail("fitted")

    members = {"fit": fit} | ({"check": check} if check else {})
    plugin: Any = SimpleNamespace(
        build=lambda image, labels: SimpleNamespace(**members), files=more.pop("files", lambda: ())
    )
    choice = Choice(kind="generator", name="strange", plugin=plugin, owner="stranger 1.2")
    return SynthesisSpec(
        **{"generator": choice, "classes": ("b",), "per_class": 3, "gate": None, **more}
    )


def recipe(wanted: SynthesisSpec) -> Any:
    return SimpleNamespace(synthesis=wanted, read_image=IMAGE, seed=7)


def look(images: ImageStore, wanted: SynthesisSpec) -> None:
    check(recipe(wanted), images, FOLDS)


def test_a_generator_is_asked_about_the_training_rows_of_each_fold(images: ImageStore) -> None:
    seen = []
    look(images, spec(lambda images: seen.append([row.id for row in images.samples.rows])))
    assert seen == [["a/0.png", "a/1.png", "b/3.png"], ["a/1.png", "a/2.png", "b/3.png"]]


def test_a_generator_without_a_check_is_not_asked(images: ImageStore) -> None:
    look(images, spec(None))


def test_faults_of_all_folds_are_said_once_each(images: ImageStore) -> None:
    def refuse(images: Any, progress: Any) -> None:
        progress.say("looking")
        raise DataError(f"no table\nno {images.samples.rows[0].id}")

    with pytest.raises(DataError) as caught:
        look(images, spec(refuse))
    assert str(caught.value) == "no table\nno a/0.png\nno a/1.png"


def test_held_out_images_and_refusals_are_said_together(images: ImageStore, tmp_path: Path) -> None:
    reading = spec(None, files=lambda: (tmp_path / "data" / "a",))
    with pytest.raises(DataError) as caught:
        look(images, reading)
    one, two = str(caught.value).splitlines()
    assert "1 of 3 images that the generator 'strange' reads" in one
    assert "is a/2.png (test)" in one
    assert "is a/0.png (test)" in two


def test_a_broken_check_is_the_plugins(images: ImageStore) -> None:
    with pytest.raises(
        PluginError, match=r"'strange' \(from stranger 1.2\) failed.*: ZeroDivision"
    ):
        look(images, spec(lambda images: 1 / 0))


def test_classes_and_the_gates_extractor_are_looked_at_first(images: ImageStore) -> None:
    with pytest.raises(DataError, match="no class 'c'"):
        look(images, spec(lambda images: pytest.fail("asked"), classes=("c",)))
    gate = GateSpec(extractor="inception:/no/such/file")
    with pytest.raises(NotAvailable, match="no weights file"):
        look(images, spec(lambda images: pytest.fail("asked"), gate=gate))


def test_before_a_split_the_check_is_of_all_rows_and_comes_before_any_fit(
    images: ImageStore, tmp_path: Path
) -> None:
    seen: list[int] = []
    before = {"place": "before-split"}
    asked = spec(lambda rows: seen.append(len(rows)), **before)
    assert check(recipe(asked), images, None)
    assert seen == [4]
    assert not check(recipe(spec(None, **before)), images, None)

    def refuse(rows: Any) -> None:
        raise DataError("no such thing")

    with pytest.raises(DataError, match="no such thing"):
        synthesize(recipe(spec(refuse, **before)), images, None, tmp_path / "run")


FOLD = Fold(index=0, train=(0, 1, 2), validation=(3,), test=(4, 5))


def cell(seed: int) -> Image.Image:
    """A picture with structure, such as a copy of it keeps."""
    noise = np.random.default_rng(seed).integers(0, 256, (16, 16, 3), np.uint8)
    return Image.fromarray(noise).resize((72, 72), Image.Resampling.BICUBIC)


@pytest.fixture
def held_images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStore:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    (tmp_path / "home" / "a").mkdir(parents=True)
    for number in range(6):
        cell(number).save(tmp_path / "home" / "a" / f"{number}.png")
    return searched(open_images(list_folder(tmp_path / "home"), ImageSpec(size=16)))


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
    return Choice(kind="generator", name="reader", plugin=plugin, owner="stranger 1.2")


def test_pictures_of_another_source_pass(held_images: ImageStore, donors: Path) -> None:
    refuse_held_out(reading(donors), held_images, FOLD)


def test_training_images_are_not_held_out(held_images: ImageStore, donors: Path) -> None:
    cell(0).save(donors / "same.png")
    refuse_held_out(reading(donors), held_images, FOLD)


@pytest.mark.parametrize(("row", "side"), [(3, "validation"), (4, "test")])
def test_a_held_out_picture_is_named_whatever_its_file(
    held_images: ImageStore, donors: Path, row: int, side: str
) -> None:
    cell(row).save(donors / "same.bmp")
    with pytest.raises(DataError, match=rf"^1 of 4 images .*same\.bmp is a/{row}\.png \({side}\)"):
        refuse_held_out(reading(donors), held_images, FOLD)


def test_a_near_copy_is_found(held_images: ImageStore, donors: Path) -> None:
    shifted = cell(5).filter(ImageFilter.GaussianBlur(0.5)).point(lambda value: value * 0.9)
    shifted.save(donors / "near.jpg", quality=80)
    with pytest.raises(DataError, match=r"near\.jpg is a near duplicate of a/5\.png \(test\)"):
        refuse_held_out(reading(donors), held_images, FOLD)


def test_many_are_counted(held_images: ImageStore, donors: Path) -> None:
    for number in range(7):
        cell(4).save(donors / f"same{number}.png")
    with pytest.raises(DataError, match=r"^7 of 10 images .*; and 2 more\. Take them"):
        refuse_held_out(reading(donors), held_images, FOLD)


def test_unreadable_pictures_are_the_generators_business(
    held_images: ImageStore, donors: Path
) -> None:
    (donors / "half.png").write_bytes(b"half")
    refuse_held_out(reading(donors), held_images, FOLD)
    for path in donors.glob("?.png"):
        path.unlink()
    refuse_held_out(reading(donors), held_images, FOLD)


def test_a_row_that_is_also_trained_on_is_not_held_out(
    held_images: ImageStore, donors: Path
) -> None:
    cell(3).save(donors / "same.png")
    refuse_held_out(reading(donors), held_images, replace(FOLD, train=(0, 1, 2, 3)))
