"""Fit a generator on the rows it may see, let it make each class, and judge what it made."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from leukreg.contracts import Images
from leukreg.files import write_file
from leukreg.progress import Progress
from leukreg.synthesis import keep
from leukreg.synthesis.contact import contact_sheet
from leukreg.synthesis.draws import Drawn, drawn
from leukreg.synthesis.generator import fit
from leukreg.synthesis.judge import judge_of, open_eye
from leukreg.synthesis.reference import Reference, spread
from leukreg.synthesis.request import Request, digest_of, refuse_unknown
from leukreg.types import Lineage, Sample

if TYPE_CHECKING:
    from numpy.typing import NDArray


def make(reference: Reference, request: Request, progress: Progress) -> keep.Made:
    """The synthetic rows, their files written, and what the gate measured of them.

    The generator gets to see ``reference.fitted`` and nothing else. A finished folder of the same
    request is used again.
    """
    refuse_unknown(request.spec, reference.fitted.samples)
    eye = open_eye(request.spec.gate)
    digest = digest_of(
        request,
        reference.fitted.samples,
        reference.unseen.samples,
        reference.digests,
        "" if eye is None else str(eye),
    )
    kept = keep.read_complete(request.home, digest)
    if kept is not None:
        return kept
    keep.begin(request.home, digest)
    generator = fit(reference.fitted, request, progress)
    judge = None if eye is None else judge_of(reference, request, eye, progress)
    batches: dict[str, Drawn] = {}
    with progress.task("Making images", request.total) as advance:
        for label in request.spec.classes:
            batches[label] = drawn(generator, label, request, judge)
            advance(request.spec.count(label), label)
    figures = () if judge is None else judge.judged(batches, progress)
    made = keep.Made(_written(batches, request), figures)
    _write_sheets(batches, reference, request)
    keep.finish(request.home, digest, made)
    return made


def _written(batches: dict[str, Drawn], request: Request) -> tuple[Sample, ...]:
    names = keep.folder_names(request.spec.classes)
    rows: list[Sample] = []
    for label, batch in batches.items():
        rows += keep.write_images(request.home, names[label], label, batch.pixels, batch.lineage)
    return tuple(rows)


def _write_sheets(batches: dict[str, Drawn], reference: Reference, request: Request) -> None:
    """``contact-sheet.png``, parents or real images of the class below; ``copies.png``."""
    maker, shown = request.spec.generator.name, keep.SHOWN
    strips = []
    for label, batch in batches.items():
        parents = _parents(reference.fitted, batch.lineage[:shown])
        beside = ("made from", parents) if parents is not None else _real(reference, label)
        strips.append((f"{label}: made by {maker}", batch.pixels[:shown]))
        strips += [beside] if beside else []
    write_file(request.home / keep.SHEET, contact_sheet(strips))
    copies = []
    for label, batch in batches.items():
        if batch.copied is not None and batch.copies:
            own = reference.fitted.pixels(batch.copied_rows[:shown])
            copies.append((f"{label}: copies of training images", batch.copied[:shown]))
            copies.append(("the training images", own))
    if copies:
        write_file(request.home / keep.COPIES, contact_sheet(copies))


def _real(reference: Reference, label: str) -> tuple[str, NDArray[np.uint8]] | None:
    """Some real images of a class, unseen ones first; None where there is none."""
    unseen = spread(reference.unseen_of(label), keep.SHOWN)
    fitted = spread(reference.fitted_of(label), keep.SHOWN - len(unseen))
    if not unseen and not fitted:
        return None
    which = {0: "real", keep.SHOWN: "real, not seen by it"}
    text = which.get(len(unseen), f"real, the first {len(unseen)} not seen by it")
    pixels = (reference.unseen.pixels(unseen), reference.fitted.pixels(fitted))
    return text, np.concatenate([part for part in pixels if len(part)])


def _parents(images: Images, lineage: tuple[Lineage, ...]) -> NDArray[np.uint8] | None:
    """Pixels of the parents, where every image has one among the rows the generator saw."""
    by_id = {row.id: number for number, row in enumerate(images.samples.rows)}
    numbers = [by_id.get(line.parent or "") for line in lineage]
    known = [number for number in numbers if number is not None]
    return images.pixels(known) if known and len(known) == len(numbers) else None
