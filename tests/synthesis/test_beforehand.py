"""Before anything is trained: what a generator cannot do is said at once, of all folds."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leukreg import DataError, Fold, ImageSpec
from leukreg.data import ImageStore, list_folder, open_images
from leukreg.errors import NotAvailable, PluginError
from leukreg.recipe.model import Choice, GateSpec, SynthesisSpec
from leukreg.synthesis import before_split, check_everything, check_folds

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
    return open_images(list_folder(tmp_path / "data"), IMAGE)


def spec(check: Callable[..., None] | None, **more: Any) -> SynthesisSpec:
    """A recipe whose generator has this check and refuses to be fitted."""

    def fit(*args: Any) -> None:
        pytest.fail("fitted")

    members = {"fit": fit} | ({"check": check} if check else {})
    plugin: Any = SimpleNamespace(
        build=lambda image, labels: SimpleNamespace(**members), files=more.pop("files", lambda: ())
    )
    choice = Choice(
        kind="generator", name="strange", plugin=plugin, owner="stranger 1.2", options={}
    )
    return SynthesisSpec(**{"generator": choice, "classes": ("b",), "per_class": 3, **more})


def look(images: ImageStore, wanted: SynthesisSpec) -> None:
    check_folds(images, FOLDS, wanted, IMAGE, 7)


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
    assert check_everything(images, spec(lambda rows: seen.append(len(rows))), IMAGE, 7)
    assert seen == [4]
    assert not check_everything(images, spec(None), IMAGE, 7)

    def refuse(rows: Any) -> None:
        raise DataError("no such thing")

    with pytest.raises(DataError, match="no such thing"):
        before_split(images, spec(refuse, place="before-split"), IMAGE, 7, tmp_path / "run")
