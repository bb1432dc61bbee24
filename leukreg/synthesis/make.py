"""Synthetic images from a fitted generator: made, judged, and put among the rows of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from leukreg.data.walk import SHEET
from leukreg.errors import DataError, GateError
from leukreg.files import write_file
from leukreg.gate_figures import GateFigures
from leukreg.output_folder import new_folder, require_replaceable
from leukreg.progress import SILENT, Progress
from leukreg.registry.kinds import Images
from leukreg.synthesis import generator, image_folder
from leukreg.synthesis.contact_sheet import SHOWN, Strip, contact_sheet
from leukreg.synthesis.gate import Gate, admit, gate_extractor
from leukreg.synthesis.generator import ClassImages
from leukreg.synthesis.image_folder import SyntheticRows
from leukreg.synthesis.real_images import RealImages, spread
from leukreg.synthesis.request import Request, refuse_unknown
from leukreg.types import Fold, Lineage

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.data.image_store import ImageStore
    from leukreg.recipe.model import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A store with the synthetic rows that passed the gate at its end, and where they stand."""

    images: ImageStore
    fold: Fold | None
    """The fold with the numbers of the new rows in ``train``; None before any split."""
    figures: tuple[GateFigures, ...] = ()
    """What the gate measured (see ``leukreg.synthesis.gate``); empty without a gate."""


def synthesize(
    recipe: Recipe,
    images: ImageStore,
    fold: Fold | None,
    folder: Path,
    progress: Progress = SILENT,
    judged: bool = True,
) -> Placed:
    """Synthetic images where the recipe wants them: before any split (None), or in this fold.

    Where it wants none there, everything is as it was. A fold that comes back is going to be
    trained on what was made for it, or before the split: from now on images of another request are
    refused in ``folder``, not put in place of these, since a model and its predictions belong to
    the images that it learned from.

    Args:
        folder: Where ``before-split/`` or ``fold-<index>/`` with images, lineage table and contact
            sheet is written.
        judged: False: no gate, for a plan that counts.

    Raises:
        DataError: A class to be made is unknown, or the generator cannot make it; or nothing is
            left to train on.
        PluginError: The generator failed or broke its contract.
        GateError: The images fail the gate, and the recipe says to stop.
        RunError: Others were trained on.
    """
    spec, placed = recipe.synthesis, Placed(images, fold)
    if spec is None:
        return placed
    if spec.place == ("before-split" if fold is None else "training-fold"):
        request = Request.of(recipe, fold, folder)
        ungated = replace(request, spec=replace(spec, gate=None))
        placed = place(images, fold, request if judged else ungated, progress)
    if fold is not None:
        for name in ("before-split", f"fold-{fold.index}"):
            image_folder.hold(folder / name)
    return placed


def place(
    images: ImageStore, fold: Fold | None, request: Request, progress: Progress = SILENT
) -> Placed:
    """Synthetic images made from the fold's training rows alone, appended to these rows alone.

    Before any split (None) they are made from all rows, as the history did, and will be tested on,
    too.

    A complete folder of the same request is used again, so a resumed run trains on the same
    pixels; what a killed run left behind is finished. The gate looks at training and validation
    rows, never at test rows. What the generator reads of itself was looked at before (see
    :func:`leukreg.synthesis.leakage.check`).

    Raises:
        DataError, PluginError, GateError, RunError: As :func:`synthesize`.
    """
    reference = RealImages.of(images, fold)
    if fold is None:
        generator.check(reference.fitted, request, progress)
    made = admit(make(reference, request, progress), request, progress)
    store = images.extended(made.rows) if made.rows else images
    if fold is None:
        return Placed(store, None, made.figures)
    replaced: tuple[int, ...] = ()
    if request.spec.mix == "replace":
        rows = images.samples.rows
        replaced = tuple(row for row in fold.train if rows[row].label in request.spec.classes)
        progress.say(
            f"{request.where}: {len(replaced):,} real training rows of the made classes are left"
            ' out of training (synthesis.mix = "replace")'
        )
    gone, first = set(replaced), len(images.samples)
    old = (row for row in fold.train if row not in gone)
    train = (*old, *range(first, first + len(made.rows)))
    if not train:
        raise DataError(
            'synthesis.mix = "replace" and no synthetic image passed the gate: there is nothing to '
            f"train on. The figures are in {request.home}"
        )
    return Placed(store, replace(fold, train=train, replaced=replaced), made.figures)


def export(
    recipe: Recipe, images: ImageStore, fold: Fold | None, out: Path, progress: Progress
) -> SyntheticRows:
    """Make the images of a recipe and put them into ``out``, whole or not at all.

    ``out`` gets a folder of PNG files per class, ``contact-sheet.png``, ``fidelity.json`` with the
    gate's figures, what the generator keeps, and ``table.csv`` with the images that pass. Where a
    gate stops, all of it but the table is there, to be looked at and not to be trained on.

    What a killed process was making beside ``out`` is removed.

    Raises:
        DataError: ``out`` cannot be replaced, or the images cannot be made.
        WriteError: ``out`` cannot be written.
        GateError: The images fail the gate, and the recipe says to stop.
        PluginError: The generator failed or broke its contract.
    """
    require_replaceable(out)
    stopped: GateError | None = None
    with new_folder(out) as inner:
        request = Request.of(recipe, fold, inner)
        made = make(RealImages.of(images, fold), request, progress)
        closing = f"no table lists them. They are in {out}, with all figures."
        try:
            made = admit(made, request, progress, closing)
            image_folder.write_list(request.home, made.rows)
        except GateError as error:  # the images are put in place before that is said
            stopped = error
        image_folder.lift(request.home, inner)
    if stopped is not None:
        raise stopped
    return made


def make(reference: RealImages, request: Request, progress: Progress) -> SyntheticRows:
    """The synthetic rows, their files written, and what the gate measured of them.

    The generator gets to see ``reference.fitted`` and nothing else. A finished folder of the same
    request is used again.
    """
    spec, home = request.spec, request.home
    refuse_unknown(spec, reference.fitted.samples)
    extractor = gate_extractor(spec)
    digest = request.digest(reference, "" if extractor is None else str(extractor))
    kept = image_folder.read_complete(home, digest)
    if kept is not None:
        return kept
    image_folder.begin(home, digest)
    fitted = generator.fit(reference.fitted, request, progress)
    gate = None if extractor is None else Gate.open(reference, request, extractor, progress)
    batches: dict[str, ClassImages] = {}
    with progress.task("Making images", sum(map(spec.count, spec.classes))) as advance:
        for label in spec.classes:
            n = spec.count(label)
            drawn = gate.drawn(fitted, label) if gate else None
            batches[label] = drawn or generator.draw(fitted, label, n, request)
            advance(n, label)
    figures = gate.judged(batches, progress) if gate else ()
    made = SyntheticRows(image_folder.write_images(home, batches), figures)
    _write_sheets(batches, reference, request)
    image_folder.finish(home, digest, made)
    return made


def _write_sheets(
    batches: Mapping[str, ClassImages], reference: RealImages, request: Request
) -> None:
    """``contact-sheet.png``, parents or real images of the class below; ``copies.png``."""
    maker = request.spec.generator.name
    strips, copies = [], []
    for label, batch in batches.items():
        strips.append(Strip(f"{label}: made by {maker}", batch.pixels[:SHOWN]))
        parents = _parents(reference.fitted, batch.lineage[:SHOWN])
        beside = _real(reference, label) if parents is None else Strip("made from", parents)
        strips += [beside] * bool(len(beside.pixels))
        if batch.copied is not None and batch.copied_rows:
            own = reference.fitted.pixels(batch.copied_rows[:SHOWN])
            copies.append(Strip(f"{label}: copies of training images", batch.copied[:SHOWN]))
            copies.append(Strip("the training images", own))
    write_file(request.home / SHEET, contact_sheet(strips))
    if copies:
        write_file(request.home / image_folder.COPIES, contact_sheet(copies))


def _real(reference: RealImages, label: str) -> Strip:
    """Some real images of a class, unseen ones first; perhaps none."""
    unseen = spread(reference.unseen_of(label), SHOWN)
    fitted = spread(reference.fitted_of(label), SHOWN - len(unseen))
    which = {0: "real", SHOWN: "real, not seen by it"}
    text = which.get(len(unseen), f"real, the first {len(unseen)} not seen by it")
    pixels = (reference.unseen.pixels(unseen), reference.fitted.pixels(fitted))
    return Strip(text, np.concatenate(pixels))


def _parents(images: Images, lineage: tuple[Lineage, ...]) -> NDArray[np.uint8] | None:
    """Pixels of the parents, where every image has one among the rows the generator saw."""
    by_id = {row.id: number for number, row in enumerate(images.samples.rows)}
    numbers = [by_id.get(line.parent or "") for line in lineage]
    known = [number for number in numbers if number is not None]
    return images.pixels(known) if known and len(known) == len(numbers) else None
