"""Where synthetic images go: into the training rows of a fold, or before any split."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import DataError
from leukreg.progress import SILENT, Progress
from leukreg.synthesis import generator, keep
from leukreg.synthesis.gate import admit
from leukreg.synthesis.make import make
from leukreg.synthesis.reference import of_everything, of_fold
from leukreg.synthesis.request import Request, name_of
from leukreg.types import Fold, ImageSpec

if TYPE_CHECKING:
    from leukreg.data.image_store import ImageStore
    from leukreg.recipe.model import SynthesisSpec
    from leukreg.synthesis.keep import Figures


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A store with the synthetic rows that passed the gate at its end, and where they stand."""

    images: ImageStore
    fold: Fold | None
    """The fold with the numbers of the new rows in ``train``; None before any split."""
    figures: tuple[Figures, ...]
    """What the gate measured (see ``leukreg.synthesis.judge``); empty without a gate."""


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
        keep.hold(folder / name)


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
