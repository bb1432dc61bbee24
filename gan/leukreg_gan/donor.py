"""Donor images: a class that home lacks, learned from another source and asked for as at home.

A donor teaches what the class looks like under another stain, camera and hand. So every image is
told its class and its source, and a class that only donors show is asked for with the source
"home".
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from leukreg import (
    DataError,
    Images,
    ImageSpec,
    Labels,
    PassedOver,
    Problems,
    Progress,
    Samples,
    list_folder,
    open_images,
)
from leukreg_gan.classes import class_indices, unknown_classes
from leukreg_gan.stain import Look, Match, look, together
from leukreg_gan.ways import Donor

if TYPE_CHECKING:
    from numpy.typing import NDArray

SOURCES = ("home", "donor")
"""Values of the group "source"."""
CHUNK = 256
"""Training images that are compared in one go."""
CONFOUNDED = (
    "donors and home share no class, so what is source and what is class cannot be told apart, and "
    "stains can only be matched over all images; name classes in donor.classes that home has too"
)
LOOKED_AT = 64
"""Images of a class, evenly spread, that its look is taken from."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Donors:
    """Images of another source, as they are trained on."""

    pixels: NDArray[np.uint8]
    """Shape ``(m, size, size, 3)``, RGB, stain-matched where the recipe says so."""
    labels: NDArray[np.int64]
    """Shape ``(m,)``: class indices."""
    notes: tuple[str, ...] = ()


def list_donors(donor: Donor, names: Sequence[str]) -> tuple[Samples, list[str]]:
    """The donors of the task's classes, nothing decoded; and what is wrong with them, in words.

    Raises:
        NotAvailable: The folder is not there.
    """
    donor.ready()
    faults = unknown_classes(donor.classes or (), names, "named in donor.classes")
    nothing = Samples(rows=(), classes=())
    try:
        listed = list_folder(donor.root, classes=donor.classes, max_per_class=donor.limit)
    except DataError as error:
        return nothing, [*faults, *(f"donor.classes: {line}" for line in str(error).splitlines())]
    counts = listed.counts()
    if donor.classes is None:
        known = tuple(name for name in names if counts.get(name))
        if not known:
            faults.append(
                f"no folder of images in {donor.root} is called as a class of the task "
                f"({', '.join(names)}); say in donor.classes which is what; there are "
                f"{', '.join(counts)}"
            )
        rows = tuple(row for row in listed.rows if row.label in known)
        other = tuple(_unnamed(name, listed) for name in counts if name not in known)
        passed = (*listed.passed, *other)
        return replace(listed, rows=rows, classes=known, passed=passed), faults
    faults += [
        f"donor.classes.{name}: {', '.join(folders)} below {donor.root} hold no images"
        for name, folders in donor.classes.items()
        if not counts[name]
    ]
    return listed, faults


def _unnamed(name: str, listed: Samples) -> PassedOver:
    """The images of a folder that is called as no class of the task."""
    rows = [row.id for row in listed.rows if row.label == name]
    why = "no class of the task is called so"
    return PassedOver(
        what=f"folder {name!r}",
        files=len(rows),
        example=min(rows, default=name),
        reason=why,
        images=bool(rows),
    )


def passed_over(donor: Donor, names: Sequence[str]) -> tuple[PassedOver, ...]:
    """What lies among the donors and is not learned from.

    Raises:
        NotAvailable: The folder is not there.
    """
    listed, _ = list_donors(donor, names)
    return tuple(
        replace(one, what=f"{one.what} among donors", example=f"{donor.root}/{one.example}")
        for one in listed.passed
    )


def read_donors(
    donor: Donor, listed: Samples, images: Images, labels: Labels, image: ImageSpec,
    progress: Progress,
) -> Donors:  # fmt: skip
    """Decode the donors and match their stain to the training images, ``images``.

    Raises:
        Problems: Some cannot be read.
        DataError: Some are copies of training images.
    """
    try:
        store = open_images(listed, image, progress=progress)
    except Problems as error:
        closing = "nothing was run. Mend or remove these donor images."
        raise Problems(error.problems, closing) from None
    pixels = store.pixels(range(len(store)))
    rows = store.samples.rows
    _refuse_copies(pixels, tuple(row.id for row in rows), images, progress)
    of = np.array([labels.names.index(row.label) for row in rows], np.int64)
    shared = sorted(set(of.tolist()) & set(class_indices(images, labels).tolist()))
    if donor.stain == "match":
        pixels = fit_match(pixels, of, images, labels)(pixels)
    return Donors(
        pixels=pixels,
        labels=of,
        notes=() if shared else (CONFOUNDED,),
    )


def said_of_donors(real: int, donated: int, donor: Donor) -> dict[str, str]:
    """What images of a class with so many images at home and among the donors say of it."""
    said = {"way": "donor", "real images": str(real), "donor images": str(donated)}
    if donated:
        whom = "donor images" if not real else "real and donor images"
        said |= {"learned from": whom, "donor root": donor.root}
    return said


def fit_match(
    pixels: NDArray[np.uint8], of: NDArray[np.int64], images: Images, labels: Labels
) -> Match:
    """The match of donors ``pixels`` of classes ``of`` to the training images.

    Both looks are taken from the classes that both sources have, each class counted alike: else
    the match would carry over what the classes look like. Where they share none, all are taken.
    """
    at_home = class_indices(images, labels)
    shared = np.intersect1d(at_home, of)
    ours = [_look(images.pixels, at_home, each) for each in _or_all(shared, at_home)]
    theirs = [_look(lambda rows: pixels[list(rows)], of, each) for each in _or_all(shared, of)]
    return Match(together(theirs), together(ours))


def _or_all(shared: NDArray[np.int64], of: NDArray[np.int64]) -> list[int]:
    chosen: list[int] = (shared if len(shared) else np.unique(of)).tolist()
    return chosen


def _look(
    pixels: Callable[[Sequence[int]], NDArray[np.uint8]], of: NDArray[np.int64], label: int
) -> Look:
    rows = np.flatnonzero(of == label).tolist()
    some = min(LOOKED_AT, len(rows))
    return look(pixels([rows[i * len(rows) // some] for i in range(some)]))


def _refuse_copies(
    pixels: NDArray[np.uint8], ids: Sequence[str], images: Images, progress: Progress
) -> None:
    """Donors that are training images of the task come from no other source."""
    known = {_digest(picture): name for picture, name in zip(pixels, ids, strict=True)}
    copies = []
    with progress.task("Looking for copies among donors", len(images)) as advance:
        for start in range(0, len(images), CHUNK):
            rows = range(start, min(start + CHUNK, len(images)))
            for row, picture in zip(rows, images.pixels(rows), strict=True):
                if (name := known.get(_digest(picture))) is not None:
                    copies.append(f"{name} is {images.samples.rows[row].id}")
            advance(len(rows))
    if copies:
        raise DataError(
            f"synthesis.donor.root: {len(copies)} of {len(ids)} donors are copies of training "
            f"images ({'; '.join(copies[:3])}). Donors must come from another source: copies of "
            "test images among them would teach what is scored; name another folder"
        )


def _digest(picture: NDArray[np.uint8]) -> bytes:
    return hashlib.blake2b(np.ascontiguousarray(picture).data, digest_size=16).digest()
