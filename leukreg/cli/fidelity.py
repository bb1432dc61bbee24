"""``leukreg fidelity``: how near synthetic images come to real ones."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast, get_args

import click

from leukreg.cli.arguments import run_named, runs_folder
from leukreg.cli.data import TABLE_ENDINGS, table_samples
from leukreg.errors import DataError, LeukregError, RunError
from leukreg.files import write_file
from leukreg.paths import expanded, read_regular, require_regular
from leukreg.report.fidelity_tables import ALL_CLASSES, KIND, as_json
from leukreg.types import Fold, Role, Sample, Samples

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from leukreg.data.decode import Facts, Reading
    from leukreg.progress import Progress
    from leukreg.synthesis.contact_sheet import Strip
    from leukreg.synthesis.extractor import OpenExtractor
    from leukreg.synthesis.fidelity import FidelityByClass


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
    from leukreg.report.console import RichProgress, open_console, render
    from leukreg.report.fidelity_tables import changes, sections, too_many_copies
    from leukreg.synthesis.extractor import open_extractor

    refuse(json_file, is_check)
    refuse(sheet, is_sheet)
    before = None if against is None else read(against)
    wanted = Wanted(root, fold - 1, cast("Role", rows))
    pair = Pair.of(real, fake, training, wanted)
    extractor = open_extractor(name)
    with RichProgress(open_console(err=True)) as progress:
        images = pair.opened(size, progress)
        found = images.measured(extractor, seed, progress)
    console = open_console()
    for index, section in enumerate(sections(found, images.heads())):
        render(section, console, titled=index > 0)
    if json_file is not None:
        write(json_file, found, images, extractor.facts)
    if sheet is not None:
        write_sheet(sheet, found, images)
    if before is not None:  # last: where the two do not go together, the figures are kept
        render(changes(before, found, str(against)), console)
    return 1 if too_many_copies(found.overall) else 0


@dataclass(frozen=True, slots=True)
class Pair:
    """What is compared."""

    real: Side
    fake: Side
    training: Side
    """Where copies are looked for: what was asked for, what a run's generator saw, or ``real``."""

    @classmethod
    def of(cls, real: str, fake: str, training: str | None, wanted: Wanted) -> Pair:
        """From the words of a command line.

        Raises:
            LeukregError: One of them is not there, or does not go with the others.
        """
        own, other = real_side(real, wanted), fake_side(fake, wanted)
        seen = own if training is None else real_side(training, wanted)
        if training is None and other.training is not None:
            seen = Side(f"what made them saw ({other.name})", other.training)
        if seen.one_class and not (own.one_class or other.one_class):
            raise DataError(
                f"{seen.name} has no class folders, and REAL and FAKE have: copies are looked for "
                "class by class"
            )
        if not seen.one_class:
            _require_some(seen, own, other)
        return cls(own, other, seen)

    @property
    def by_class(self) -> bool:
        return not (self.real.one_class or self.fake.one_class)

    def opened(self, size: int | None, progress: Progress) -> Opened:
        """Read and resize the images; by default to the smaller side's own size, 128 at most.

        Raises:
            Problems: Files that cannot be read, all of them.
        """
        own, other = native_size(self.real.samples), native_size(self.fake.samples)
        chosen = size or min(own, other, LARGEST)
        sides = [self.real, self.fake]
        if self.training is not self.real:
            sides.append(self.training)
        pixels, read = pixels_of([side.samples for side in sides], chosen, progress)
        seen = pixels[2] if len(pixels) > 2 else pixels[0]
        return Opened(self, chosen, (own, other), pixels[0], pixels[1], seen, read)


@dataclass(frozen=True, slots=True, eq=False)
class Opened:
    """A pair with its pixels, shapes ``(n, size, size, 3)``."""

    pair: Pair
    size: int
    native: tuple[int, int]
    """The shorter side of real images and fakes as they are on disk, in pixels."""
    real: NDArray[np.uint8]
    fake: NDArray[np.uint8]
    training: NDArray[np.uint8]
    readings: tuple[Reading, ...] = ()
    """What was chosen in reading them."""

    def labels(self, side: Side) -> list[str]:
        """The class of each image of a side; all alike where there are no classes."""
        if not self.pair.by_class:
            return [""] * len(side.samples)
        return [row.label for row in side.samples.rows]

    def measured(self, extractor: OpenExtractor, seed: int, progress: Progress) -> FidelityByClass:
        """Every figure, by class and over all."""
        from leukreg.synthesis.fidelity import measure_classes

        pair, alike = self.pair, self.pair.training is self.pair.real
        return measure_classes(
            self.real,
            self.labels(pair.real),
            self.fake,
            self.labels(pair.fake),
            extractor,
            training=None if alike else self.training,
            training_labels=None if alike else self.labels(pair.training),
            each=pair.by_class,
            seed=seed,
            progress=progress,
        )

    def heads(self) -> tuple[str, ...]:
        """What is compared, and what a reader must know of it."""
        pair, (own, other) = self.pair, self.native
        lines = [f"fakes: {pair.fake.name}", f"real: {pair.real.name}"]
        if pair.training is not pair.real:
            lines.append(f"copies are looked for among: {pair.training.name}")
        lines += [
            f"! passed over in {side.name}: {one}"
            for side in (pair.fake, pair.real)
            for one in side.samples.passed
            if one.images
        ]
        lines += [how for side in (pair.fake, pair.real) for how in side.samples.assumed]
        lines += [f"{'! ' * reading.doubtful}{reading}" for reading in self.readings]
        if self.size > min(own, other):
            which = "fakes are" if other <= own else "real images are"
            lines.append(f"! {which} {min(own, other)} px and were enlarged to {self.size}")
        elif own != other:
            lines.append(
                f"! real images are {own} px and fakes {other} px: all were brought to {self.size}"
            )
        if not pair.by_class:
            flat = [side.name for side in (pair.real, pair.fake) if side.one_class]
            lines.append(f"no figures by class: {' and '.join(flat)} without class folders")
        return tuple(lines)


def _require_some(seen: Side, own: Side, other: Side) -> None:
    """Of the classes that are compared there are images to look for copies among."""
    known = [
        {row.label for row in side.samples.rows} for side in (own, other) if not side.one_class
    ]
    compared = set.intersection(*known) if known else set()
    if compared and compared.isdisjoint(row.label for row in seen.samples.rows):
        raise DataError(
            f"{seen.name}: no image of a class that is compared, so there is nothing to look for "
            "copies among; name the training images with --training"
        )


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
    if path.suffix.lower() in TABLE_ENDINGS and not path.is_dir():
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


def is_check(path: Path) -> bool:
    """Whether the file holds an earlier check's figures."""
    try:
        return bool(_kind(json.loads(read_regular(path))) == KIND)
    except (OSError, ValueError):
        return False


def is_sheet(path: Path) -> bool:
    """Whether the file is an earlier check's sheet."""
    from PIL import Image

    from leukreg.synthesis.contact_sheet import MARK

    try:
        require_regular(path)
        with Image.open(path) as image:
            return bool(image.info.get("Software") == MARK)
    except (OSError, ValueError):
        return False


def read(path: Path) -> dict[str, Any]:
    """An earlier check's figures.

    Raises:
        DataError: The file is not there or holds none.
    """
    try:
        content = json.loads(read_regular(path))
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"{path} is no JSON: {error}") from error
    if _kind(content) != KIND or not _has_figures(content):
        raise DataError(f"{path} holds no figures of leukreg fidelity --json")
    found: dict[str, Any] = content
    return found


def write(path: Path, found: FidelityByClass, images: Opened, extractor: Mapping[str, str]) -> None:
    """Write every figure and the copies by name, whole or not at all.

    Raises:
        WriteError: The file cannot be written.
    """
    pair = images.pair
    names = {"real": pair.real.name, "fake": pair.fake.name, "training": pair.training.name}
    facts: dict[str, Any] = {"compared": names, "extractor": dict(extractor)}
    facts["copied"] = list(_copied(found, images))
    text = json.dumps(as_json(found, facts), ensure_ascii=False, indent=1)
    write_file(path, (text + "\n").encode("utf-8", "surrogatepass"))


def write_sheet(path: Path, found: FidelityByClass, images: Opened) -> None:
    """Write the fakes that are nearest to training images above these, by class.

    Raises:
        WriteError: The file cannot be written.
    """
    from leukreg.synthesis.contact_sheet import neighbour_sheet

    labels = images.labels(images.pair.fake)
    of_row = [labels[row] for row in found.fake_rows]
    strips = [_strip(found, images, label, of_row) for label in dict.fromkeys(of_row)]
    write_file(path, neighbour_sheet(strips))


def _copied(found: FidelityByClass, images: Opened) -> Iterator[dict[str, Any]]:
    fakes, seen = images.pair.fake.samples.rows, images.pair.training.samples.rows
    for place in found.overall.copies:
        yield {
            "fake": fakes[found.fake_rows[place]].path,
            "copies": seen[found.training_rows[found.overall.nearest[place]]].path,
            "closeness": found.overall.closeness[place],
        }


def _strip(found: FidelityByClass, images: Opened, label: str, labels: list[str]) -> Strip:
    from leukreg.synthesis.contact_sheet import SHOWN, Strip

    overall, copies = found.overall, set(found.overall.copies)
    own = [place for place, of in enumerate(labels) if of == label]
    shown = sorted(own, key=lambda place: (place not in copies, overall.closeness[place]))[:SHOWN]
    nearest = [found.training_rows[overall.nearest[place]] for place in shown]
    return Strip(
        label=label or ALL_CLASSES,
        fakes=images.fake[[found.fake_rows[place] for place in shown]],
        nearest=images.training[nearest],
        closeness=[overall.closeness[place] for place in shown],
        copies=[place in copies for place in shown],
    )


def _has_figures(content: Mapping[str, Any]) -> bool:
    """Whether there is a comparable table over all, and one for each class."""
    from leukreg.synthesis.fidelity import is_comparable

    classes = content.get("classes")
    if not isinstance(classes, Mapping):
        return False
    return all(is_comparable(table) for table in (content.get("overall"), *classes.values()))


def _kind(content: Any) -> Any:
    return content.get("kind") if isinstance(content, dict) else None
