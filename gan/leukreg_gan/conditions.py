"""What each training image is told to be, and what is told when a class is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg import SILENT, DataError, Images, ImageSpec, Labels, Progress
from leukreg_gan import class_sources
from leukreg_gan.attributes import faults_of, notes_on_rows, plan_of, read_attributes, strangeness
from leukreg_gan.class_sources import (
    Attributes,
    ClassSources,
    Donor,
    class_indices,
    count,
    unknown_classes,
)
from leukreg_gan.condition_plan import UNSAID, Draw, Group, Plan, encode, one
from leukreg_gan.donor import SOURCES, list_donors, read_donors, said_of_donors

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class Conditions:
    """Training rows with their condition vectors: ``n`` home rows, then ``m`` donors."""

    plan: Plan
    rows: tuple[int, ...]
    """Length n: the rows of the images that are trained on; the others were left out, see
    ``notes``."""
    vectors: NDArray[np.float32]
    """Shape ``(n + m, d)``: one one-hot block per group, of zeros where nothing is known."""
    labels: NDArray[np.int64]
    """Shape ``(n + m,)``: the class of each row, an index into the task's classes."""
    donors: NDArray[np.uint8]
    """Shape ``(m, size, size, 3)``: the donors' pixels, RGB, stain-matched."""
    notes: tuple[str, ...] = ()
    """What a report must say: rows left out, combinations never seen, and the like."""

    @property
    def groups(self) -> tuple[Group, ...]:
        """The blocks of a vector, in order."""
        return self.plan.groups

    @property
    def classes(self) -> tuple[str, ...]:
        """The classes that can be made."""
        return tuple(self.plan.draws)

    def draw(
        self, label: str, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], tuple[dict[str, str], ...]]:
        """Condition vectors ``(n, d)`` for images of class ``label``, and each in words.

        Raises:
            DataError: The class cannot be made.
        """
        return self.plan.draw(label, n, rng)

    def pixels(self, images: Images) -> NDArray[np.uint8]:
        """The images that the vectors belong to, ``(n + m, size, size, 3)``, RGB."""
        return np.concatenate([images.pixels(self.rows), self.donors])


def conditions_for(
    images: Images,
    labels: Labels,
    image: ImageSpec,
    targets: Sequence[str] | None,
    ways: ClassSources,
    progress: Progress = SILENT,
) -> Conditions:
    """The conditions of a training fold, by the way that the recipe chooses.

    Args:
        targets: The classes that will be asked for. None: every class without a real image here,
            and of the others whatever the way can learn.

    Raises:
        DataError: A class cannot be learned, or the options do not fit the images: all mistakes at
            once.
        NotAvailable: The donors' folder or a table is not there.
        Problems: Donor images cannot be read.
    """
    faults = ways.contradictions()
    faults += unknown_classes(targets or (), labels.names, "asked for")
    if not len(images):
        faults.append("there are no training images")
    _stop(faults)
    if ways.way == "donor" and ways.donor is not None:
        return _with_donors(images, labels, image, targets, ways.donor, progress)
    if ways.way == "attributes" and ways.attributes is not None:
        return _by_attributes(images, labels, image, targets, ways.attributes, progress)
    return _by_class(images, labels, image, targets)


def _by_class(
    images: Images, labels: Labels, image: ImageSpec, targets: Sequence[str] | None
) -> Conditions:
    """Each image is told its class; a class is learned from its own images, few as they are."""
    of = class_indices(images, labels)
    counts = count(of, labels)
    _stop(
        class_sources.without_images([name for name in targets or labels.names if not counts[name]])
    )
    there = [name for name in labels.names if counts[name]]
    draws = {
        name: Draw(parts=one(position), said={"way": "few", "real images": str(counts[name])})
        for position, name in enumerate(there)
    }
    groups = (Group(name="class", values=tuple(there)),)
    return Conditions(
        plan=Plan(groups=groups, draws=draws),
        rows=tuple(range(len(images))),
        vectors=encode(groups, _places(there, labels)[of][:, None]),
        labels=of,
        donors=_no_pixels(image),
    )


def _with_donors(
    images: Images, labels: Labels, image: ImageSpec, targets: Sequence[str] | None,
    donor: Donor, progress: Progress,
) -> Conditions:  # fmt: skip
    """Each image is told its class and its source; every class is asked for as from home."""
    of = class_indices(images, labels)
    counts = count(of, labels)
    listed, faults = list_donors(donor, labels.names)
    donated = listed.counts()
    there = [name for name in labels.names if counts[name] or donated.get(name)]
    if not faults:
        faults = class_sources.without_donors(
            [n for n in targets or labels.names if n not in there]
        )
    _stop(faults)
    donors = read_donors(donor, listed, images, labels, image, progress)
    groups = (Group(name="class", values=tuple(there)), Group(name="source", values=SOURCES))
    every = np.concatenate([of, donors.labels])
    source = np.repeat([0, 1], [len(of), len(donors.labels)])
    draws = {
        name: Draw(parts=one(at, 0), said=said_of_donors(counts[name], donated.get(name, 0), donor))
        for at, name in enumerate(there)
    }
    return Conditions(
        plan=Plan(groups=groups, draws=draws),
        rows=tuple(range(len(images))),
        vectors=encode(groups, np.stack([_places(there, labels)[every], source], axis=1)),
        labels=every,
        donors=donors.pixels,
        notes=donors.notes,
    )


def _by_attributes(
    images: Images, labels: Labels, image: ImageSpec, targets: Sequence[str] | None,
    options: Attributes, progress: Progress,
) -> Conditions:  # fmt: skip
    """Each image is told its attributes and not its class; a class is a choice of attributes.

    Images without attributes are left out: told nothing, they would teach the generator cells that
    no description asks for, at the cost of those that some description does.
    """
    with progress.task("Reading attributes"):
        found, faults = read_attributes(options, images)
    of = class_indices(images, labels)
    kept = of[list(found.rows)]
    shown = {n: found.codes[kept == at] for at, n in enumerate(labels.names) if at in kept}
    faults += unknown_classes(options.describe, labels.names, "described")
    if found.groups:
        faults += faults_of(options.describe, found.groups)
        empty = [name for name, n in count(of, labels).items() if not n]
        wanted = [n for n in targets or empty if n not in shown and n not in options.describe]
        faults += class_sources.without_description(wanted, empty, found.groups)
    _stop(faults)
    plan = plan_of(labels.names, found, shown, options.describe)
    return Conditions(
        plan=plan,
        rows=found.rows,
        vectors=encode(found.groups, found.codes),
        labels=kept,
        donors=_no_pixels(image),
        notes=(
            *notes_on_rows(found, of, labels),
            *(strangeness(plan, label, shown) for label in options.describe),
        ),
    )


def _places(there: Sequence[str], labels: Labels) -> NDArray[np.int64]:
    """By class index: its position among the classes that have images."""
    return np.array([there.index(name) if name in there else UNSAID for name in labels.names])


def _no_pixels(image: ImageSpec) -> NDArray[np.uint8]:
    return np.empty((0, image.size, image.size, 3), np.uint8)


def _stop(faults: Sequence[str]) -> None:
    if faults:
        raise DataError("\n".join(f"synthesis: {fault}" for fault in faults))
