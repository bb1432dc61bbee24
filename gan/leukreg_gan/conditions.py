"""What each training image is told to be, and what is told when a class is asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from leukreg import SILENT, DataError, Images, ImageSpec, Labels, Progress
from leukreg_gan.plan import Draw, Group, Plan, encode, one
from leukreg_gan.ways import Ways, example

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
    donor_ids: tuple[str, ...] = ()
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

    def digest(self) -> str:
        """Of everything but the home images: two trainings with one digest are told the same."""
        state = hashlib.blake2b(digest_size=16)
        state.update(json.dumps([self.plan.plain(), self.rows], sort_keys=True).encode())
        for array in (self.vectors, self.labels, self.donors):
            state.update(f"{array.shape}".encode())
            state.update(np.ascontiguousarray(array).tobytes())
        return state.hexdigest()


def conditions_for(
    images: Images,
    labels: Labels,
    image: ImageSpec,
    targets: Sequence[str] | None,
    ways: Ways,
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
    if faults:
        raise DataError("\n".join(f"synthesis: {fault}" for fault in faults))
    return _by_class(images, labels, image, targets)


def _by_class(
    images: Images, labels: Labels, image: ImageSpec, targets: Sequence[str] | None
) -> Conditions:
    """Each image is told its class; a class is learned from its own images, few as they are."""
    of = class_indices(images, labels)
    counts = dict(zip(labels.names, np.bincount(of, minlength=len(labels)).tolist(), strict=True))
    missing = [name for name in targets or labels.names if not counts[name]]
    if missing:
        raise DataError(without_images(missing))
    there = [name for name in labels.names if counts[name]]
    code = np.array([there.index(name) if name in there else -1 for name in labels.names])
    groups = (Group(name="class", values=tuple(there)),)
    draws = {
        name: Draw(parts=one(position), said={"way": "few", "real images": str(counts[name])})
        for position, name in enumerate(there)
    }
    return Conditions(
        plan=Plan(groups=groups, draws=draws),
        rows=tuple(range(len(images))),
        vectors=encode(groups, code[of][:, None]),
        labels=of,
        donors=np.empty((0, image.size, image.size, 3), np.uint8),
    )


def class_indices(images: Images, labels: Labels) -> NDArray[np.int64]:
    """The class of each row, an index into the task's classes."""
    position = {name: index for index, name in enumerate(labels.names)}
    return np.array([position[row.label] for row in images.samples.rows], np.int64)


def without_images(missing: Sequence[str]) -> str:
    """That these classes have nothing to be learned from, and what can be done."""
    named = " and ".join(repr(name) for name in missing)
    one_class = len(missing) == 1
    return (
        f"synthesis: no training image shows {'class' if one_class else 'classes'} {named}, and "
        f'way = "few" learns a class from images of it. Keep some in training, or add to '
        f'[synthesis] either way = "donor" and {example("donor", missing)}, for images of '
        f'{"it" if one_class else "them"} from another source, or way = "attributes" and '
        f"{example('attributes', missing)}, to describe what no image shows"
    )


def unknown_classes(named: Sequence[str], known: Sequence[str], what: str) -> list[str]:
    """One sentence for each named class that the task does not have."""
    import difflib

    found = []
    for name in named:
        if name in known:
            continue
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(known)}"
        found.append(f"there is no class {name!r}, which is {what}; {hint}")
    return found
