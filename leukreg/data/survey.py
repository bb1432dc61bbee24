"""What lies in a folder or table of images, in numbers: the material of ``leukreg data``."""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from leukreg.data.decode import Facts, readings
from leukreg.data.image_store import open_images
from leukreg.data.near_duplicates import assumed_of_search, find_near_duplicates
from leukreg.data.walk import Parts, walk
from leukreg.errors import Problems
from leukreg.progress import SILENT, Progress
from leukreg.record import Reading
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
    """Equal pixels; otherwise near duplicates."""

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
    """Patients with images in several classes, where patients have no labels of their own."""
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
    rows: dict[str, Sample] = {}
    labels: dict[str, set[str]] = defaultdict(set)
    for row in images.samples.rows:
        rows.setdefault(row.id, row)
        if row.patient is not None and not samples.patient_labels:
            labels[row.patient].add(row.label)
    same: dict[str, list[Sample]] = defaultdict(list)
    for row in rows.values():
        same[images.facts[row.id].pixels].append(row)
    pairs = find_near_duplicates(images, progress)
    assumed = (*samples.assumed, *assumed_of_search(len(same)))
    return Survey(
        samples=replace(samples, assumed=assumed),
        classes=_classes(samples, images.facts, images.samples.broken),
        broken=images.samples.broken,
        exact=tuple(Copies(tuple(files), exact=True) for files in same.values() if len(files) > 1),
        near=tuple(Copies((rows[one], rows[other]), exact=False) for one, other in pairs),
        listed_twice=len(images.samples.rows) - len(rows),
        shared=tuple(sorted(patient for patient, own in labels.items() if len(own) > 1)),
        readings=readings(images.facts.values()),
    )


def cells_per_patient(samples: Samples) -> dict[str, tuple[int, ...]]:
    """Files of each patient, in rising order, by the patients' labels or else by class; a patient
    of several classes stands in each. Synthetic images are nobody's."""
    names = samples.patient_classes or samples.classes
    counts: dict[str, Counter[str]] = {name: Counter() for name in names}
    for row in {row.id: row for row in samples.rows}.values():
        if row.patient is not None:
            counts[samples.patient_labels.get(row.patient, row.label)][row.patient] += 1
    return {name: tuple(sorted(count.values())) for name, count in counts.items()}


def _classes(
    samples: Samples, facts: Mapping[str, Facts], broken: Sequence[BrokenImage]
) -> tuple[Class, ...]:
    bad = {image.path for image in broken}
    classes = []
    for name in samples.classes:
        rows = [row for row in samples.rows if row.label == name]
        found = [facts[row.id] for row in rows if row.id in facts]
        one = Class(
            name=name,
            images=len(rows),
            patients=len({row.patient for row in rows} - {None}),
            unassigned=sum(row.patient is None for row in rows),
            broken=sum(row.path in bad for row in rows),
            formats=tuple(Counter(fact.format for fact in found).most_common()),
            sizes=tuple(Counter(f"{fact.width}x{fact.height}" for fact in found).most_common()),
            bytes=sum(fact.bytes for fact in found),
        )
        classes.append(one)
    return tuple(classes)


_ID = re.compile(r"(?:[A-Za-z]+[ _-]?)?\d+[A-Za-z]?")
"""What ids of patients look like: p07, Patient 12, 0815, A3b."""
_IN_NAME = re.compile(r"([A-Za-z]*\d+)[_-]")
MOST = 60
"""Class folders that are written out."""
_SHARE = 0.8
"""Part of the folders that must look so for a layout to be proposed."""


def layout(root: Path) -> tuple[str, ...]:
    """What the layout seems to be, then the lines for ``[data]``; empty where nothing shows."""
    walked = walk(root)
    files = [walked.below(path) for path in walked.images]
    by_folder = [parts for parts in files if len(parts) > 1]
    first = Counter(parts[0] for parts in by_folder)
    inside = sorted({parts[1:-1] for parts in by_folder} - {()})
    if not first:
        return ()
    second = sorted({parts[0] for parts in inside})
    if _are_ids(list(first)) and len(first) > 1:
        if not inside:
            return (
                "it looks like PATH/patient/image; where patients have diagnoses:",
                "weak = true",
                'patients = { path = "DIAGNOSES.csv" }  '
                f"# columns patient ({next(iter(first))}) and label",
                "# where each cell has a label: a table of path, label and patient",
                '# use = "table"',
                '# path = "CELLS.csv"',
            )
        known = len(inside) <= MOST and not _are_ids([parts[-1] for parts in inside])
        return tuple(_patient_class(inside)) if known else ()
    if len(second) > 1 and _are_ids(second):
        return ("it looks like PATH/class/patient/image:", "patient_level = 1")
    return () if inside else tuple(_in_names(by_folder))


def _are_ids(names: Sequence[str]) -> bool:
    fit = sum(_ID.fullmatch(name) is not None for name in names)
    return fit >= _SHARE * len(names)


def _patient_class(inside: Sequence[Parts]) -> Iterator[str]:
    yield "it looks like PATH/patient/class/image:"
    yield "patient = '^([^/]+)/'"
    yield "[data.classes]"
    folders: dict[str, list[str]] = defaultdict(list)
    for parts in inside:
        folders[parts[-1]].append("/".join(("*", *parts)))
    for name, members in folders.items():
        key, value = (json.dumps(each, ensure_ascii=False) for each in (name, members))
        yield f"{key} = {value}"


def _in_names(files: Sequence[Parts]) -> Iterator[str]:
    """Ids at the beginning of file names: several in each class, and several images of most."""
    ids = [(parts[0], match.group(1)) for parts in files if (match := _IN_NAME.match(parts[-1]))]
    patients = Counter(name for _, name in ids)
    in_class = Counter(label for label, _ in {*ids})
    if len(ids) < _SHARE * len(files) or 2 * len(patients) > len(ids):
        return
    if in_class and min(in_class.values()) > 1:
        yield f"file names begin with what may be patients ({len(patients):,} ids):"
        yield r"patient = '/([A-Za-z]*\d+)[_-][^/]*$'"
