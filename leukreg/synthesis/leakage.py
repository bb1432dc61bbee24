"""What can be wrong with synthetic images, found out before anything is trained.

Images held out of a fold must not reach its generator by another door, such as donors.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from leukreg.data.image_store import open_images
from leukreg.data.near_duplicates import near_duplicates_between
from leukreg.data.walk import is_image
from leukreg.errors import DataError, Problems
from leukreg.progress import SILENT, Progress
from leukreg.synthesis import generator
from leukreg.synthesis.gate import gate_extractor
from leukreg.synthesis.real_images import RealImages
from leukreg.synthesis.request import Request, files_of, refuse_unknown
from leukreg.types import Fold, Sample, Samples

if TYPE_CHECKING:
    from leukreg.data.image_store import ImageStore
    from leukreg.recipe.model import Recipe
    from leukreg.registry.plugin_call import Choice


def check(
    recipe: Recipe, images: ImageStore, folds: Sequence[Fold] | None, progress: Progress = SILENT
) -> int | None:
    """Look whether the recipe's generator can be fitted on the training rows of each fold.

    Nothing is trained, and nothing looked at where the recipe does not fit it there. Before any
    split (None) it is fitted on all rows.

    Returns:
        How many images it makes of each; 0 where it could not tell, being one that is fitted in a
        moment, and None where nothing is made.

    Raises:
        DataError: A class is unknown or cannot be made, or images that a fold holds out are among
            those that the generator reads of itself.
        PluginError: The generator failed, or there is no such extractor.
        NotAvailable: The weights of the gate's extractor are not on this machine.
    """
    spec = recipe.synthesis
    if spec is None or (spec.place == "before-split") != (folds is None):
        return None
    refuse_unknown(spec, images.samples)
    gate_extractor(spec)
    faults: dict[str, None] = {}
    told = False
    for fold in [None] if folds is None else folds:
        request = Request.of(recipe, fold)
        try:
            if fold is not None:
                refuse_held_out(spec.generator, images, fold, progress)
            told = generator.check(RealImages.of(images, fold).fitted, request, progress)
        except DataError as error:
            faults |= dict.fromkeys(str(error).splitlines())
    if faults:
        raise DataError("\n".join(faults))
    return sum(map(spec.count, spec.classes)) if told else 0


SHOWN = 5
"""Copies that are named; more are counted."""


def refuse_held_out(
    choice: Choice, images: ImageStore, fold: Fold, progress: Progress = SILENT
) -> None:
    """Look among the images that a generator reads of itself for those that its fold holds out.

    Same pictures are found, and near duplicates as :mod:`leukreg.data.near_duplicates` finds them:
    mirrored, turned and rescaled ones are not.

    Raises:
        DataError: There are some: they would teach what is tested.
        PluginError: The generator cannot say which files it reads.
    """
    paths = [path for path in files_of(choice) if is_image(path)]
    held = _held(images, fold)
    if not paths or not held:
        return
    rows = tuple(Sample(id=str(path), path=str(path), label="") for path in paths)
    try:
        store = open_images(Samples(rows=rows, classes=("",)), images.image, "skip", progress)
    except Problems:  # none can be read: the generator will say so
        return
    found = dict(_copies(store, images, held, progress))
    if not found:
        return
    named = [f"{path} {what}" for path, what in list(found.items())[:SHOWN]]
    named += [f"and {len(found) - SHOWN} more"] if len(found) > SHOWN else []
    raise DataError(
        f"{len(found)} of {len(paths)} images that the generator {choice.name!r} reads are held"
        f" out of its training, so it would learn what is tested: {'; '.join(named)}. Take them"
        " out of that folder, or name another one"
    )


def _held(images: ImageStore, fold: Fold) -> dict[int, str]:
    """Real rows of the fold that are not trained on, and what for."""
    rows = images.samples.rows
    trained = {rows[row].id for row in fold.train}
    sides = {**dict.fromkeys(fold.validation, "validation"), **dict.fromkeys(fold.test, "test")}
    return {
        row: side
        for row, side in sides.items()
        if rows[row].origin != "synthetic" and rows[row].id not in trained
    }


def _copies(
    new: ImageStore, images: ImageStore, held: dict[int, str], progress: Progress
) -> Iterator[tuple[str, str]]:
    """Path of each image that copies a held-out one, and which."""
    rows, numbers = images.samples.rows, list(held)
    known = {images.facts[rows[row].id].pixels: row for row in numbers}
    paths = [row.path for row in new.samples.rows]
    same = [known.get(new.facts[row.id].pixels) for row in new.samples.rows]
    for path, row in zip(paths, same, strict=True):
        if row is not None:
            yield path, f"is {rows[row].id} ({held[row]})"
    others = [place for place, row in enumerate(same) if row is None]
    for place, at, _ in near_duplicates_between(
        new.thumbs(others), images.thumbs(numbers), progress
    ):
        row = numbers[at]
        yield paths[others[place]], f"is a near duplicate of {rows[row].id} ({held[row]})"
