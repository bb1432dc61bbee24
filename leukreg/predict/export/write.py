"""Export a run's models: written aside, checked in the target runtime, then put into place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from leukreg.errors import LeukregError, NotAvailable, RunError
from leukreg.files import CHECKSUMS, settle, unwritable, write_text
from leukreg.output_folder import new_folder, require_replaceable
from leukreg.predict.ensemble import together
from leukreg.predict.export.card import model_card
from leukreg.predict.export.contract import contract
from leukreg.predict.export.formats import Format, require
from leukreg.predict.inputs import Given, given_images
from leukreg.predict.own import learned_rows
from leukreg.predict.trained import Trained
from leukreg.progress import SILENT, Progress
from leukreg.runs.codec import write_json

TOLERANCE = 1e-4
"""Largest difference of a probability that is put down to another order of adding."""
CHECKED = 16
"""Images on which the export is compared with leukreg."""
CARD, CONTRACT = "MODEL_CARD.md", "contract.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    folder: Path
    files: tuple[str, ...]
    images: int
    """Real images on which both were compared."""
    difference: float
    """Largest difference of any probability."""


def export(
    trained: Trained,
    name: str,
    folder: Path,
    images: Sequence[Path] = (),
    attribution: str = "",
    progress: Progress = SILENT,
) -> Exported:
    """Write the models of a run, with a contract of their input and a model card beside them.

    Args:
        trained: The run.
        name: The format: "onnx", "torch-export" or "safetensors".
        folder: A new or empty folder.
        images: Real images to compare on; by default some of the run's own.
        attribution: What the licence of the training images asks to be said, for the card.
        progress: Told of the steps.

    Raises:
        DataError: ``folder`` cannot be replaced, or no image can be read.
        NotAvailable: The format's libraries are not installed, or there are no images to compare.
        RunError: The export gives other probabilities than leukreg; nothing is written.
    """
    kind = require(name)
    require_replaceable(folder)
    with progress.task(f"Exporting to {name}", 4) as advance:
        pixels, wanted = _own_answers(trained, images)
        advance(note="writing")
        with new_folder(folder) as aside:
            files = _written(kind, trained, aside)
            advance(note="comparing")
            difference = _compared(kind, name, trained, aside, pixels, wanted)
            advance(note="describing")
            about = contract(trained, name, files, len(pixels), difference)
            write_json(aside / CONTRACT, about)
            write_text(aside / CARD, model_card(trained.result, about, attribution))
            settle(aside)
            advance()
    return Exported(folder, (*files, CONTRACT, CARD, CHECKSUMS), len(pixels), difference)


def _own_answers(
    trained: Trained, images: Sequence[Path]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Pixels ``(n, size, size, 3)`` of real images, and leukreg's probabilities of them."""
    given = given_images(list(images) or _some_of(trained))
    size = trained.recipe.image.size
    readable = (one for one in given if not isinstance(one.read(size, marks=False), str))
    read = list(islice(readable, CHECKED))
    if not read:
        raise NotAvailable(
            "an export is compared with leukreg on real images, and none of the run's own is "
            "still there; name some with --images"
        )
    found = together(trained.scan(read, dropout=False), trained.result).probabilities
    return np.stack([_pixels(one, size) for one in read]), found


def _some_of(trained: Trained) -> list[Path]:
    rows = [trained.result.samples.rows[row] for row in learned_rows(trained.result)]
    there = [Path(row.path) for row in rows if row.origin != "synthetic" or len(rows) < CHECKED]
    there = [path for path in there if path.is_file()]
    count = min(len(there), CHECKED)
    return [there[i * len(there) // count] for i in range(count)]


def _pixels(one: Given, size: int) -> NDArray[np.uint8]:
    picture = one.read(size)
    assert not isinstance(picture, str)
    return np.frombuffer(picture.pixels, np.uint8).reshape(size, size, 3).copy()


def _written(kind: Format, trained: Trained, folder: Path) -> tuple[str, ...]:
    try:
        return kind.write(trained, folder)
    except LeukregError:
        raise
    except OSError as error:  # the model has nothing to do with it
        raise unwritable(folder, error) from error
    except Exception as error:  # an exporter meets a network it cannot trace in its own words
        first = (str(error).strip().splitlines() or [""])[0]
        raise RunError(
            f"this model cannot be exported: {type(error).__name__}: {first}; try another format"
        ) from error


def _compared(
    kind: Format,
    name: str,
    trained: Trained,
    folder: Path,
    pixels: NDArray[np.uint8],
    wanted: NDArray[np.float64],
) -> float:
    """The largest difference, one batch and one by one: a batch size must not be built in.

    Raises:
        RunError: It is above the tolerance, or the runtime cannot run the model.
    """
    try:
        with torch.no_grad():
            whole = kind.answer(trained, folder, pixels)
            first = kind.answer(trained, folder, pixels[:1])
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise RunError(
            f"the exported model does not run: {type(error).__name__}: {text}; nothing was written"
        ) from error
    difference = max(_furthest(whole, wanted), _furthest(first, wanted[:1]))
    if not difference <= TOLERANCE:
        raise RunError(
            f"the {name} model differs from leukreg by {difference:.3g} on {len(pixels)} images, "
            f"more than {TOLERANCE:g}; nothing was written"
        )
    return difference


def _furthest(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.abs(one - other).max()) if one.shape == other.shape else float("inf")
