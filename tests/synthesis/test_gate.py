"""The gate: what copies, what is noise and what teaches nothing does not enter training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leukreg import Fold
from leukreg.data.image_store import ImageStore
from leukreg.errors import GateError
from leukreg.recipe.model import GateSpec
from tests.synthesis.cells import SIZE
from tests.synthesis.gate_fakes import (
    CLASSES,
    FOLD,
    PER_CLASS,
    PIXELS,
    Copier,
    Listener,
    entered,
    good,
    noise,
    other,
    place,
    side,
    spec,
)

pytestmark = pytest.mark.usefixtures("small_eye")


def test_good_images_pass_and_enter(images: ImageStore, tmp_path: Path) -> None:
    listener = Listener()
    placed = place(images, spec(good), tmp_path, listener)
    (table,) = placed.figures
    assert table.passed, table.why
    assert entered(placed) == ["b"] * 24
    assert table.entered == 24
    assert (table.label, table.fold, table.generator) == ("b", 0, "double")
    assert (table.extractor, table.dimensions) == (f"small@{'5' * 12}", 24)
    assert (table.real, table.fake, table.training) == (24, 24, 60)
    assert table.held_against == "validation rows"
    assert table.kid_ratio == max(0, table.kid) / table.floor_kid
    taught = table.fakes_only
    assert 0 < taught.low <= taught.score <= taught.high <= 1
    assert taught.chance == 0.5
    assert "fold 1, b: 24 images by double pass the gate: KID" in listener.lines[-1]
    assert listener.lines[-1].endswith(f" (small@{'5' * 12}, {SIZE} px, 24 real, 24 made)")


def test_a_network_may_be_the_one_that_is_taught(
    images: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leukreg.synthesis.downstream.STEPS", 60)
    listener = Listener()
    placed = place(images, spec(good, gate=GateSpec(pupil="network")), tmp_path, listener)
    (table,) = placed.figures
    assert table.passed, table.why
    assert table.fakes_only.pupil == "network"
    assert "teach a network " in listener.lines[-1]
    (table,) = place(images, spec(good), tmp_path / "other").figures
    assert table.fakes_only.pupil == "regression"


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (noise, "KID is [0-9.,]+ times the floor"),
        (noise, "0.0 % of the real images are covered"),
        (other, "teach no more than chance"),
    ],
)
def test_what_does_not_pass_is_left_out_and_said(
    images: ImageStore, tmp_path: Path, make: Any, why: str
) -> None:
    import re

    listener = Listener()
    placed = place(images, spec(make), tmp_path, listener)
    assert entered(placed) == []
    assert placed.fold == FOLD
    assert len(placed.images.samples) == len(images.samples)
    (table,) = placed.figures
    assert (table.passed, table.entered) == (False, 0)
    assert re.search(why, "; ".join(table.why)), table.why
    assert listener.lines[-1].startswith("! fold 1, b: 24 images by double FAIL the gate, left out")
    assert listener.lines[-1].endswith(f" (small@{'5' * 12}, {SIZE} px, 24 real, 24 made)")
    assert len(list((tmp_path / "run/fold-0/b").iterdir())) == 24  # to be looked at


def copying(images: ImageStore, copies: int) -> Copier:
    """Good images, the first draw's first few of them copies of training images."""
    maker = Copier(good)

    def make(label: str, n: int, seed: int) -> np.ndarray[Any, Any]:
        first = len(maker.draws) == 1
        pixels = good(label, n, seed).copy() if first else PIXELS[label][PER_CLASS + 30 :][:n]
        if first:
            pixels[:copies] = images.pixels(range(PER_CLASS, PER_CLASS + copies))
        return pixels

    maker.make = make
    return maker


def test_a_generator_that_copies_its_training_images_is_refused(
    images: ImageStore, tmp_path: Path
) -> None:
    placed = place(images, spec(copying(images, 24)), tmp_path)
    (table,) = placed.figures
    assert (table.copies, table.drawn) == (24, 24)
    assert "24 of 24 (100.0 %) copy training images (at most 1 %)" in table.why
    assert entered(placed) == []
    with Image.open(tmp_path / "run/fold-0/copies.png") as sheet:
        assert sheet.height > 200


def test_single_copies_are_replaced_and_counted(images: ImageStore, tmp_path: Path) -> None:
    maker = copying(images, 2)
    placed = place(images, spec(maker, gate=GateSpec(copies=0.1)), tmp_path)
    (table,) = placed.figures
    assert table.passed, table.why
    assert maker.draws == [("b", 24), ("b", 2)]
    assert (table.copies, table.drawn, table.fake) == (2, 24, 24)
    assert placed.fold is not None
    new = placed.images.pixels(placed.fold.train[-24:])
    train = images.pixels(FOLD.train)
    assert not any((image == train).all((1, 2, 3)).any() for image in new)


def test_a_copy_of_another_class_is_a_copy(images: ImageStore, tmp_path: Path) -> None:
    thief = Copier(lambda label, n, seed: images.pixels(range(n)))  # class "a", called "b"
    (table,) = place(images, spec(thief), tmp_path).figures
    assert table.copies == 24


def test_training_images_may_be_read_in_parts(
    images: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("leukreg.synthesis.gate.MOST_BYTES", 7 * 3 * SIZE**2)
    thief = Copier(lambda label, n, seed: images.pixels(range(PER_CLASS, PER_CLASS + n)))
    (table,) = place(images, spec(thief), tmp_path).figures
    assert (table.copies, table.training) == (24, 60)


def test_large_training_images_are_kept_small_and_look_alike() -> None:
    from leukreg.synthesis.extractor import shrunk
    from leukreg.synthesis.gate import SMALL
    from leukreg.synthesis.memorization import SmallPictures

    large = np.random.default_rng(0).integers(0, 256, (3, 2 * SMALL, 2 * SMALL, 3), np.uint8)
    made = shrunk(large, SMALL)
    assert (made.shape, made.dtype) == ((3, SMALL, SMALL, 3), np.uint8)
    assert np.abs(SmallPictures.of(made).fine - SmallPictures.of(large).fine).max() < 1
    assert shrunk(made, SMALL) is made


def test_stop_stops_with_all_reasons(images: ImageStore, tmp_path: Path) -> None:
    both = spec(noise, classes=CLASSES, gate=GateSpec(fails="stop"))
    with pytest.raises(GateError, match=r"a: KID is .* times") as caught:
        place(images, both, tmp_path)
    assert "b: KID is " in str(caught.value)
    assert str(tmp_path / "run/fold-0") in str(caught.value)
    with pytest.raises(GateError):  # a resumed run stops again, and makes nothing anew
        place(images, both, tmp_path)


def test_keep_trains_on_them_all_the_same(images: ImageStore, tmp_path: Path) -> None:
    placed = place(images, spec(noise, gate=GateSpec(fails="keep")), tmp_path)
    assert entered(placed) == ["b"] * 24
    assert (placed.figures[0].passed, placed.figures[0].entered) == (False, 24)


def test_one_class_may_fail_alone(images: ImageStore, tmp_path: Path) -> None:
    half = Copier(lambda label, n, seed: (good if label == "a" else noise)(label, n, seed))
    placed = place(images, spec(half, classes=CLASSES), tmp_path)
    first, second = placed.figures
    assert (first.passed, second.passed) == (True, False)
    assert (first.entered, second.entered) == (24, 0)
    assert entered(placed) == ["a"] * 24


def test_all_classes_together_are_judged_in_equal_parts(images: ImageStore, tmp_path: Path) -> None:
    counts = {"a": 8, "b": 24}
    _, _, whole = place(images, spec(good, classes=CLASSES, per_class=counts), tmp_path).figures
    assert whole.classes == ("a", "b")
    assert (whole.real, whole.fake, whole.drawn) == (32, 32, 32)
    assert whole.fakes_only.asked == 48
    assert whole.passed, whole.why


def test_without_a_gate_nothing_is_measured(images: ImageStore, tmp_path: Path) -> None:
    placed = place(images, spec(noise, gate=None), tmp_path)
    assert placed.figures == ()
    assert entered(placed) == ["b"] * 24


def watched(n: int, label_start: int) -> Fold:
    """The fold with so many validation rows of class "b"."""
    return replace(FOLD, validation=(*range(30, 54), *range(90, 90 + n)))


def test_few_validation_rows_are_helped_out_and_said(images: ImageStore, tmp_path: Path) -> None:
    for n, real, asked, rows in ((20, 20, 20, "validation rows"),
                                 (3, 33, 18, "validation and training rows"),
                                 (0, 30, 15, "training rows")):  # fmt: skip
        fold = replace(watched(n, 90), index=n)
        (table,) = place(images, spec(good), tmp_path, fold=fold).figures
        assert (table.real, table.held_against) == (real, rows)
        assert table.fakes_only.asked == asked
        assert bool(table.notes) == (n < 20)


def test_a_class_without_real_images_cannot_pass(images: ImageStore, tmp_path: Path) -> None:
    without = replace(FOLD, train=side(0, 30)[:30], validation=side(30, 54)[:24])
    unseen = Copier(lambda label, n, seed: good("b", n, seed))
    strict = spec(unseen, gate=GateSpec(kid=5))
    (table,) = place(images, strict, tmp_path, fold=without).figures
    assert table.why == ("no real images to hold them against (at least 12)",)
    lenient = GateSpec(unjudged="pass", kid=5)
    placed = place(images, spec(unseen, gate=lenient), tmp_path / "lenient", fold=without)
    assert placed.figures[0].passed
    assert entered(placed) == ["b"] * 24
    renamed = Copier(lambda label, n, seed: good("a", n, seed))
    (table,) = place(images, spec(renamed, gate=lenient), tmp_path / "a", fold=without).figures
    assert "they pass for a (KID" in table.why[0]
