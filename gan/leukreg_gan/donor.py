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
from leukreg_gan.class_sources import Donor, class_indices, unknown_classes

if TYPE_CHECKING:
    from numpy.typing import NDArray


TOGETHER = 64
"""Images that are taken apart in one go, which keeps memory small."""
_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_AXES = np.diag(1 / np.sqrt([3.0, 6.0, 2.0])) @ np.array(
    [[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]]
)


@dataclass(frozen=True, slots=True)
class StainStatistics:
    """Mean and standard deviation of l, alpha and beta over the pixels of some images."""

    mean: NDArray[np.float64]
    """Shape ``(3,)``, in powers of ten of light."""
    deviation: NDArray[np.float64]
    """Shape ``(3,)``."""


@dataclass(frozen=True, slots=True)
class StainMatch:
    """Carries the look of one source over to another's."""

    source: StainStatistics
    target: StainStatistics

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Images ``(n, h, w, 3)``, RGB, with the target's look; what leaves the range is cut."""
        flat = self.source.deviation < 1e-9  # an axis without any change has none to scale
        scale = np.where(
            flat, 1.0, self.target.deviation / np.where(flat, 1, self.source.deviation)
        )
        matched = np.empty_like(pixels)
        for start in range(0, len(pixels), TOGETHER):
            part = slice(start, start + TOGETHER)
            moved = (axes(pixels[part]) - self.source.mean) * scale + self.target.mean
            matched[part] = np.clip(np.rint(colours(moved)), 0, 255).astype(np.uint8)
        return matched


def stain_statistics(pixels: NDArray[np.uint8]) -> StainStatistics:
    """The look of images ``(n, h, w, 3)``, RGB, all pixels counted alike; n is at least 1."""
    sums, squares, count = np.zeros(3), np.zeros(3), 0
    for start in range(0, len(pixels), TOGETHER):
        values = axes(pixels[start : start + TOGETHER]).reshape(-1, 3)
        sums += values.sum(axis=0)
        squares += (values**2).sum(axis=0)
        count += len(values)
    mean = sums / count
    return StainStatistics(mean, np.sqrt(np.maximum(squares / count - mean**2, 0)))


def together(looks: Sequence[StainStatistics]) -> StainStatistics:
    """The look of several groups of images, each counted alike, however many images it has."""
    mean = np.mean([each.mean for each in looks], axis=0)
    spread = [each.deviation**2 + (each.mean - mean) ** 2 for each in looks]
    return StainStatistics(mean, np.sqrt(np.mean(spread, axis=0)))


def axes(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """RGB ``(..., 3)`` from 0 to 255 to l, alpha and beta; black is lifted to 1 of 256."""
    lms = ((pixels.astype(np.float64) + 1) / 256) @ _LMS.T
    return np.asarray(np.log10(lms) @ _AXES.T)


def colours(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """l, alpha and beta ``(..., 3)`` back to RGB; 0 to 255 where the colour can be shown."""
    lms = 10 ** np.minimum(values @ np.linalg.inv(_AXES).T, 3.0)
    return np.asarray(lms @ np.linalg.inv(_LMS).T * 256 - 1)


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
) -> StainMatch:
    """The match of donors ``pixels`` of classes ``of`` to the training images.

    Both looks are taken from the classes that both sources have, each class counted alike: else
    the match would carry over what the classes look like. Where they share none, all are taken.
    """
    at_home = class_indices(images, labels)
    shared = np.intersect1d(at_home, of)
    ours = [_look(images.pixels, at_home, each) for each in _or_all(shared, at_home)]
    theirs = [_look(lambda rows: pixels[list(rows)], of, each) for each in _or_all(shared, of)]
    return StainMatch(together(theirs), together(ours))


def _or_all(shared: NDArray[np.int64], of: NDArray[np.int64]) -> list[int]:
    chosen: list[int] = (shared if len(shared) else np.unique(of)).tolist()
    return chosen


def _look(
    pixels: Callable[[Sequence[int]], NDArray[np.uint8]], of: NDArray[np.int64], label: int
) -> StainStatistics:
    rows = np.flatnonzero(of == label).tolist()
    some = min(LOOKED_AT, len(rows))
    return stain_statistics(pixels([rows[i * len(rows) // some] for i in range(some)]))


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
