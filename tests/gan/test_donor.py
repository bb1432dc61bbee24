"""Donors: kept apart from home, matched to it, and never copies of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import given as cases
from hypothesis import strategies as st
from leukreg_gan.cgan import Cgan
from leukreg_gan.class_sources import ClassSources, Donor
from leukreg_gan.conditions import Conditions
from leukreg_gan.donor import CONFOUNDED, fit_match, stain_statistics
from numpy.typing import NDArray
from PIL import Image

from leukreg import DataError, ImageSpec, NotAvailable, Problems
from tests.gan.condition_images import SIZE, Given, given, labels_of, told_alike

IMAGE = ImageSpec(size=SIZE)
HOME = {"granulocyte": 6, "lymphocyte": 5, "monocyte": 0}
MAPPED = {"monocyte": ("[x] Mono*", "deep/mono"), "lymphocyte": ("Lympho (small)",)}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Dark, tinted donors in folders of any name."""
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    folders = {"[x] Mono*": 4, "deep/mono": 3, "Lympho (small)": 5, "rest": 2}
    rng = np.random.default_rng(9)
    for folder, count in folders.items():
        for number in range(count):
            path = tmp_path / "donors" / folder / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = rng.normal([120, 70, 90], 20, (11, 11, 3)).clip(0, 255)
            Image.fromarray(noise.astype(np.uint8)).save(path)
    return tmp_path / "donors"


def made(
    donor: Donor, counts: dict[str, int] = HOME, targets: tuple[str, ...] | None = ("monocyte",),
    images: Given | None = None,
) -> Conditions:  # fmt: skip
    ways = ClassSources(way="donor", donor=donor)
    return ways.conditions(images or given(counts), labels_of(counts), IMAGE, targets)


def test_donors_stand_after_home_and_apart_from_it(root: Path) -> None:
    told = made(Donor(root=str(root), classes=MAPPED))
    assert [group.name for group in told.plan.groups] == ["class", "source"]
    assert told.plan.groups[1].values == ("home", "donor")
    assert told.rows == tuple(range(11))
    assert told.donors.shape == (12, SIZE, SIZE, 3)
    assert told.vectors.shape == (23, 5)
    home, donors = told.vectors[:11], told.vectors[11:]
    assert home[:, 3:].tolist() == [[1, 0]] * 11
    assert donors[:, 3:].tolist() == [[0, 1]] * 12
    assert np.bincount(told.labels[:11], minlength=3).tolist() == [6, 5, 0]
    assert np.bincount(told.labels[11:], minlength=3).tolist() == [0, 5, 7]
    assert np.array_equal(told.vectors[:, :3], np.eye(3)[told.labels])
    assert told.notes == ()


def test_only_the_folders_that_are_read_are_looked_at(root: Path) -> None:
    def files(**keys: Any) -> set[Path]:
        return {*Donor(root=str(root), **keys).files()}

    assert files() == {root}
    read = {root / name for name in ("[x] Mono*", "deep/mono", "Lympho (small)")}
    assert files(classes=MAPPED) == read
    assert files(classes={"monocyte": ("no such folder",)}) == {root}


def test_the_missing_class_is_asked_for_as_from_home(root: Path) -> None:
    told = made(Donor(root=str(root), classes=MAPPED))
    vectors, words = told.plan.draw("monocyte", 2, np.random.default_rng(0))
    assert vectors.tolist() == [[0, 0, 1, 1, 0]] * 2
    assert words[0] == {
        "class": "monocyte",
        "source": "home",
        "way": "donor",
        "real images": "0",
        "donor images": "7",
        "donor root": str(root),
        "learned from": "donor images",
    }
    _, words = told.plan.draw("lymphocyte", 1, np.random.default_rng(0))
    assert words[0]["learned from"] == "real and donor images"
    _, words = told.plan.draw("granulocyte", 1, np.random.default_rng(0))
    assert words[0]["donor images"] == "0"
    assert "donor root" not in words[0]


def test_classes_are_found_by_their_own_names_when_nothing_is_mapped(root: Path) -> None:
    (root / "rest").rename(root / "monocyte")
    told = made(Donor(root=str(root)))
    assert told.labels[11:].tolist() == [2, 2]
    assert len(told.donors) == 2


def test_no_more_than_the_limit(root: Path) -> None:
    told = made(Donor(root=str(root), classes=MAPPED, limit=2))
    assert np.bincount(told.labels[11:], minlength=3).tolist() == [0, 2, 2]


def test_stain_is_matched_or_left(root: Path) -> None:
    images = given(HOME)
    left = made(Donor(root=str(root), classes=MAPPED, stain="none"), images=images)
    again = made(Donor(root=str(root), classes=MAPPED, stain="none"), images=images)
    matched = made(Donor(root=str(root), classes=MAPPED), images=images)
    assert np.array_equal(left.donors, again.donors)
    home = stain_statistics(images.given[6:])  # the class that both have
    far = np.abs(stain_statistics(left.donors).mean - home.mean).max()
    assert far > 0.2
    assert np.abs(stain_statistics(matched.donors[7:]).mean - home.mean).max() < 0.02
    assert np.abs(stain_statistics(matched.donors[7:]).deviation - home.deviation).max() < 0.02
    assert not told_alike(left, matched)


def test_a_source_without_a_class_in_common_is_said(root: Path) -> None:
    told = made(Donor(root=str(root), classes={"monocyte": ("rest",)}))
    assert told.notes == (CONFOUNDED,)
    home = stain_statistics(given(HOME).given)
    assert np.abs(stain_statistics(told.donors).mean - home.mean).max() < 0.05


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@cases(granulocytes=st.integers(1, 9), lymphocytes=st.integers(0, 9), seed=st.integers(0, 999))
def test_what_donors_are_does_not_reach_home(
    root: Path, granulocytes: int, lymphocytes: int, seed: int
) -> None:
    counts = {"granulocyte": granulocytes, "lymphocyte": lymphocytes, "monocyte": 0}
    images = given(counts, seed)
    told = made(Donor(root=str(root), classes=MAPPED), counts, images=images)
    home = granulocytes + lymphocytes
    assert np.bincount(told.labels[:home], minlength=3).tolist() == list(counts.values())
    assert np.array_equal(told.pixels(images)[:home], images.given)
    assert np.array_equal(told.pixels(images)[home:], told.donors)
    for label in told.classes:
        vectors, words = told.plan.draw(label, 5, np.random.default_rng(seed))
        assert vectors[:, -2:].tolist() == [[1, 0]] * 5
        assert {each["source"] for each in words} == {"home"}
        assert {each["real images"] for each in words} == {str(counts[label])}


def test_the_look_is_taken_from_given_images_of_shared_classes_only() -> None:
    counts = {"a": 3, "b": 4}
    asked: list[int] = []

    class Watched(Given):
        def pixels(self, rows: Sequence[int]) -> NDArray[np.uint8]:
            asked.extend(rows)
            return super().pixels(rows)

    plain = given(counts)
    donors = np.full((2, SIZE, SIZE, 3), 99, np.uint8)
    of = np.array([1, 1])
    fit_match(donors, of, Watched(plain.samples, plain.given), labels_of(counts))
    assert asked == [3, 4, 5, 6]


def test_copies_of_training_images_are_refused(root: Path) -> None:
    images = given(HOME)
    Image.fromarray(images.given[2]).save(root / "rest" / "copy.png")
    with pytest.raises(DataError, match=r"1 of 3 donors.*rest/copy.png is granulocyte/0002.png"):
        made(Donor(root=str(root), classes={"monocyte": ("rest",)}), images=images)


def test_all_mistakes_are_told_at_once(root: Path) -> None:
    (root / "empty").mkdir()
    classes = {"monocyt": ("rest",), "monocyte": ("empty",)}
    with pytest.raises(DataError) as caught:
        made(Donor(root=str(root), classes=classes))
    said = str(caught.value).splitlines()
    assert "'monocyt', which is named in donor.classes; did you mean 'monocyte'?" in said[0]
    assert f"donor.classes.monocyte: empty below {root} hold no images" in said[1]
    classes = {"monocyt": ("rest",), "monocyte": ("resd", "Lymph")}
    with pytest.raises(DataError) as caught:
        made(Donor(root=str(root), classes=classes))
    assert len(str(caught.value).splitlines()) == 3
    assert "did you mean 'rest'?" in str(caught.value)


def test_a_class_that_neither_side_shows_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"neither a training image nor a donor shows class 'mono"):
        made(Donor(root=str(root), classes={"lymphocyte": ("rest",)}))


def test_a_root_without_a_class_of_the_task_is_refused(root: Path) -> None:
    with pytest.raises(DataError, match=r"say in donor.classes which is what; there are Lympho"):
        made(Donor(root=str(root)))


def test_a_root_that_is_not_there_is_not_available(root: Path) -> None:
    donor = Donor(root=str(root.parent / "donor"))
    with pytest.raises(
        NotAvailable, match=r"did you mean .*donors.*synthesis.donor.root"
    ) as caught:
        donor.ready()
    assert "data.root" not in str(caught.value)
    with pytest.raises(NotAvailable):
        Cgan(way="donor", donor=donor).ready()
    replace(donor, root=str(root)).ready()


def test_broken_donors_are_named(root: Path) -> None:
    (root / "rest" / "a.png").write_bytes(b"no image")
    (root / "rest" / "b.png").write_bytes(b"")
    with pytest.raises(Problems) as caught:
        made(Donor(root=str(root), classes={"monocyte": ("rest",)}))
    assert len(caught.value.problems) == 2
    assert "remove these donor images" in str(caught.value)
    assert "data.broken" not in str(caught.value)
