"""Synthetic images: only the training fold is seen, only training rows are added, all is kept."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leukreg import DataError, Fold, ImageSpec, Lineage
from leukreg.data.image_store import ImageStore, open_images
from leukreg.data.listing import list_folder
from leukreg.data.near_duplicates import searched
from leukreg.errors import PluginError, RunError
from leukreg.recipe.model import SynthesisSpec
from leukreg.registry.plugin_call import Choice
from leukreg.synthesis import image_folder
from leukreg.synthesis.make import Placed, place, synthesize
from leukreg.synthesis.request import Request

SIZE = 16
IMAGE = ImageSpec(size=SIZE)
FOLD = Fold(index=2, train=(0, 1, 4, 5), validation=(2,), test=(3, 6, 7))


@dataclass
class Made:
    pixels: Any
    lineage: Any


@dataclass
class Painter:
    """Remembers what it saw and paints noise; a stand-in for a generator plugin."""

    spoil: Callable[[Made], Made] = lambda made: made
    fits: list[dict[str, Any]] = field(default_factory=list)
    samples: int = 0

    def build(self, image: ImageSpec, labels: Any) -> Painter:
        self.labels = labels
        return self

    def fit(self, images: Any, seed: int, folder: Path | None) -> None:
        ids = [row.id for row in images.samples.rows]
        pixels = images.pixels(range(len(images)))
        self.fits.append({"ids": ids, "pixels": pixels, "seed": seed, "folder": folder})

    def sample(self, label: str, n: int, seed: int) -> Made:
        self.samples += 1
        pixels = np.random.default_rng(seed).integers(0, 256, (n, SIZE, SIZE, 3), np.uint8)
        parent = self.fits[-1]["ids"][0]
        lineage = tuple(
            Lineage(generator="painter", seed=seed + i, parent=parent, parent_label="a")
            for i in range(n)
        )
        return self.spoil(Made(pixels, lineage))


@pytest.fixture
def images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStore:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    rng = np.random.default_rng(0)
    for label in ("a", "b"):
        for number in range(4):
            path = tmp_path / "data" / label / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 256, (20, 20, 3), np.uint8)).save(path)
    return searched(open_images(list_folder(tmp_path / "data"), IMAGE))


def spec(plugin: Any, **more: Any) -> SynthesisSpec:
    choice = Choice(kind="generator", name="painter", plugin=plugin, owner="stranger 1.2")
    return SynthesisSpec(
        **{"generator": choice, "classes": ("b",), "per_class": 3, "gate": None, **more}
    )


def placed_in(images: ImageStore, fold: Fold | None, wanted: SynthesisSpec, *more: Any) -> Placed:
    image, seed, folder = more
    number = None if fold is None else fold.index
    request = Request(spec=wanted, image=image, seed=seed, folder=folder.absolute(), fold=number)
    return place(images, fold, request)


def before_split(images: ImageStore, wanted: SynthesisSpec, *more: Any) -> Placed:
    return placed_in(images, None, wanted, *more)


def into_fold(
    images: ImageStore, fold: Fold, wanted: SynthesisSpec, *more: Any
) -> tuple[ImageStore, Fold]:
    """Without a gate: store and fold."""
    placed = placed_in(images, fold, wanted, *more)
    assert placed.fold is not None
    assert placed.figures == ()
    return placed.images, placed.fold


def test_the_generator_sees_the_training_rows_only(images: ImageStore, tmp_path: Path) -> None:
    painter = Painter()
    into_fold(images, FOLD, spec(painter), IMAGE, 7, tmp_path / "run")
    assert painter.fits[0]["ids"] == ["a/0.png", "a/1.png", "b/0.png", "b/1.png"]
    assert np.array_equal(painter.fits[0]["pixels"], images.pixels(FOLD.train))
    assert painter.labels.names == ("a", "b")
    assert painter.labels.counts == (2, 2)
    assert painter.fits[0]["folder"].is_dir()


def test_rows_go_to_the_training_side_only(images: ImageStore, tmp_path: Path) -> None:
    store, fold = into_fold(images, FOLD, spec(Painter()), IMAGE, 7, tmp_path / "run")
    assert fold == replace(FOLD, train=(0, 1, 4, 5, 8, 9, 10))
    new = store.samples.rows[8:]
    assert [row.id for row in new] == [f"synthetic/fold-2/b/000{i}.png" for i in (1, 2, 3)]
    assert {(row.label, row.origin) for row in new} == {("b", "synthetic")}
    lineages = [row.lineage for row in new]
    assert all(line and line.fold == 2 and line.generator == "painter" for line in lineages)
    assert len(images) == 8


def test_the_store_holds_the_very_pixels_that_were_made(images: ImageStore, tmp_path: Path) -> None:
    painter = Painter()
    store, fold = into_fold(images, FOLD, spec(painter), IMAGE, 7, tmp_path / "run")
    seed = store.samples.rows[8].lineage.seed  # type: ignore[union-attr]
    assert np.array_equal(store.pixels(fold.train[4:]), painter.sample("b", 3, seed).pixels)


def test_a_complete_folder_is_used_again(images: ImageStore, tmp_path: Path) -> None:
    first, _ = into_fold(images, FOLD, spec(Painter()), IMAGE, 7, tmp_path / "run")
    idle = Painter()
    second, fold = into_fold(images, FOLD, spec(idle), IMAGE, 7, tmp_path / "run")
    assert not idle.fits
    assert second.samples == first.samples
    assert np.array_equal(second.pixels(fold.train), first.pixels(fold.train))


def written(home: Path) -> dict[Path, bytes]:
    """Every file but the list of checksums, which grows with every writing."""
    found = [p for p in home.rglob("*") if p.is_file() and p.name != "checksums.txt"]
    return {p.relative_to(home): p.read_bytes() for p in found}


def test_what_a_kill_left_is_finished_bit_identically(images: ImageStore, tmp_path: Path) -> None:
    wanted = spec(Painter(), classes=("a", "b"))
    into_fold(images, FOLD, wanted, IMAGE, 7, tmp_path / "run")
    home = tmp_path / "run" / "fold-2"
    before = written(home)
    snapshot = home / "generator" / "epoch-3"
    snapshot.write_text("kept")
    (home / "complete.json").unlink()
    (home / "b" / "0002.png").write_bytes(b"half")
    into_fold(images, FOLD, wanted, IMAGE, 7, tmp_path / "run")
    assert snapshot.read_text() == "kept"
    snapshot.unlink()
    assert written(home) == before


def test_a_damaged_image_is_made_again(images: ImageStore, tmp_path: Path) -> None:
    store, _ = into_fold(images, FOLD, spec(Painter()), IMAGE, 7, tmp_path / "run")
    path = Path(store.samples.rows[9].path)
    good = path.read_bytes()
    path.write_bytes(good[:-9])
    into_fold(images, FOLD, spec(Painter()), IMAGE, 7, tmp_path / "run")
    assert path.read_bytes() == good


def test_another_request_does_not_use_the_old_folder(images: ImageStore, tmp_path: Path) -> None:
    into_fold(images, FOLD, spec(Painter(), per_class=5), IMAGE, 7, tmp_path / "run")
    (tmp_path / "run" / "fold-2" / "generator" / "stale").touch()
    for seed, wanted in ((7, spec(Painter())), (8, spec(Painter()))):
        store, _ = into_fold(images, FOLD, wanted, IMAGE, seed, tmp_path / "run")
        assert wanted.generator.plugin.fits
        assert len(store) == 11
        assert len(list((tmp_path / "run" / "fold-2" / "b").iterdir())) == 3
        assert not (tmp_path / "run" / "fold-2" / "generator" / "stale").exists()


def test_a_changed_file_of_the_generators_makes_images_anew(
    images: ImageStore, tmp_path: Path
) -> None:
    folder = tmp_path / "donors"
    (folder / "deep").mkdir(parents=True)
    table = folder / "deep" / "table.csv"
    table.write_text("one")

    class Reader(Painter):
        def files(self) -> tuple[Path, ...]:
            return (folder,)

    into_fold(images, FOLD, spec(Reader()), IMAGE, 7, tmp_path / "run")
    again = Reader()
    into_fold(images, FOLD, spec(again), IMAGE, 7, tmp_path / "run")
    assert not again.fits
    table.write_text("another")
    into_fold(images, FOLD, spec(again), IMAGE, 7, tmp_path / "run")
    assert len(again.fits) == 1


def test_an_option_called_files_is_an_option(images: ImageStore, tmp_path: Path) -> None:
    class Listing(Painter):
        files: Any = ("a.csv", "b.csv")

    store, _ = into_fold(images, FOLD, spec(Listing()), IMAGE, 7, tmp_path / "run")
    assert len(store) == 11


def _late() -> Iterator[Path]:
    yield Path()
    raise ValueError("no table")


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (lambda self: 1 / 0, "failed in files: ZeroDivisionError"),
        (lambda self: _late(), "failed in files: ValueError: no table"),
        (lambda self: None, "failed in files: TypeError"),
        (lambda self: "/donors", "broke its contract: files gives str, not pathlib.Path"),
    ],
)
def test_a_generator_that_cannot_name_its_files_is_named(
    images: ImageStore, tmp_path: Path, files: Callable[[Any], Any], message: str
) -> None:
    faulty = type("Faulty", (Painter,), {"files": files})()
    with pytest.raises(PluginError, match=message) as caught:
        into_fold(images, FOLD, spec(faulty), IMAGE, 7, tmp_path / "run")
    assert "generator 'painter' (from stranger 1.2)" in str(caught.value)
    assert not (tmp_path / "run").exists()


def test_images_that_were_trained_on_are_not_replaced(images: ImageStore, tmp_path: Path) -> None:
    run = tmp_path / "run"
    into_fold(images, FOLD, spec(Painter()), IMAGE, 7, run)
    before_split(images, spec(Painter()), IMAGE, 7, run)
    for name in ("before-split", "fold-2"):
        image_folder.hold(run / name)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    other = spec(Painter(), per_class=4)
    with pytest.raises(RunError, match=r"fold-2: a fold was trained on these .* new run"):
        into_fold(images, FOLD, other, IMAGE, 7, run)
    with pytest.raises(RunError, match="before-split: a fold was trained on these"):
        before_split(images, other, IMAGE, 7, run)
    assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
    idle = Painter()
    into_fold(images, FOLD, spec(idle), IMAGE, 7, run)
    assert not idle.fits
    into_fold(images, replace(FOLD, index=1), other, IMAGE, 7, run)


def test_images_are_made_where_the_recipe_wants_them(images: ImageStore, tmp_path: Path) -> None:
    def made(fold: Fold | None, wanted: SynthesisSpec | None) -> Placed:
        recipe: Any = SimpleNamespace(synthesis=wanted, read_image=IMAGE, seed=7)
        return synthesize(recipe, images, fold, tmp_path / "run")

    inside, before = spec(Painter()), spec(Painter(), place="before-split")
    for fold, wanted in ((FOLD, None), (None, None), (None, inside)):
        placed = made(fold, wanted)
        assert (placed.images, placed.fold, placed.figures) == (images, fold, ())
    assert not (tmp_path / "run").exists()
    assert made(FOLD, inside).fold == replace(FOLD, train=(*FOLD.train, 8, 9, 10))
    assert len(made(None, before).images.samples) == 11
    assert not (tmp_path / "run" / "before-split" / "trained-on.txt").exists()
    placed = made(FOLD, before)  # is trained on what was made before
    assert (placed.images, placed.fold) == (images, FOLD)
    for name in ("before-split", "fold-2"):
        assert (tmp_path / "run" / name / "trained-on.txt").exists()


def test_before_the_split_all_rows_are_seen(images: ImageStore, tmp_path: Path) -> None:
    painter = Painter()
    store = before_split(images, spec(painter), IMAGE, 7, tmp_path / "run").images
    assert len(painter.fits[0]["ids"]) == 8
    assert store.samples.rows[8].id == "synthetic/before-split/b/0001.png"
    assert store.samples.rows[8].lineage.fold is None  # type: ignore[union-attr]


def test_folds_and_classes_get_seeds_of_their_own(images: ImageStore, tmp_path: Path) -> None:
    both = spec(Painter(), classes=("a", "b"))
    one, _ = into_fold(images, FOLD, both, IMAGE, 7, tmp_path / "run")
    two, _ = into_fold(images, replace(FOLD, index=0), both, IMAGE, 7, tmp_path / "run")
    seeds = [row.lineage.seed for s in (one, two) for row in s.samples.rows[8:] if row.lineage]
    assert len(set(seeds)) == 12


def test_a_table_and_a_contact_sheet_are_written(images: ImageStore, tmp_path: Path) -> None:
    into_fold(images, FOLD, spec(Painter()), IMAGE, 7, tmp_path / "run")
    home = tmp_path / "run" / "fold-2"
    lines = (home / "lineage.csv").read_text().splitlines()
    assert lines[0].startswith("id,label,generator,seed,fold,parent,parent_label")
    assert lines[1].startswith("synthetic/fold-2/b/0001.png,b,painter,")
    assert len(lines) == 4
    with Image.open(home / "contact-sheet.png") as sheet:
        assert sheet.width > 3 * 100
        assert sheet.height > 2 * 100


def test_class_names_that_no_folder_can_have(images: ImageStore, tmp_path: Path) -> None:
    names = ("b/c", "b:c", "generator", "..")
    odd = replace(images, samples=replace(images.samples, classes=("a", "b", *names)))
    store, _ = into_fold(odd, FOLD, spec(Painter(), classes=names), IMAGE, 7, tmp_path / "run")
    new = store.samples.rows[8:]
    assert [row.label for row in new] == [name for name in names for _ in range(3)]
    assert len({row.id for row in new}) == 12
    assert all(Path(row.path).parent.parent == tmp_path / "run" / "fold-2" for row in new)


def test_an_unknown_class_is_refused_with_a_suggestion(images: ImageStore, tmp_path: Path) -> None:
    samples = replace(images.samples, classes=("a", "b", "Pre-B"))
    named = replace(images, samples=samples)
    with pytest.raises(DataError, match="no class 'Pro-B'; did you mean 'Pre-B'"):
        into_fold(named, FOLD, spec(Painter(), classes=("Pro-B",)), IMAGE, 7, tmp_path / "run")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda made: replace(made, pixels=made.pixels[:2]), r"shape \(2, 16, 16, 3\), not \(3,"),
        (lambda made: replace(made, pixels=made.pixels.astype(float)), "float64, not uint8"),
        (lambda made: replace(made, pixels=made.pixels.tolist()), "list, not a numpy array"),
        (lambda made: replace(made, pixels=made.pixels[:, :8]), r"shape \(3, 8, 16, 3\)"),
        (lambda made: replace(made, lineage=made.lineage[:1]), "1 entries, not 3"),
        (lambda made: replace(made, lineage=("x",) * 3), "not a tuple of leukreg.Lineage"),
        (lambda made: None, "NoneType, not a numpy array"),
        (lambda made: 1 / 0, "failed in sample: ZeroDivisionError"),
    ],
)
def test_a_broken_contract_names_plugin_and_owner(
    images: ImageStore, tmp_path: Path, spoil: Callable[[Made], Any], message: str
) -> None:
    with pytest.raises(PluginError, match=message) as caught:
        into_fold(images, FOLD, spec(Painter(spoil)), IMAGE, 7, tmp_path / "run")
    assert "generator 'painter' (from stranger 1.2)" in str(caught.value)
    assert not (tmp_path / "run" / "fold-2" / "complete.json").exists()


def test_a_generator_may_take_progress(images: ImageStore, tmp_path: Path) -> None:
    class Slow(Painter):
        def fit(self, images: Any, seed: int, folder: Path | None, progress: Any = None) -> None:
            self.progress = progress
            super().fit(images, seed, folder)

    slow = Slow()
    into_fold(images, FOLD, spec(slow), IMAGE, 7, tmp_path / "run")
    assert slow.progress is not None


def test_the_warp_plugin_in_a_fold(images: ImageStore, tmp_path: Path) -> None:
    from leukreg.registry import installed

    plugin: Any = installed().get("generator", "warp").cls
    wanted = spec(plugin(donor="a", strength="advanced"))
    store, _ = into_fold(images, FOLD, wanted, IMAGE, 7, tmp_path / "run")
    parents = {row.lineage.parent for row in store.samples.rows[8:] if row.lineage}
    assert parents == {"a/0.png", "a/1.png"}
    nobody = replace(FOLD, train=(4, 5), index=3)
    with pytest.raises(DataError, match="no images of 'a'"):
        into_fold(images, nobody, wanted, IMAGE, 7, tmp_path / "run")
