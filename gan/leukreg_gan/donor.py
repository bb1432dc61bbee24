"""Donor images: a class that home lacks, learned from another source and asked for as at home.

A donor teaches what the class looks like under another stain, camera and hand. So every image is
told its class and its source, and a class that only donors show is asked for with the source
"home".
"""

from __future__ import annotations

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
    Sample,
    Samples,
    list_folder,
    open_images,
)
from leukreg_gan.class_sources import Donor, example, in_words, refuse, unknown_classes
from leukreg_gan.conditions import (
    Conditions,
    Draw,
    Group,
    Plan,
    class_indices,
    count,
    encode,
    one,
    places_among,
)
from leukreg_gan.generator_file import image_digests

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
TOGETHER = 64
"""Images that are taken apart in one go, which keeps memory small."""
_LMS = np.array([[0.3811, 0.5783, 0.0402], [0.1967, 0.7244, 0.0782], [0.0241, 0.1288, 0.8444]])
_AXES = np.diag(1 / np.sqrt([3.0, 6.0, 2.0])) @ np.array(
    [[1.0, 1.0, 1.0], [1.0, 1.0, -2.0], [1.0, -1.0, 0.0]]
)


def conditions_with_donors(
    donor: Donor, images: Images, labels: Labels, image: ImageSpec,
    targets: Sequence[str] | None, progress: Progress,
) -> Conditions:  # fmt: skip
    """Each image is told its class and its source; every class is asked for as from home."""
    at_home = class_indices(images, labels)
    counts = count(at_home, labels)
    listed, faults = list_donors(donor, labels.names)
    donated = listed.counts()
    there = [name for name in labels.names if counts[name] or donated.get(name)]
    missing = [name for name in targets or labels.names if name not in there]
    if missing and not faults:
        faults.append(
            f"neither a training image nor a donor shows {in_words(missing)}; name the donors' "
            f"folders: {example('donor', missing)}, keep some images in training, or describe what "
            f'no image shows: way = "attributes" and {example("attributes", missing)}'
        )
    refuse(faults)
    pixels, rows = _decoded(listed, images, image, progress)
    of = np.array([labels.names.index(row.label) for row in rows], np.int64)
    if donor.stain == "match":
        pixels = fit_match(pixels, of, images, labels)(pixels)
    groups = (Group(name="class", values=tuple(there)), Group(name="source", values=SOURCES))
    every = np.concatenate([at_home, of])
    source = np.repeat([0, 1], [len(at_home), len(of)])
    draws = {
        name: Draw(parts=one(at, 0), said=_said(counts[name], donated.get(name, 0), donor))
        for at, name in enumerate(there)
    }
    return Conditions(
        plan=Plan(groups=groups, draws=draws),
        rows=tuple(range(len(images))),
        vectors=encode(groups, np.stack([places_among(there, labels)[every], source], axis=1)),
        labels=every,
        donors=pixels,
        notes=() if np.isin(of, at_home).any() else (CONFOUNDED,),
    )


def list_donors(donor: Donor, names: Sequence[str]) -> tuple[Samples, list[str]]:
    """The donors of the task's classes, nothing decoded; and what is wrong with them, in words.

    Raises:
        NotAvailable: The folder is not there.
    """
    donor.ready()
    faults = unknown_classes(donor.classes or (), names, "named in donor.classes")
    try:
        listed = list_folder(donor.root, classes=donor.classes, max_per_class=donor.limit)
    except DataError as error:
        faults += (f"donor.classes: {line}" for line in str(error).splitlines())
        return Samples(rows=(), classes=()), faults
    counts = listed.counts()
    if donor.classes is not None:
        faults += [
            f"donor.classes.{name}: {', '.join(folders)} below {donor.root} hold no images"
            for name, folders in donor.classes.items()
            if not counts[name]
        ]
        return listed, faults
    known = tuple(name for name in names if counts.get(name))
    if not known:
        faults.append(
            f"no folder of images in {donor.root} is called as a class of the task "
            f"({', '.join(names)}); say in donor.classes which is what; there are "
            f"{', '.join(counts)}"
        )
    rows = tuple(row for row in listed.rows if row.label in known)
    other = (
        PassedOver(
            what=f"folder {name!r}",
            files=n,
            example=min((row.id for row in listed.rows if row.label == name), default=name),
            reason="no class of the task is called so",
            images=n > 0,
        )
        for name, n in counts.items()
        if name not in known
    )
    return replace(listed, rows=rows, classes=known, passed=(*listed.passed, *other)), faults


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


def _said(real: int, donated: int, donor: Donor) -> dict[str, str]:
    """What images of a class with so many images at home and among the donors say of it."""
    said = {"way": "donor", "real images": str(real), "donor images": str(donated)}
    if donated:
        whom = "donor images" if not real else "real and donor images"
        said |= {"learned from": whom, "donor root": donor.root}
    return said


def _decoded(
    listed: Samples, images: Images, image: ImageSpec, progress: Progress
) -> tuple[NDArray[np.uint8], tuple[Sample, ...]]:
    """The donors' pixels and rows. Raises Problems; DataError where some are trained on here."""
    try:
        store = open_images(listed, image, progress=progress)
    except Problems as error:
        closing = "nothing was run. Mend or remove these donor images."
        raise Problems(error.problems, closing) from None
    pixels, donors = store.pixels(range(len(store))), store.samples.rows
    # Donors that are training images of the task come from no other source.
    known = dict(zip(image_digests(pixels), (row.id for row in donors), strict=True))
    copies = []
    with progress.task("Looking for copies among donors", len(images)) as advance:
        for start in range(0, len(images), CHUNK):
            rows = range(start, min(start + CHUNK, len(images)))
            for row, digest in zip(rows, image_digests(images.pixels(rows)), strict=True):
                if digest in known:
                    copies.append(f"{known[digest]} is {images.samples.rows[row].id}")
            advance(len(rows))
    if copies:
        raise DataError(
            f"synthesis.donor.root: {len(copies)} of {len(pixels)} donors are copies of training "
            f"images ({'; '.join(copies[:3])}). Donors must come from another source: copies of "
            "test images among them would teach what is scored; name another folder"
        )
    return pixels, donors


def fit_match(
    pixels: NDArray[np.uint8], of: NDArray[np.int64], images: Images, labels: Labels
) -> StainMatch:
    """The match of donors ``pixels`` of classes ``of`` to the training images.

    Both looks are taken from the classes that both sources have, each class counted alike: else
    the match would carry over what the classes look like. Where they share none, all are taken.
    """
    at_home = class_indices(images, labels)
    shared = np.intersect1d(at_home, of)

    def look(
        read: Callable[[Sequence[int]], NDArray[np.uint8]], where: NDArray[np.int64]
    ) -> StainStatistics:
        looks = []
        for label in shared if len(shared) else np.unique(where):
            rows = np.flatnonzero(where == label).tolist()
            some = min(LOOKED_AT, len(rows))
            looks.append(stain_statistics(read([rows[i * len(rows) // some] for i in range(some)])))
        return together(looks)

    return StainMatch(look(lambda rows: pixels[rows], of), look(images.pixels, at_home))


@dataclass(frozen=True, slots=True)
class StainStatistics:
    """Mean and standard deviation of l, alpha and beta over the pixels of some images."""

    mean: NDArray[np.float64]
    """Shape ``(3,)``, in powers of ten of light."""
    deviation: NDArray[np.float64]
    """Shape ``(3,)``."""


@dataclass(frozen=True, slots=True)
class StainMatch:
    """Carries the look of one source over to another's (Reinhard et al., 2001).

    "Color transfer between images", IEEE Computer Graphics and Applications 21(5), with the
    matrices of the paper: RGB to the cone space LMS, its logarithm, and from there to the
    decorrelated axes l (light), alpha (yellow to blue) and beta (red to green), where mean and
    deviation of each axis are carried over. The logarithm makes the axes sums of optical densities,
    in which stains add up.

    Mean and deviation are those of a source, not of a picture: what tells two cells of one source
    apart stays as it is.
    """

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
