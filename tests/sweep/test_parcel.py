"""A unit done where none of the driver's folders is seen comes to the same bits."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from leukreg.sweep.driver import drive
from leukreg.sweep.sweep_file import read_sweep
from leukreg.sweep.sweep_folder import begin
from leukreg.sweep.sweep_plan import planned
from leukreg.sweep.unit import Unit, do_unit, forget_opened
from tests.trained import COLOURS, write_cells


class Elsewhere:
    """Workers on another machine: another cache, no images, nothing but what is sent."""

    count = 1

    def __init__(self, cells: Path, cache: Path) -> None:
        self.cells, self.cache = cells, cache
        self.sent: dict[str, bytes] = {}

    def submit(self, work: Callable[[Any], Any], unit: Unit) -> Future[Any]:
        assert work is do_unit
        parcel = unit.parcel()
        if parcel.content not in self.sent:
            self.sent[parcel.content] = parcel.images()
        images = self.sent[parcel.content]
        run, hidden = Path(unit.run), Path(unit.run).with_name("hidden")
        with pytest.MonkeyPatch.context() as patched:
            patched.setenv("LEUKREG_CACHE", str(self.cache))
            self.cells.rename(hidden)
            there = pickle.loads(pickle.dumps(parcel))
            run.rename(run.with_name("away"))
            forget_opened()
            try:
                returned = there.do(images)
            finally:
                run.with_name("away").rename(run)
                hidden.rename(self.cells)
        future: Future[Any] = Future()
        future.set_result(parcel.unpack(pickle.loads(pickle.dumps(returned))))
        return future

    def stop(self) -> None:
        return None


def test_a_worker_that_sees_no_folder_comes_to_the_same_bits(recipe: Path, tmp_path: Path) -> None:
    cells = write_cells(tmp_path / "cells", tuple(COLOURS), 10, seed=1)
    text = recipe.read_text().splitlines()
    text = [line if "folder" not in line else _data(cells) for line in text]
    recipe.write_text("\n".join(text))
    asked = read_sweep(recipe)
    place, plans = begin(asked, planned(asked), tmp_path / "runs")
    elsewhere = Elsewhere(cells, tmp_path / "cache")
    assert drive(place, plans, elsewhere) == ()
    assert len(elsewhere.sent) == 1  # for both folds
    assert not [*(tmp_path / "cache" / "sweeps").glob("*/*")]
    from leukreg.experiment import run

    (swept,) = plans
    alone = run(recipe, runs=tmp_path / "alone", overrides=("training.threads=1",))
    for name in ("predictions.csv", "validation.csv", "scores.json"):
        assert (place.parent / swept / name).read_bytes() == (alone.folder / name).read_bytes()


def _data(cells: Path) -> str:
    return f'data = {{ use = "folder", root = "{cells}", folds = {{ k = 2, validation = 0.3 }} }}'
