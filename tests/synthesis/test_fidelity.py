from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from leukreg.errors import DataError
from leukreg.synthesis.fidelity import (
    Fidelity,
    LabelledImages,
    compare,
    measure,
    measure_classes,
)
from tests.synthesis.pictures import grid, pictures


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def found() -> Fidelity:
    return measure(pictures(40), pictures(30, seed=1), grid())


def test_everything_a_figure_rests_on_is_said(found: Fidelity) -> None:
    assert found.extractor == "grid@0123456789ab"
    assert (found.size, found.real, found.fake, found.training) == (32, 40, 30, 40)
    assert found.fid is not None
    assert found.floor.fid is None
    assert found.floor.kid > 0
    assert found.ratio("kid") == max(0, found.kid) / found.floor.kid
    assert found.ratio("fid") is None
    assert found.seconds > 0
    table = found.table()
    assert table["copies"] == len(found.memorized.copies)
    assert table["coverage_ratio"] == found.coverage / found.floor.coverage
    assert {"kid_std", "floor_coverage", "extractor", "size", "real", "fake"} <= set(table)
    assert all(isinstance(value, int | float | str | None) for value in table.values())


def test_a_second_measurement_costs_the_fake_side_only() -> None:
    extractor, real, fake = grid(), pictures(40), pictures(30, seed=1)
    first = measure(real, fake, extractor)
    assert extractor.module.seen == 70
    again = measure(real, fake, extractor)
    assert extractor.module.seen == 100
    assert replace(again, seconds=first.seconds) == first


def test_copies_are_looked_for_among_the_training_images() -> None:
    real, training = pictures(40), pictures(60, seed=2)
    fake = np.concatenate([training[5:7, :, ::-1], pictures(20, seed=3)])
    assert measure(real, fake, grid()).memorized.copies == ()
    sides = [LabelledImages(one, ["a"] * len(one)) for one in (real, fake, training)]
    found = measure_classes(*sides[:2], grid(), training=sides[2], each=False).overall
    assert found.memorized.copies == (0, 1)
    assert found.memorized.nearest[:2] == (5, 6)
    assert found.training == 60


def test_a_measurement_worsens_with_the_difference() -> None:
    real = pictures(120)
    worse = [measure(real, pictures(100, seed=1, shade=shade), grid()) for shade in (0, 4, 8, 16)]
    assert np.all(np.diff([one.kid for one in worse]) > 0)
    assert np.all(np.diff([one.fid or 0.0 for one in worse]) > 0)
    assert worse[0].coverage > worse[-1].coverage


def test_classes_have_figures_of_their_own() -> None:
    extractor = grid()
    real, labels = (
        np.concatenate([pictures(30), pictures(30, seed=1, shade=40)]),
        "a" * 30 + "b" * 30,
    )
    fake = np.concatenate([pictures(9, seed=2), pictures(9, seed=3, shade=90), pictures(7, seed=4)])
    fakes = LabelledImages(fake, [*"a" * 9 + "b" * 9 + "z" * 7])
    found = measure_classes(LabelledImages(real, [*labels]), fakes, extractor)
    assert extractor.module.seen == 60 + 18
    assert list(found.classes) == ["a", "b"]
    assert found.left_out == {"z": "no real images of it"}
    assert found.overall.fake == 18
    assert found.fake_rows == tuple(range(18))
    assert found.classes["b"].kid > found.classes["a"].kid
    alone = measure(real[:30], fake[:9], extractor)
    assert replace(alone, seconds=0) == replace(found.classes["a"], seconds=0)


def test_a_class_with_too_few_or_on_one_side_is_left_out_and_said() -> None:
    real, fake = pictures(40), pictures(12, seed=1)
    sides = (
        LabelledImages(real, [*"a" * 20 + "b" * 5 + "c" * 15]),
        LabelledImages(fake, [*"a" * 6 + "b" * 6]),
    )
    found = measure_classes(*sides, grid())
    assert list(found.classes) == ["a"]
    assert "5 real and 6 fake images, too few" in found.left_out["b"]
    assert found.left_out["c"] == "no fakes of it"
    assert found.overall.real == 25


def test_copies_are_told_by_their_place_among_all_images() -> None:
    training = pictures(40, seed=5)
    fake = np.concatenate([pictures(8, seed=6), training[30:31], pictures(6, seed=7)])
    found = measure_classes(
        LabelledImages(pictures(30), ["b"] * 30),
        LabelledImages(fake, [*"a" * 5 + "b" * 10]),
        grid(),
        training=LabelledImages(training, [*"a" * 25 + "b" * 15]),
    )
    [place] = found.overall.memorized.copies
    assert found.fake_rows[place] == 8
    assert found.training_rows[found.overall.memorized.nearest[place]] == 30
    assert found.classes["b"].memorized.copies == (3,)


def test_wrong_sides_are_refused_with_the_reason() -> None:
    with pytest.raises(DataError, match="11 real and 30 fake images, too few"):
        measure(pictures(11), pictures(30), grid())
    with pytest.raises(DataError, match="5 fake images, too few"):
        measure(pictures(30), pictures(5), grid())
    with pytest.raises(DataError, match="16x16x3 and 32x32x3"):
        measure(pictures(30), pictures(30, 16), grid())
    sides = LabelledImages(pictures(12), ["a"] * 12), LabelledImages(pictures(6), ["b"] * 6)
    with pytest.raises(
        DataError, match="no class is on both sides: real images are 'a', fakes 'b'"
    ):
        measure_classes(*sides, grid())


def test_figures_that_rest_on_other_things_are_never_compared(found: Fidelity) -> None:
    table = found.table()
    moved = compare(table, {**table, "kid": table["kid"] + 0.5})
    assert moved["kid"] == pytest.approx(0.5)
    assert moved["coverage"] == 0
    for key, value in (("extractor", "grid@fedcba987654"), ("size", 64), ("real", 41), ("fake", 3)):
        with pytest.raises(DataError, match=f"they differ in {key}"):
            compare(table, {**table, key: value})
    with pytest.raises(DataError, match=r"differ in size.*, fake"):
        compare(table, {**table, "size": 64, "fake": 31})


def test_a_refused_fid_says_why_and_offers_kid() -> None:
    found = measure(pictures(30), pictures(20, seed=1), grid())
    assert found.fid is None
    assert "no FID: with 12 features it needs 24 images a side" in found.refused
    assert "KID" in found.refused
