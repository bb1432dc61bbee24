"""The gate: what copies, what is noise and what teaches nothing does not enter training."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from PIL import Image

from leukreg import DataError, Fold, ImageSpec, Lineage, plugin
from leukreg.data.image_store import ImageStore, open_images
from leukreg.data.listing import list_folder
from leukreg.data.near_duplicates import searched
from leukreg.errors import GateError
from leukreg.gate_figures import GateFigures
from leukreg.recipe.model import GateSpec, SynthesisSpec
from leukreg.registry.plugin_call import Choice
from leukreg.synthesis.extractor import OpenExtractor, opened
from leukreg.synthesis.make import Placed
from leukreg.synthesis.make import place as place_in
from leukreg.synthesis.request import Request
from tests.synthesis.cells import SIZE, cells

IMAGE = ImageSpec(size=SIZE)
PER_CLASS = 60
"""Real images of a class: 30 to train on, 24 to watch, 6 to test."""
CLASSES = ("a", "b")
PIXELS = {label: cells(label, PER_CLASS + 40) for label in CLASSES}
"""The first PER_CLASS are the data, the others what a perfect generator would make."""


@plugin("small")
class Small:
    """A fixed projection of tiny pictures, as a stand-in for a trained network."""

    def build(self) -> Any:
        import torch
        from torch import nn

        class Net(nn.Module):
            dimensions = 24

            def __init__(self) -> None:
                super().__init__()
                made = torch.Generator().manual_seed(0)
                self.weight = nn.Parameter(torch.randn(192, 24, generator=made) / 14)

            def forward(self, images: torch.Tensor) -> torch.Tensor:
                tiny = nn.functional.adaptive_avg_pool2d(images.float() / 255, 8)
                return (tiny.flatten(1) - 0.5) @ self.weight

        return Net().eval()

    def describe(self) -> dict[str, str]:
        return {"digest": "5" * 64}


@dataclass
class Copier:
    """A generator that gives the images of ``make(label, n, seed)``, and notes what it saw."""

    make: Callable[[str, int, int], np.ndarray[Any, Any]]
    ids: list[str] = field(default_factory=list)
    draws: list[tuple[str, int]] = field(default_factory=list)
    kill_at: int | None = None

    def build(self, image: ImageSpec, labels: Any) -> Copier:
        return self

    def fit(self, images: Any, seed: int, folder: Path | None) -> None:
        self.ids = [row.id for row in images.samples.rows]
        self.images = images

    def sample(self, label: str, n: int, seed: int) -> Any:
        self.draws.append((label, n))
        if len(self.draws) == self.kill_at:
            raise KeyboardInterrupt
        lineage = tuple(Lineage(generator="double", seed=seed + i) for i in range(n))
        return Made(self.make(label, n, seed), lineage)


@dataclass
class Made:
    pixels: Any
    lineage: Any


def good(label: str, n: int, seed: int) -> np.ndarray[Any, Any]:
    """Real cells that are in no data set: what a perfect generator makes."""
    return PIXELS[label][PER_CLASS:][:n]


def noise(label: str, n: int, seed: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, 3), np.uint8)


def other(label: str, n: int, seed: int) -> np.ndarray[Any, Any]:
    return good("a" if label == "b" else "b", n, seed)


class Listener:
    """Progress that keeps what is said."""

    def __init__(self) -> None:
        from leukreg.progress import SILENT

        self.task = SILENT.task
        self.lines: list[str] = []

    def say(self, text: str) -> None:
        self.lines.append(text)


@pytest.fixture(autouse=True)
def small_eye(monkeypatch: pytest.MonkeyPatch) -> OpenExtractor:
    eye = opened(Small())
    monkeypatch.setattr("leukreg.synthesis.gate.open_extractor", lambda text: eye)
    return eye


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cells")
    for label in CLASSES:
        (root / label).mkdir()
        for number, pixels in enumerate(PIXELS[label][:PER_CLASS]):
            Image.fromarray(pixels).save(root / label / f"{number:02d}.png")
    return root


@pytest.fixture
def images(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStore:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    return searched(open_images(list_folder(data), IMAGE))


def side(first: int, last: int) -> tuple[int, ...]:
    """These rows of both classes."""
    return tuple(row for start in (0, PER_CLASS) for row in range(start + first, start + last))


FOLD = Fold(index=0, train=side(0, 30), validation=side(30, 54), test=side(54, 60))


def spec(make: Any, **more: Any) -> SynthesisSpec:
    maker = make if isinstance(make, Copier) else Copier(make)
    choice = Choice(kind="generator", name="double", plugin=maker, owner="test 1")
    gate = more.pop("gate", GateSpec())
    asked = {"generator": choice, "classes": ("b",), "per_class": 24, "gate": gate}
    return SynthesisSpec(**{**asked, **more})


def asked(wanted: SynthesisSpec, seed: int, folder: Path, fold: int | None = 0) -> Request:
    return Request(spec=wanted, image=IMAGE, seed=seed, folder=folder, fold=fold)


def place(
    images: ImageStore, wanted: SynthesisSpec, where: Path, progress: Any = None, fold: Fold = FOLD
) -> Placed:
    return place_in(images, fold, asked(wanted, 7, where / "run"), progress or Listener())


def entered(placed: Placed) -> list[str]:
    assert placed.fold is not None
    rows = [placed.images.samples.rows[row] for row in placed.fold.train]
    return [row.label for row in rows if row.origin == "synthetic"]


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


def test_before_the_split_the_same_gate_stands(images: ImageStore, tmp_path: Path) -> None:
    placed = place_in(images, None, asked(spec(noise), 7, tmp_path / "run", None))
    assert placed.fold is None
    assert len(placed.images.samples) == 2 * PER_CLASS
    assert (placed.figures[0].held_against, placed.figures[0].real) == ("training rows", 60)
    assert placed.figures[0].fold is None


def test_the_real_rows_may_be_replaced(images: ImageStore, tmp_path: Path) -> None:
    maker = Copier(good)
    placed = place(images, spec(maker, mix="replace"), tmp_path)
    assert placed.fold is not None
    rows = [placed.images.samples.rows[row] for row in placed.fold.train]
    assert [(row.label, row.origin) for row in rows] == [("a", "real")] * 30 + [
        ("b", "synthetic")
    ] * 24
    assert len(maker.ids) == 60  # the generator has learned from them
    assert placed.fold.validation == FOLD.validation
    assert placed.fold.replaced == tuple(range(PER_CLASS, PER_CLASS + 30))
    with pytest.raises(DataError, match="nothing to train on"):
        place(images, spec(noise, mix="replace", classes=CLASSES), tmp_path / "noise")


def test_a_seed_of_its_own_fits_alike_and_draws_anew(images: ImageStore, tmp_path: Path) -> None:
    seeds: list[int] = []

    class Noting(Copier):
        def fit(self, images: Any, seed: int, folder: Path | None) -> None:
            seeds.append(seed)
            super().fit(images, seed, folder)

    drawn = []
    for seed in (1, 2):
        wanted = spec(Noting(good), seed=6, gate=None)
        placed = place_in(images, FOLD, asked(wanted, seed, tmp_path / str(seed)))
        drawn.append([row.lineage.seed for row in placed.images.samples.rows if row.lineage])
    place_in(images, FOLD, asked(spec(Noting(good), gate=None), 6, tmp_path / "own"))
    assert len(set(seeds)) == 1
    assert drawn[0] != drawn[1]


def test_a_finished_folder_is_not_judged_again(
    images: ImageStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = place(images, spec(good), tmp_path)
    monkeypatch.setattr("leukreg.synthesis.make.Gate", None)
    monkeypatch.setattr("leukreg.synthesis.generator.fit", None)
    second = place(images, spec(good), tmp_path)
    assert second.figures == first.figures
    assert second.images.samples == first.images.samples


def test_a_killed_making_goes_on_to_the_same_images_and_figures(
    images: ImageStore, tmp_path: Path
) -> None:
    whole = place(images, spec(good, classes=CLASSES), tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        place(images, spec(Copier(good, kill_at=2), classes=CLASSES), tmp_path / "killed")
    again = place(images, spec(good, classes=CLASSES), tmp_path / "killed")

    def timeless(placed: Placed) -> list[GateFigures]:
        return [replace(one, seconds=None) for one in placed.figures]

    assert timeless(again) == timeless(whole)
    assert again.fold == whole.fold
    assert whole.fold is not None
    assert np.array_equal(
        again.images.pixels(whole.fold.train), whole.images.pixels(whole.fold.train)
    )


def test_another_gate_is_another_judgement(images: ImageStore, tmp_path: Path) -> None:
    (first,) = place(images, spec(good), tmp_path).figures
    (second,) = place(images, spec(good, gate=GateSpec(coverage=1.0)), tmp_path).figures
    assert first.passed
    assert not second.passed


@dataclass(frozen=True, eq=False)
class Watched(ImageStore):
    """A store that notes whose pixels are read."""

    read: set[int] = field(default_factory=set)

    def pixels(self, rows: Sequence[int]) -> np.ndarray[Any, Any]:
        self.read.update(rows)
        return super().pixels(rows)


@given(sides=st.lists(st.sampled_from("trvn"), min_size=40, max_size=40), overlap=st.booleans())
@example(sides=list("trvr") * 10, overlap=True)
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_test_row_reaches_generator_or_gate_and_no_validation_row_the_generator(
    sides: list[str], overlap: bool, images: ImageStore, tmp_path: Path
) -> None:
    """t: train, r: test, v: validation, n: left out; the rest of the rows are trained on."""
    rows = [PER_CLASS * (n % 2) + n // 2 for n in range(40)]  # of both classes in turn
    chosen = {key: [r for r, s in zip(rows, sides, strict=True) if s == key] for key in "trvn"}
    fold = Fold(
        index=0,
        train=(*chosen["t"], *(row for row in range(2 * PER_CLASS) if row not in rows)),
        validation=(*chosen["v"], *(chosen["r"] if overlap else ())),
        test=tuple(chosen["r"]),
    )
    store = Watched(**{f.name: getattr(images, f.name) for f in fields(ImageStore)})
    maker = Copier(good)
    where = tmp_path / "-".join(["".join(sides), str(overlap)])
    place_in(store, fold, asked(spec(maker), 7, where))
    assert maker.ids == [images.samples.rows[row].id for row in fold.train]
    assert store.read >= set(fold.train)
    assert not store.read & {*fold.test, *chosen["n"]}
