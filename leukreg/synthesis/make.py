"""Synthetic images from a fitted generator: made, judged, and put among the rows of a run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leukreg.errors import DataError, GateError
from leukreg.files import write_file
from leukreg.output_folder import new_folder, require_replaceable
from leukreg.progress import SILENT, Progress
from leukreg.registry.kinds import Images
from leukreg.synthesis import generator, image_folder
from leukreg.synthesis.contact_sheet import contact_sheet
from leukreg.synthesis.gate import Admitted, admit, gate_extractor, open_gate
from leukreg.synthesis.generator import ClassImages, drawn, fit
from leukreg.synthesis.real_images import RealImages, of_everything, of_fold, spread
from leukreg.synthesis.request import Request, digest_of, name_of, refuse_unknown
from leukreg.types import Fold, ImageSpec, Lineage, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.data.image_store import ImageStore
    from leukreg.recipe.model import SynthesisSpec
    from leukreg.synthesis.image_folder import FiguresTable


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A store with the synthetic rows that passed the gate at its end, and where they stand."""

    images: ImageStore
    fold: Fold | None
    """The fold with the numbers of the new rows in ``train``; None before any split."""
    figures: tuple[FiguresTable, ...]
    """What the gate measured (see ``leukreg.synthesis.gate``); empty without a gate."""


def before_split(
    images: ImageStore,
    spec: SynthesisSpec,
    image: ImageSpec,
    seed: int,
    folder: Path,
    progress: Progress = SILENT,
) -> Placed:
    """Synthetic images made from all rows, as the history did; they will be tested on, too.

    Args:
        folder: Where ``before-split/`` with images, lineage table and contact sheet is written.

    Raises:
        DataError: A class to be made is unknown, or the generator cannot make it.
        PluginError: The generator failed or broke its contract.
        GateError: The images fail the gate, and the recipe says to stop.
        RunError: Others were trained on (see :func:`hold`).
    """
    request = Request(spec=spec, image=image, seed=seed, folder=folder.absolute(), fold=None)
    everything = of_everything(images)
    generator.check(everything.fitted, request, progress)
    made = admit(make(everything, request, progress), request, progress)
    return Placed(images.extended(made.rows) if made.rows else images, None, made.figures)


def into_fold(
    images: ImageStore,
    fold: Fold,
    spec: SynthesisSpec,
    image: ImageSpec,
    seed: int,
    folder: Path,
    progress: Progress = SILENT,
) -> Placed:
    """Synthetic images made from the fold's training rows alone, appended to these rows alone.

    A complete folder of the same request is used again, so a resumed run trains on the same
    pixels; what a killed run left behind is finished. The gate looks at training and validation
    rows, never at test rows. What the generator reads of itself was looked at before (see
    :func:`leukreg.synthesis.check_folds`).

    Args:
        folder: Where ``fold-<index>/`` with images, lineage table and contact sheet is written.

    Raises:
        DataError: A class to be made is unknown, or the generator cannot make it; or nothing is
            left to train on.
        PluginError: The generator failed or broke its contract.
        GateError: The images fail the gate, and the recipe says to stop.
        RunError: Others were trained on (see :func:`hold`).
    """
    request = Request(spec=spec, image=image, seed=seed, folder=folder.absolute(), fold=fold.index)
    made = admit(make(of_fold(images, fold), request, progress), request, progress)
    first = len(images.samples)
    new = tuple(range(first, first + len(made.rows)))
    replaced = _replaced(images, fold, spec, progress) if spec.mix == "replace" else ()
    gone = set(replaced)
    old = tuple(row for row in fold.train if row not in gone)
    if not (*old, *new):
        raise DataError(
            'synthesis.mix = "replace" and no synthetic image passed the gate: there is nothing to '
            f"train on. The figures are in {request.home}"
        )
    store = images.extended(made.rows) if made.rows else images
    fold = replace(fold, train=(*old, *new), replaced=replaced)
    return Placed(store, fold, made.figures)


def hold(folder: Path, fold: int) -> None:
    """Note in ``folder`` that a fold is trained on what was made for it, or before the split.

    From now on images of another request are refused there, not put in place of these: a model
    and its predictions belong to the images that it learned from.
    """
    for name in (name_of(None), name_of(fold)):
        image_folder.hold(folder / name)


def _replaced(
    images: ImageStore, fold: Fold, spec: SynthesisSpec, progress: Progress
) -> tuple[int, ...]:
    """The training rows of the classes that are made."""
    rows = images.samples.rows
    replaced = tuple(row for row in fold.train if rows[row].label in spec.classes)
    progress.say(
        f"fold {fold.index + 1}: {len(replaced):,} real training rows of the made classes are left"
        ' out of training (synthesis.mix = "replace")'
    )
    return replaced


def make(reference: RealImages, request: Request, progress: Progress) -> image_folder.SyntheticRows:
    """The synthetic rows, their files written, and what the gate measured of them.

    The generator gets to see ``reference.fitted`` and nothing else. A finished folder of the same
    request is used again.
    """
    refuse_unknown(request.spec, reference.fitted.samples)
    eye = gate_extractor(request.spec.gate)
    digest = digest_of(
        request,
        reference.fitted.samples,
        reference.unseen.samples,
        reference.digests,
        "" if eye is None else str(eye),
    )
    kept = image_folder.read_complete(request.home, digest)
    if kept is not None:
        return kept
    image_folder.begin(request.home, digest)
    generator = fit(reference.fitted, request, progress)
    judge = None if eye is None else open_gate(reference, request, eye, progress)
    batches: dict[str, ClassImages] = {}
    with progress.task("Making images", request.total) as advance:
        for label in request.spec.classes:
            batches[label] = drawn(generator, label, request, judge)
            advance(request.spec.count(label), label)
    figures = () if judge is None else judge.judged(batches, progress)
    made = image_folder.SyntheticRows(_written(batches, request), figures)
    _write_sheets(batches, reference, request)
    image_folder.finish(request.home, digest, made)
    return made


def export(reference: RealImages, request: Request, out: Path, progress: Progress) -> Admitted:
    """Make the images of a request and put them into ``out``, whole or not at all.

    ``out`` gets a folder of PNG files per class, ``contact-sheet.png``, ``fidelity.json`` with the
    gate's figures, what the generator keeps, and ``table.csv`` with the images that pass. Where a
    gate stops, all of it but the table is there, to be looked at and not to be trained on.

    Args:
        request: Its folder is not used: the images are made beside ``out`` and moved into place.
            What a killed process was making there is removed.

    Raises:
        DataError: ``out`` cannot be replaced, or the images cannot be made.
        WriteError: ``out`` cannot be written.
        GateError: The images fail the gate, and the recipe says to stop.
        PluginError: The generator failed or broke its contract.
    """
    require_replaceable(out)
    stopped: GateError | None = None
    with new_folder(out) as place:
        request = replace(request, folder=place)
        made = make(reference, request, progress)
        closing = f"no table lists them. They are in {out}, with all figures."
        try:
            admitted = admit(made, request, progress, closing)
            table = image_folder.export_table(request.home, admitted.rows)
            write_file(request.home / image_folder.LIST, table)
        except GateError as error:  # the images are put in place before that is said
            stopped = error
        image_folder.lift(request.home, place)
    if stopped is not None:
        raise stopped
    return admitted


def _written(batches: dict[str, ClassImages], request: Request) -> tuple[Sample, ...]:
    names = image_folder.folder_names(request.spec.classes)
    rows: list[Sample] = []
    for label, batch in batches.items():
        rows += image_folder.write_images(
            request.home, names[label], label, batch.pixels, batch.lineage
        )
    return tuple(rows)


def _write_sheets(batches: dict[str, ClassImages], reference: RealImages, request: Request) -> None:
    """``contact-sheet.png``, parents or real images of the class below; ``copies.png``."""
    maker, shown = request.spec.generator.name, image_folder.SHOWN
    strips = []
    for label, batch in batches.items():
        parents = _parents(reference.fitted, batch.lineage[:shown])
        beside = ("made from", parents) if parents is not None else _real(reference, label)
        strips.append((f"{label}: made by {maker}", batch.pixels[:shown]))
        strips += [beside] if beside else []
    write_file(request.home / image_folder.SHEET, contact_sheet(strips))
    copies = []
    for label, batch in batches.items():
        if batch.copied is not None and batch.copies:
            own = reference.fitted.pixels(batch.copied_rows[:shown])
            copies.append((f"{label}: copies of training images", batch.copied[:shown]))
            copies.append(("the training images", own))
    if copies:
        write_file(request.home / image_folder.COPIES, contact_sheet(copies))


def _real(reference: RealImages, label: str) -> tuple[str, NDArray[np.uint8]] | None:
    """Some real images of a class, unseen ones first; None where there is none."""
    unseen = spread(reference.unseen_of(label), image_folder.SHOWN)
    fitted = spread(reference.fitted_of(label), image_folder.SHOWN - len(unseen))
    if not unseen and not fitted:
        return None
    which = {0: "real", image_folder.SHOWN: "real, not seen by it"}
    text = which.get(len(unseen), f"real, the first {len(unseen)} not seen by it")
    pixels = (reference.unseen.pixels(unseen), reference.fitted.pixels(fitted))
    return text, np.concatenate([part for part in pixels if len(part)])


def _parents(images: Images, lineage: tuple[Lineage, ...]) -> NDArray[np.uint8] | None:
    """Pixels of the parents, where every image has one among the rows the generator saw."""
    by_id = {row.id: number for number, row in enumerate(images.samples.rows)}
    numbers = [by_id.get(line.parent or "") for line in lineage]
    known = [number for number in numbers if number is not None]
    return images.pixels(known) if known and len(known) == len(numbers) else None
