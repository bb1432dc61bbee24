"""``leukreg fidelity``: how near synthetic images come to real ones."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leukreg.cli.arguments import run_named, runs_folder
from leukreg.cli.data import TABLE_ENDINGS, table_samples
from leukreg.errors import DataError, LeukregError, Problem, Problems, RunError
from leukreg.paths import expanded, require_regular
from leukreg.report import fidelity_report as report
from leukreg.report.console import RichProgress, open_console, print_sections, render
from leukreg.types import Fold, Sample, Samples

if TYPE_CHECKING:
    from leukreg.data.decode import Facts
    from leukreg.progress import Progress
    from leukreg.record import Reading
    from leukreg.synthesis.fidelity import FidelityByClass, LabelledImages

LOOKED_AT = 64
"""Images of a side whose own size is looked at."""
LARGEST = 128
"""Pixels a side that images are compared at where nothing else is asked for."""
_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("fidelity")
@click.argument("real")
@click.argument("fake")
@click.option(
    "--extractor",
    "name",
    default="cells",
    show_default=True,
    metavar="NAME[:PATH]",
    help="Features to compare in: cells, inception, run:RUN, ...",
)
@click.option(
    "--size",
    type=click.IntRange(min=8, max=1024),
    metavar="N",
    help="Pixels a side.  [default: the smaller side's own, 128 at most]",
)
@click.option("--training", metavar="IMAGES", help="Where copies are looked for.  [default: REAL]")
@click.option("--fold", type=click.IntRange(min=1), default=1, show_default=True, help="(runs)")
@click.option(
    "--rows",
    type=click.Choice(("train", "validation", "test")),
    default="train",
    show_default=True,
    help="Real rows of a run's fold.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of halvings and draws.")
@click.option("--json", "json_file", type=_FILE, metavar="FILE", help="Write all figures there.")
@click.option("--sheet", type=_FILE, metavar="FILE", help="PNG: fakes above their nearest images.")
@click.option("--against", type=_FILE, metavar="FILE", help="JSON of a check to compare with.")
@runs_folder
def command(
    real: str,
    fake: str,
    name: str,
    size: int | None,
    training: str | None,
    fold: int,
    rows: str,
    seed: int,
    json_file: Path | None,
    sheet: Path | None,
    against: Path | None,
    root: Path,
) -> int:
    """Compare synthetic images FAKE with real ones REAL: how near they come, and what they copy.

    Each is a folder (of class folders, or of images), a table, or a run: its real rows, its
    synthetic ones. Figures stand beside their floor, the same between two halves of the real
    images. Exits with 1 when over 1 % of the fakes copy training images.
    """
    from leukreg.synthesis.extractor import open_extractor
    from leukreg.synthesis.fidelity import measure_classes

    refuse(json_file, report.is_check)
    refuse(sheet, report.is_sheet)
    before = None if against is None else report.read_check(against)
    sides = compared_sides(real, fake, training, root, fold, rows)
    extractor = open_extractor(name)
    with RichProgress(open_console(err=True)) as progress:
        images, heads = open_sides(sides, size, progress)
        found = measure_classes(
            images["real"],
            images["fake"],
            extractor,
            training=images["training"],
            each=not any(sides[what].one_class for what in ("real", "fake")),
            seed=seed,
            progress=progress,
        )
    console = open_console()
    print_sections(report.sections(found, tuple(heads)), console)
    if json_file is not None:
        facts = {
            "compared": {what: side.name for what, side in sides.items()},
            "extractor": dict(extractor.facts),
            "copied": list(copied(found, sides["fake"].samples, sides["training"].samples)),
        }
        report.write_check(json_file, found, facts)
    if sheet is not None:
        report.write_sheet(sheet, found, images["fake"], images["training"])
    if before is not None:  # last: where the two do not go together, the figures are kept
        render(report.changes(before, found, str(against)), console)
    return 1 if report.too_many_copies(found.overall) else 0


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


def compared_sides(
    real: str, fake: str, training: str | None, root: Path, fold: int, rows: str
) -> dict[str, Side]:
    """The sides "real" and "fake" by the words of a command line, and "training": where copies are
    looked for, which is what was asked for, what a run's generator saw, or the real side itself.

    Args:
        root: Where runs are looked for.
        fold: That of a run, from 1.
        rows: The role whose real rows a run stands for.

    Raises:
        LeukregError: One of them is not there, or does not go with the others.
    """
    own, other = real_side(real, root, fold, rows), fake_side(fake, root, fold)
    seen = own if training is None else real_side(training, root, fold, rows)
    if training is None and other.training is not None:
        seen = Side(f"what made them saw ({other.name})", other.training)
    known = [
        {row.label for row in side.samples.rows} for side in (own, other) if not side.one_class
    ]
    if seen.one_class and known:
        raise DataError(
            f"{seen.name} has no class folders, and REAL and FAKE have: copies are looked for "
            "class by class"
        )
    compared = set.intersection(*known) if known else set()
    if compared and compared.isdisjoint(row.label for row in seen.samples.rows):
        raise DataError(
            f"{seen.name}: no image of a class that is compared, so there is nothing to look "
            "for copies among; name the training images with --training"
        )
    return {"real": own, "fake": other, "training": seen}


def open_sides(
    sides: dict[str, Side], size: int | None, progress: Progress
) -> tuple[dict[str, LabelledImages], list[str]]:
    """Read and resize the images; by default to the smaller side's own size, 128 at most.

    Returns:
        The images of each side, all of one class where a compared side has no class folders; and
        what is compared, with what a reader must know of it, in words.

    Raises:
        Problems: Files that cannot be read, those of all sides.
    """
    from leukreg.data.decode import readings
    from leukreg.data.image_store import open_images
    from leukreg.synthesis.fidelity import LabelledImages
    from leukreg.types import ImageSpec

    native = native_size(sides["real"].samples), native_size(sides["fake"].samples)
    chosen = size or min(*native, LARGEST)
    by_class = not (sides["real"].one_class or sides["fake"].one_class)
    images: dict[int, LabelledImages] = {}
    facts: list[Facts] = []
    problems: list[Problem] = []
    # Where copies are looked for among the real images, these are read once.
    for side in {id(side): side for side in sides.values()}.values():
        try:
            store = open_images(side.samples, ImageSpec(size=chosen), "stop", progress)
            labels = [row.label if by_class else "" for row in side.samples.rows]
            images[id(side)] = LabelledImages(store.pixels(range(len(store))), labels)
            facts += store.facts.values()
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(list(dict.fromkeys(problems)), "nothing was compared.")
    heads = [*_heads(sides, chosen, native, readings(facts))]
    return {what: images[id(side)] for what, side in sides.items()}, heads


def _heads(
    sides: dict[str, Side], size: int, native: tuple[int, int], readings: Iterable[Reading]
) -> Iterator[str]:
    (real, fake, training), (own, other) = sides.values(), native
    yield f"fakes: {fake.name}"
    yield f"real: {real.name}"
    if training is not real:
        yield f"copies are looked for among: {training.name}"
    for side in (fake, real):
        for one in side.samples.passed:
            if one.images:
                yield f"! passed over in {side.name}: {one}"
    yield from (how for side in (fake, real) for how in side.samples.assumed)
    yield from (f"{'! ' * reading.doubtful}{reading}" for reading in readings)
    if size > min(native):
        which = "fakes are" if other <= own else "real images are"
        yield f"! {which} {min(native)} px and were enlarged to {size}"
    elif own != other:
        yield f"! real images are {own} px and fakes {other} px: all were brought to {size}"
    if flat := [side.name for side in (real, fake) if side.one_class]:
        yield f"no figures by class: {' and '.join(flat)} without class folders"


def copied(found: FidelityByClass, fakes: Samples, seen: Samples) -> Iterator[dict[str, Any]]:
    """Which fake copies which training image."""
    memorized = found.overall.memorized
    for place in memorized.copies:
        yield {
            "fake": fakes.rows[found.fake_rows[place]].path,
            "copies": seen.rows[found.training_rows[memorized.nearest[place]]].path,
            "closeness": memorized.closeness[place],
        }


def real_side(reference: str, root: Path, number: int, role: str) -> Side:
    """Real images: of a folder, a table, or the rows of a run's fold.

    Raises:
        LeukregError: There is no such thing, or it holds none.
    """
    run = _run(reference, root)
    if run is None:
        return _listed(reference)
    samples, fold = _of_fold(run, number)
    real = replace(samples, rows=_rows(samples, getattr(fold, role), made=False))
    if not real.rows:
        raise DataError(f"{run}: the {role} rows of fold {number} hold no real image")
    return Side(f"{role} rows of {run.name}, fold {number}", real)


def fake_side(reference: str, root: Path, number: int) -> Side:
    """Synthetic images: of a folder, a table, or those of a run's fold.

    Raises:
        LeukregError: There is no such thing, or it holds none.
    """
    run = _run(reference, root)
    if run is None:
        return _listed(reference)
    samples, fold = _of_fold(run, number)
    fakes = _rows(samples, (*fold.train, *fold.validation, *fold.test), made=True)
    if not fakes:
        raise DataError(f"{run}: fold {number} has no synthetic images")
    # What a generator learned from: any row where it made its images before the split.
    before = any(row.lineage is not None and row.lineage.fold is None for row in fakes)
    seen = _rows(samples, range(len(samples)) if before else fold.learned, made=False)
    name = f"synthetic images of {run.name}, fold {number}"
    return Side(name, replace(samples, rows=fakes), replace(samples, rows=seen))


def _run(reference: str, root: Path) -> Path | None:
    """The run folder that is meant, or None where something else is."""
    from leukreg.runs.status import FILE

    if not reference.strip():
        raise DataError("an empty name means no images; name a folder, a table or a run")
    path = expanded(reference)
    if path.is_dir() and (path / FILE).is_file():
        return path
    if path.exists() or path.suffix.lower() in TABLE_ENDINGS or "/" in reference:
        return None
    try:
        return run_named(reference, root)
    except RunError as error:
        raise DataError(f"{reference!r} is no folder and no table, and {error}") from error


def _of_fold(run: Path, number: int) -> tuple[Samples, Fold]:
    """The samples of a run, and a fold of it."""
    from leukreg.runs.contents import read_folds, read_samples

    samples = read_samples(run)
    folds = read_folds(run / "folds.csv", len(samples))
    fold = next((fold for fold in folds if fold.index == number - 1), None)
    if fold is None:
        there = ", ".join(str(fold.index + 1) for fold in folds)
        raise DataError(f"{run} has no fold {number}; there are {there}")
    return samples, fold


def _rows(samples: Samples, numbers: Iterable[int], made: bool) -> tuple[Sample, ...]:
    """The synthetic or the other rows among these, one that is listed twice once."""
    rows = (samples.rows[number] for number in dict.fromkeys(numbers))
    return tuple(row for row in rows if (row.origin == "synthetic") == made)


def _listed(reference: str) -> Side:
    """The images of a table, of class folders, or of a folder without any.

    Raises:
        DataError: It cannot be read, holds none, or holds images beside folders of images: which
            are meant?
    """
    from leukreg.data.listing import list_folder, list_images, require_folder
    from leukreg.data.walk import STRAY, instead

    path = expanded(reference)
    if path.suffix.lower() in TABLE_ENDINGS and not path.is_dir():
        samples, in_folders = table_samples(path), 1
    else:
        try:
            top = require_folder(path)
            samples = list_images(top)
            in_folders = sum("/" in row.id for row in samples.rows)
            beside = len(samples) - in_folders
            samples = list_folder(top) if in_folders else samples
        except LeukregError as error:
            raise DataError(str(error)) from error
        if in_folders and beside:
            raise DataError(
                f"{path} holds {beside:,} images {STRAY} and {in_folders:,} in folders "
                f"({', '.join(name for name, n in samples.counts().items() if n)}); name the "
                "folder that is meant, or move the images into one"
            )
    if not samples.rows:
        raise DataError(f"{path} holds no images{instead(samples.passed)}")
    return Side(reference, samples, one_class=not in_folders)


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
                left, top, right, bottom = row.box or (0, 0, *image.size)
                sizes.append(min(right - left, bottom - top))
        except (OSError, ValueError, Image.DecompressionBombError):
            continue  # opening them all says what is wrong with it
    return int(statistics.median(sizes)) if sizes else LARGEST


def refuse(path: Path | None, ours: Callable[[Path], bool]) -> None:
    """Before any work: refuse to write over a file that is not ours, or into no folder.

    Raises:
        DataError: With what to do.
    """
    if path is None:
        return
    if not path.absolute().parent.is_dir():
        raise DataError(f"{path} cannot be written: there is no folder {path.absolute().parent}")
    if path.exists() and not ours(path):
        raise DataError(f"{path} exists and is no earlier result; choose another name")
