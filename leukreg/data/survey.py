"""What lies in a folder or table of images, in numbers: the material of ``leukreg data``."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from leukreg.data.images import open_images
from leukreg.data.picture import Facts
from leukreg.data.readings import Reading, readings
from leukreg.data.store import ImageStore
from leukreg.errors import Problems
from leukreg.progress import SILENT, Progress
from leukreg.types import BrokenImage, ImageSpec, Sample, Samples

SIZE = 32
"""Pixels kept for a survey, which needs hardly any."""


@dataclass(frozen=True, slots=True)
class Class:
    """One class in numbers."""

    name: str
    images: int
    patients: int
    """Distinct patient ids."""
    unassigned: int
    """Images without a patient id."""
    broken: int
    formats: tuple[tuple[str, int], ...]
    """Format and number of images, most frequent first."""
    sizes: tuple[tuple[str, int], ...]
    """Such as ("1024x768", 12), most frequent first."""
    bytes: int


@dataclass(frozen=True, slots=True)
class Copies:
    """Files that show one picture."""

    files: tuple[Sample, ...]
    exact: bool
    """Equal pixels; otherwise near copies."""

    @property
    def crosses(self) -> bool:
        """Whether the files stand in several classes."""
        return len({file.label for file in self.files}) > 1


@dataclass(frozen=True, slots=True)
class Survey:
    """Everything that ``leukreg data`` shows."""

    samples: Samples
    classes: tuple[Class, ...]
    broken: tuple[BrokenImage, ...]
    exact: tuple[Copies, ...]
    near: tuple[Copies, ...]
    listed_twice: int
    """Rows beyond the first of their file."""
    shared: tuple[str, ...]
    """Patients with images in several classes."""
    readings: tuple[Reading, ...] = ()
    """What was chosen in reading the files."""

    @property
    def faulty(self) -> bool:
        """Broken files, or one picture in several classes."""
        return bool(self.broken) or any(copy.crosses for copy in (*self.exact, *self.near))


def survey(samples: Samples, progress: Progress = SILENT) -> Survey:
    """Read every image and compare them all; broken ones are told of, not stopped at.

    Raises:
        DataError: There are no images, or the cache cannot be written.
    """
    try:
        images = open_images(samples, ImageSpec(size=SIZE), "skip", progress)
    except Problems as error:  # not one image can be read
        broken = tuple(BrokenImage(path=p.where or "", reason=p.message) for p in error.problems)
        return Survey(samples, _classes(samples, {}, broken), broken, (), (), 0, ())
    rows = images.samples.rows
    broken = images.samples.broken
    return Survey(
        samples=samples,
        classes=_classes(samples, images.facts, broken),
        broken=broken,
        exact=_exact(images),
        near=_near(images, progress),
        listed_twice=len(rows) - len({row.id for row in rows}),
        shared=_shared(rows),
        readings=readings(images.facts.values()),
    )


def _classes(
    samples: Samples, facts: Mapping[str, Facts], broken: Sequence[BrokenImage]
) -> tuple[Class, ...]:
    bad = {image.path for image in broken}
    return tuple(
        _class(name, [row for row in samples.rows if row.label == name], facts, bad)
        for name in samples.classes
    )


def _class(name: str, rows: list[Sample], facts: Mapping[str, Facts], bad: set[str]) -> Class:
    found = [facts[row.id] for row in rows if row.id in facts]
    return Class(
        name=name,
        images=len(rows),
        patients=len({row.patient for row in rows} - {None}),
        unassigned=sum(row.patient is None for row in rows),
        broken=sum(row.path in bad for row in rows),
        formats=tuple(Counter(fact.format for fact in found).most_common()),
        sizes=tuple(Counter(f"{fact.width}x{fact.height}" for fact in found).most_common()),
        bytes=sum(fact.bytes for fact in found),
    )


def _exact(images: ImageStore) -> tuple[Copies, ...]:
    same: dict[str, dict[str, Sample]] = {}
    for row in images.samples.rows:
        same.setdefault(images.digests[row.id], {}).setdefault(row.id, row)
    groups = (tuple(files.values()) for files in same.values() if len(files) > 1)
    return tuple(Copies(files, exact=True) for files in groups)


def _near(images: ImageStore, progress: Progress) -> tuple[Copies, ...]:
    rows = {row.id: row for row in images.samples.rows}
    pairs = images.twins(progress)
    return tuple(Copies((rows[one], rows[other]), exact=False) for one, other in pairs)


def _shared(rows: Sequence[Sample]) -> tuple[str, ...]:
    labels: dict[str, set[str]] = {}
    for row in rows:
        if row.patient is not None:
            labels.setdefault(row.patient, set()).add(row.label)
    return tuple(sorted(patient for patient, own in labels.items() if len(own) > 1))
