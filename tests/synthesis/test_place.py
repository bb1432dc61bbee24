"""What enters training: where rows are put, once for all, and that no test row is looked at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from leukreg import DataError, Fold
from leukreg.data.image_store import ImageStore
from leukreg.gate_figures import GateFigures
from leukreg.recipe.model import GateSpec
from leukreg.synthesis.make import Placed
from leukreg.synthesis.make import place as place_in
from tests.synthesis.gate_fakes import (
    CLASSES,
    FOLD,
    PER_CLASS,
    Copier,
    asked,
    good,
    noise,
    place,
    spec,
)

pytestmark = pytest.mark.usefixtures("small_eye")


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
