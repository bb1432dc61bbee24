"""One file of each picture is kept; of copies under several labels none is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from leukreg.data.folds import make_folds
from leukreg.data.groups import Dropped, drop_duplicates
from leukreg.data.image_store import ImageStore, open_images
from leukreg.data.listing import list_folder
from leukreg.data.near_duplicates import searched
from leukreg.errors import DataError, Problems
from leukreg.recipe.model import FoldsSpec
from leukreg.types import ImageSpec
from tests.data.conftest import picture


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))


def put(root: Path, name: str, number: int, side: int = 96) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    picture(number).resize((side, side)).save(path)


def opened(root: Path, level: int | None = None) -> ImageStore:
    return searched(open_images(list_folder(root, patient_level=level), ImageSpec(size=16)))


def test_one_file_of_each_picture_stays_the_largest_then_the_first(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    for name, number in (("a/2.png", 1), ("a/1.png", 1), ("a/3.png", 3), ("b/4.png", 4)):
        put(root, name, number)
    put(root, "a/0.png", 1, side=64)  # a thumbnail: a near duplicate
    left, dropped = drop_duplicates(opened(root))
    assert [row.id for row in left.samples.rows] == ["a/1.png", "a/3.png", "b/4.png"]
    assert dropped == (
        Dropped("a/0.png", "a", "a/1.png"),
        Dropped("a/2.png", "a", "a/1.png"),
    )
    whole = opened(root)
    rows = [row.id for row in whole.samples.rows]
    kept = [rows.index(row.id) for row in left.samples.rows]
    assert np.array_equal(left.pixels(range(3)), whole.pixels(kept))
    assert left.facts.keys() == {row.id for row in left.samples.rows}


def test_of_copies_whose_labels_disagree_none_stays(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    for name, number in (("a/1.png", 1), ("b/1.png", 1), ("a/2.png", 2)):
        put(root, name, number)
    left, dropped = drop_duplicates(opened(root))
    assert [row.id for row in left.samples.rows] == ["a/2.png"]
    assert dropped == (Dropped("a/1.png", "a", None), Dropped("b/1.png", "b", None))
    (root / "a/2.png").unlink()
    with pytest.raises(DataError, match="leaves no image"):
        drop_duplicates(opened(root))


def test_copies_that_chain_patients_are_refused_with_the_way_out(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    for label in "ab":
        for patient in range(6):
            # The last picture of a patient is the first of the next one.
            for number in (2 * patient, 2 * patient + 1, 2 * patient + 2):
                put(root, f"{label}/p{patient}/{number}.png", 100 * (label == "b") + number)
    images = opened(root, level=1)
    with pytest.raises(Problems, match=r'data.folds.duplicates = "drop" keeps one of each'):
        make_folds(images, FoldsSpec(k=5), 1)
    left, dropped = drop_duplicates(images)
    assert len(dropped) == 10
    folds = make_folds(left, FoldsSpec(k=5, duplicates="drop", validation=0), 1)
    assert sorted(row for fold in folds for row in fold.test) == list(range(len(left)))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5)), min_size=1, max_size=12))
def test_every_picture_of_one_label_is_kept_once(
    tmp_path_factory: pytest.TempPathFactory, files: list[tuple[str, int]]
) -> None:
    root = tmp_path_factory.mktemp("cells")
    labels: dict[int, set[str]] = {}
    for place, (label, number) in enumerate(files):
        put(root, f"{label}/{place:02d}-{number}.png", number)
        labels.setdefault(number, set()).add(label)
    expected = sorted(number for number, own in labels.items() if len(own) == 1)
    images = opened(root)
    if not expected:
        with pytest.raises(DataError):
            drop_duplicates(images)
        return
    left, dropped = drop_duplicates(images)
    shown = [int(Path(row.id).stem.split("-")[1]) for row in left.samples.rows]
    assert sorted(shown) == expected
    both = [*(row.id for row in left.samples.rows), *(one.id for one in dropped)]
    assert sorted(both) == sorted(row.id for row in images.samples.rows)
    kept = {row.id for row in left.samples.rows}
    assert all(one.kept is None or one.kept in kept for one in dropped)


def test_thumbnails_made_by_pillow_are_found(tmp_path: Path) -> None:
    root = tmp_path / "cells"
    put(root, "a/1.png", 7)
    with Image.open(root / "a/1.png") as image:
        image.resize((48, 48)).save(root / "a/thumb.png")
    left, _ = drop_duplicates(opened(root))
    assert [row.id for row in left.samples.rows] == ["a/1.png"]
