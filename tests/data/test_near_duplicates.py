"""Near duplicates are found, cells that merely look alike are not."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from leukreg.data import near_duplicates, pair_cache
from leukreg.data.cache_folder import cache_root
from leukreg.data.decode import THUMB
from leukreg.data.folds import make_folds
from leukreg.data.image_store import open_images
from leukreg.data.listing import list_folder
from leukreg.data.near_duplicates import (
    ALIKE,
    ReadThumbs,
    likeness,
    near_duplicate_pairs,
    near_duplicates_between,
    searched,
)
from leukreg.recipe.model import FoldsSpec
from leukreg.types import ImageSpec, Sample
from tests.data.conftest import Write, picture

REAL = Path(__file__).parents[3] / "shared" / "data" / "pbc-native"


def thumb(image: Image.Image) -> np.ndarray:
    return np.asarray(image.resize((THUMB, THUMB), Image.Resampling.BILINEAR).convert("L"))


def shifted(image: Image.Image, right: int, down: int) -> Image.Image:
    array = np.pad(np.asarray(image), ((20, 20), (20, 20), (0, 0)), mode="edge")
    height, width = image.height, image.width
    return Image.fromarray(array[20 - down :, 20 - right :][:height, :width])


def compressed(image: Image.Image) -> Image.Image:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=40)
    return Image.open(buffer).convert("RGB")


def stained(image: Image.Image) -> Image.Image:
    array = np.asarray(image) * np.array([0.8, 0.9, 1.1]) + np.array([10, -8, 4])
    return Image.fromarray(array.clip(0, 255).astype(np.uint8))


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "compressed": compressed,
    "stained": stained,
    "shifted": lambda image: shifted(image, 7, -5),
    "all of it": lambda image: stained(compressed(shifted(image, -4, 6))),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_are_found_among_others(change: str) -> None:
    others = [picture(seed, (128, 128)) for seed in range(120)]
    copies = [CHANGES[change](image) for image in others[:30]]
    thumbs = np.stack([thumb(image) for image in (*others, *copies)])
    assert near_duplicate_pairs(thumbs) == [(index, 120 + index) for index in range(30)]


def test_the_figure_does_not_depend_on_order_and_knows_itself() -> None:
    thumbs = np.stack([thumb(picture(seed, (128, 128))) for seed in range(6)])
    pairs = np.array([(a, b) for a in range(6) for b in range(6)])
    scores = likeness(thumbs, pairs).reshape(6, 6)
    assert np.allclose(scores, scores.T, atol=1e-4)
    assert np.allclose(np.diag(scores), 1, atol=1e-4)
    assert (scores[~np.eye(6, dtype=bool)] < ALIKE).all()


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(seed=st.integers(0, 2**31), change=st.sampled_from(sorted(CHANGES)))
def test_trees_find_what_comparing_all_with_all_finds(
    seed: int, change: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = [picture(seed + number, (96, 96)) for number in range(150)]
    changed = [CHANGES[change](image) for image in others[:40]]
    thumbs = np.stack([thumb(image) for image in (*others, *changed)])
    expected = near_duplicate_pairs(thumbs)
    with monkeypatch.context() as trees:
        trees.setattr(near_duplicates, "MANY", 0)
        trees.setattr(near_duplicates, "LEAF", 48)
        assert near_duplicate_pairs(thumbs) == expected
    assert len(expected) >= 40


def test_trees_give_each_picture_its_nearest_of_a_crowd(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_duplicates, "MANY", 0)
    one = thumb(picture(1, (128, 128))).astype(np.int16)
    grain = np.random.default_rng(0).integers(-2, 3, (60, THUMB, THUMB))
    crowd = (one + grain).clip(0, 255).astype(np.uint8)
    others = [thumb(picture(seed, (128, 128))) for seed in range(2, 152)]
    thumbs = np.stack([*crowd, *others])
    pairs = near_duplicate_pairs(thumbs)
    assert {row for pair in pairs for row in pair} == {*range(60)}
    assert len(pairs) <= 60 * near_duplicates.MOST
    assert pairs == near_duplicate_pairs(thumbs)


@pytest.mark.parametrize("count", [0, 1, 2, 7])
def test_blank_pictures_are_nobodys_twins(count: int) -> None:
    assert near_duplicate_pairs(np.full((count, THUMB, THUMB), 200, np.uint8)) == []


def test_twins_of_a_store_leave_exact_copies_out(write: Write, tmp_path: Path) -> None:
    samples = write(["a"] * 20 + ["b"], seeds=[*range(20), 0])
    path = tmp_path / "near.png"
    stained(picture(0)).save(path)
    near = Sample(id="b/near.png", path=str(path), label="b")
    images = searched(open_images(samples.extended((near, near)), ImageSpec(size=32)))
    pairs = (("a/0000.png", "b/near.png"), ("b/0020.png", "b/near.png"))
    assert images.near_duplicates == images.only(range(22)).near_duplicates == pairs
    assert images.only(range(20)).near_duplicates == ()


def test_a_split_without_a_search_is_an_error(write: Write) -> None:
    images = open_images(write("ab"), ImageSpec(size=32))
    with pytest.raises(ValueError, match="nobody has looked"):
        make_folds(images, FoldsSpec(), 0)


@pytest.mark.skipif(not REAL.is_dir(), reason="real cells are not on this machine")
def test_real_cells_have_no_false_twins_and_planted_ones_are_found() -> None:
    samples = list_folder(REAL, max_per_class=15)
    thumbs: list[np.ndarray] = []
    copies: list[np.ndarray] = []
    for row in samples.rows:
        image = Image.open(row.path).convert("RGB")
        thumbs.append(thumb(image))
        if len(copies) < 30:
            copies.append(thumb(stained(compressed(shifted(image, 9, -14)))))
    known = len(thumbs)
    found = near_duplicate_pairs(np.stack(thumbs + copies))
    assert found == [(index, known + index) for index in range(30)]


def test_thumbnails_that_are_read_when_asked_for_give_the_same_and_few_are_held() -> None:
    thumbs = np.stack([thumb(picture(seed, (96, 96))) for seed in (*range(40), *range(10))])
    thumbs[40:, :, 2:] = thumbs[40:, :, :-2].copy()
    held = []

    def read(rows: np.ndarray) -> np.ndarray:
        held.append(len(rows))
        return thumbs[rows[::-1]][::-1]

    asked = ReadThumbs(read, np.arange(50))
    assert near_duplicate_pairs(asked) == near_duplicate_pairs(thumbs)
    halves = ReadThumbs(read, np.arange(40, 50)), ReadThumbs(read, np.arange(40))
    found = near_duplicates_between(*halves)
    assert found == near_duplicates_between(thumbs[40:], thumbs[:40])
    assert [(new, known) for new, known, _ in found] == [(n, n) for n in range(10)]
    assert 1 in held  # one picture alone, where two are laid over each other


def test_a_search_among_many_is_made_once_for_the_same_pictures(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_cache, "KEPT", 3)
    samples = write(["a"] * 6)
    path = Path(samples.rows[0].path).with_name("near.png")
    stained(picture(0)).save(path)
    samples = samples.extended((Sample(id="a/near.png", path=str(path), label="a"),))
    images = open_images(samples, ImageSpec(size=32))
    found = searched(images).near_duplicates
    assert found == (("a/0000.png", "a/near.png"),)
    kept = list(cache_root().glob("near-duplicates/*/*.npz"))
    with monkeypatch.context() as second:
        second.setattr(near_duplicates, "near_duplicate_pairs", None)
        assert searched(images).near_duplicates == found
    assert len(kept) == 1
    kept[0].write_bytes(kept[0].read_bytes()[:-30])  # damaged: looked for once more
    assert searched(images).near_duplicates == found
    assert searched(images.only(range(6))).near_duplicates == ()
