"""The two sides of a comparison, as they are named on the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from leukreg.cli.data import TABLES, table_samples
from leukreg.errors import DataError, LeukregError, RunError
from leukreg.paths import expanded, require_regular
from leukreg.types import Fold, Role, Sample, Samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leukreg.data.decode import Facts, Reading
    from leukreg.progress import Progress

LOOKED_AT = 64
"""Images of a side whose own size is looked at."""
LARGEST = 128
"""Pixels a side that images are compared at where nothing else is asked for."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Where to look, and which rows of a run."""

    runs: Path
    fold: int
    """Its index, from 0."""
    rows: Role

    @property
    def where(self) -> str:
        return f"fold {self.fold + 1}"


@dataclass(frozen=True, slots=True)
class Side:
    """Images of one side."""

    name: str
    """What it is called, such as the folder."""
    samples: Samples
    training: Samples | None = None
    """What the generator saw, where that is known: copies are looked for there."""
    one_class: bool = False
    """The images lie in no class folders."""


def real_side(reference: str, wanted: Wanted) -> Side:
    """Real images: of a folder, a table, or the rows of a run's fold.

    Raises:
        LeukregError: There is no such thing, or it holds none.
    """
    run = _run(reference, wanted.runs)
    if run is None:
        return _listed(reference)
    samples, fold = _of_fold(run, wanted.fold)
    real = tuple(row for row in _rows(samples, fold, wanted.rows) if row.origin != "synthetic")
    if not real:
        raise DataError(f"{run}: the {wanted.rows} rows of {wanted.where} hold no real image")
    name = f"{wanted.rows} rows of {run.name}, {wanted.where}"
    return Side(name, replace(samples, rows=real))


def fake_side(reference: str, wanted: Wanted) -> Side:
    """Synthetic images: of a folder, a table, or those of a run's fold.

    Raises:
        LeukregError: There is no such thing, or it holds none.
    """
    run = _run(reference, wanted.runs)
    if run is None:
        return _listed(reference)
    samples, fold = _of_fold(run, wanted.fold)
    everywhere = [row for role in get_args(Role) for row in _rows(samples, fold, role)]
    fakes = tuple(row for row in everywhere if row.origin == "synthetic")
    if not fakes:
        raise DataError(f"{run}: {wanted.where} has no synthetic images")
    seen = _seen(samples, fold, fakes)
    name = f"synthetic images of {run.name}, {wanted.where}"
    return Side(name, replace(samples, rows=fakes), replace(samples, rows=seen))


def _seen(samples: Samples, fold: Fold, fakes: Sequence[Sample]) -> tuple[Sample, ...]:
    """The real rows that a generator learned from: any where it made them before the split."""
    rows = samples.rows
    before = any(row.lineage is not None and row.lineage.fold is None for row in fakes)
    numbers = range(len(rows)) if before else fold.learned
    return tuple(rows[number] for number in numbers if rows[number].origin != "synthetic")


def native_size(samples: Samples) -> int:
    """The shorter side of the images as they are on disk: the median over some of them."""
    import statistics

    from PIL import Image

    step = max(1, len(samples) // LOOKED_AT)
    sizes = []
    for row in samples.rows[::step]:
        try:
            require_regular(Path(row.path))
            with Image.open(row.path) as image:
                sizes.append(min(image.size))
        except (OSError, ValueError, Image.DecompressionBombError):
            continue  # opening them all says what is wrong with it
    return int(statistics.median(sizes)) if sizes else LARGEST


def pixels_of(
    sides: Sequence[Samples], size: int, progress: Progress
) -> tuple[list[NDArray[np.uint8]], tuple[Reading, ...]]:
    """The pixels of every side, shape ``(n, size, size, 3)``; what was chosen in reading them.

    Raises:
        Problems: Files that cannot be read, those of all sides.
    """
    from leukreg.data.decode import readings
    from leukreg.data.image_store import open_images
    from leukreg.errors import Problem, Problems
    from leukreg.types import ImageSpec

    found: list[NDArray[np.uint8]] = []
    facts: list[Facts] = []
    problems: list[Problem] = []
    for samples in sides:
        try:
            store = open_images(samples, ImageSpec(size=size), "stop", progress)
            found.append(store.pixels(range(len(store))))
            facts += store.facts.values()
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(list(dict.fromkeys(problems)), "nothing was compared.")
    return found, readings(facts)


def _run(reference: str, root: Path) -> Path | None:
    """The run folder that is meant, or None where something else is."""
    from leukreg.cli.named import run_named
    from leukreg.runs.status import FILE

    if not reference.strip():
        raise DataError("an empty name means no images; name a folder, a table or a run")
    path = expanded(reference)
    if path.is_dir() and (path / FILE).is_file():
        return path
    if path.exists() or path.suffix.lower() in TABLES or "/" in reference:
        return None
    try:
        return run_named(reference, root)
    except RunError as error:
        raise DataError(f"{reference!r} is no folder and no table, and {error}") from error


def _of_fold(run: Path, number: int) -> tuple[Samples, Fold]:
    """The samples of a run, and a fold of it."""
    from leukreg.runs.contents import read_samples
    from leukreg.runs.tables import read_folds

    samples, folds = read_samples(run), read_folds(run / "folds.csv")
    fold = next((fold for fold in folds if fold.index == number), None)
    if fold is None:
        there = ", ".join(str(fold.index + 1) for fold in folds)
        raise DataError(f"{run} has no fold {number + 1}; there are {there}")
    return samples, fold


def _rows(samples: Samples, fold: Fold, role: Role) -> tuple[Sample, ...]:
    """The rows of a role, a file that is listed twice in it once."""
    return tuple(samples.rows[row] for row in dict.fromkeys(getattr(fold, role)))


def _listed(reference: str) -> Side:
    path = expanded(reference)
    if path.suffix.lower() in TABLES and not path.is_dir():
        samples, flat = table_samples(path), False
    else:
        samples, flat = _folder(path)
    if not samples.rows:
        from leukreg.data.walk import instead

        raise DataError(f"{path} holds no images{instead(samples.passed)}")
    return Side(reference, samples, one_class=flat)


def _folder(path: Path) -> tuple[Samples, bool]:
    """The images of class folders, or those of a folder without any.

    Raises:
        DataError: It cannot be read, or holds images beside folders of images: which are meant?
    """
    from leukreg.data.listing import list_folder, list_images, require_folder
    from leukreg.data.walk import STRAY

    try:
        top = require_folder(path)
        every = list_images(top)
        in_folders = sum("/" in row.id for row in every.rows)
        if not in_folders:
            return every, True
        listed = list_folder(top)
    except LeukregError as error:
        raise DataError(str(error)) from error
    beside = len(every) - in_folders
    if beside:
        raise DataError(
            f"{path} holds {beside:,} images {STRAY} and {in_folders:,} in folders "
            f"({', '.join(name for name, n in listed.counts().items() if n)}); name the folder "
            "that is meant, or move the images into one"
        )
    return listed, False
