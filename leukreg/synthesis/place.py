"""Where synthetic images go: into the training rows of a fold, or before any split."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.progress import SILENT, Progress
from leukreg.synthesis.make import Request, make
from leukreg.types import Fold, ImageSpec

if TYPE_CHECKING:
    from leukreg.data.store import ImageStore
    from leukreg.recipe.model import SynthesisSpec


def before_split(
    images: ImageStore,
    spec: SynthesisSpec,
    image: ImageSpec,
    seed: int,
    folder: Path,
    progress: Progress = SILENT,
) -> ImageStore:
    """Synthetic images made from all rows, as the history did; they will be tested on, too.

    Args:
        folder: Where ``before-split/`` with images, lineage table and contact sheet is written.

    Raises:
        DataError: A class to be made is unknown, or the generator cannot make it.
        PluginError: The generator failed or broke its contract.
    """
    request = Request(spec=spec, image=image, seed=seed, folder=folder.absolute(), fold=None)
    return images.extended(make(images, images.digests, request, progress))


def into_fold(
    images: ImageStore,
    fold: Fold,
    spec: SynthesisSpec,
    image: ImageSpec,
    seed: int,
    folder: Path,
    progress: Progress = SILENT,
) -> tuple[ImageStore, Fold]:
    """Synthetic images made from the fold's training rows alone, appended to these rows alone.

    A complete folder of the same request is used again, so a resumed run trains on the same
    pixels; what a killed run left behind is finished.

    Args:
        folder: Where ``fold-<index>/`` with images, lineage table and contact sheet is written.

    Returns:
        The store with the new rows at its end, and the fold with their numbers in ``train``.

    Raises:
        DataError: A class to be made is unknown, or the generator cannot make it.
        PluginError: The generator failed or broke its contract.
    """
    from leukreg.data.store import subset

    request = Request(spec=spec, image=image, seed=seed, folder=folder.absolute(), fold=fold.index)
    made = make(subset(images, fold.train), images.digests, request, progress)
    first = len(images.samples)
    new = tuple(range(first, first + len(made)))
    return images.extended(made), replace(fold, train=(*fold.train, *new))
