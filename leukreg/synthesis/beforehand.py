"""What can be wrong with synthetic images, found out before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.errors import DataError
from leukreg.progress import SILENT, Progress
from leukreg.synthesis import generator
from leukreg.synthesis.held_out import refuse_held_out
from leukreg.synthesis.judge import open_eye
from leukreg.synthesis.reference import of_everything, of_fold
from leukreg.synthesis.request import Request, refuse_unknown
from leukreg.types import Fold, ImageSpec

if TYPE_CHECKING:
    from leukreg.data.image_store import ImageStore
    from leukreg.recipe.model import SynthesisSpec


def check_folds(
    images: ImageStore,
    folds: Sequence[Fold],
    spec: SynthesisSpec,
    image: ImageSpec,
    seed: int,
    progress: Progress = SILENT,
) -> None:
    """Whether the generator can be fitted on the training rows of each fold; nothing is trained.

    Raises:
        DataError: A class is unknown or cannot be made, or images that a fold holds out are among
            those that the generator reads of itself.
        PluginError: The generator failed, or there is no such extractor.
        NotAvailable: The weights of the gate's extractor are not on this machine.
    """
    refuse_unknown(spec, images.samples)
    open_eye(spec.gate)
    faults: dict[str, None] = {}
    for fold in folds:
        request = Request(spec=spec, image=image, seed=seed, folder=Path(), fold=fold.index)
        try:
            refuse_held_out(spec.generator, images, fold, progress)
            generator.check(of_fold(images, fold).fitted, request, progress)
        except DataError as error:
            faults |= dict.fromkeys(str(error).splitlines())
    if faults:
        raise DataError("\n".join(faults))


def check_everything(
    images: ImageStore,
    spec: SynthesisSpec,
    image: ImageSpec,
    seed: int,
    progress: Progress = SILENT,
) -> bool:
    """Whether the generator can be fitted on all rows, before any split; nothing is trained.

    Returns:
        Whether the generator could tell: if it cannot, it is one that is fitted in a moment.

    Raises:
        DataError, PluginError, NotAvailable: As :func:`check_folds`.
    """
    refuse_unknown(spec, images.samples)
    open_eye(spec.gate)
    request = Request(spec=spec, image=image, seed=seed, folder=Path(), fold=None)
    return generator.check(of_everything(images).fitted, request, progress)
