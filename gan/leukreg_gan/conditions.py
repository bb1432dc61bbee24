"""What each training image is told to be, and what is told when a class is asked for.

A condition is a row of codes, one for each :class:`Group` of values; a network sees it as one-hot
blocks side by side.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import TypeAdapter

from leukreg import DataError, Images, ImageSpec, Labels
from leukreg_gan.class_sources import example, in_words, refuse

if TYPE_CHECKING:
    from numpy.typing import NDArray

UNSAID = -1
"""Code of a value that is not known: its block is all zeros."""
COMBINATION = "combination"
"""Says of an image whether a training image has the same values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Values of which an image has one, such as its class: one block of a condition vector."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Groups whose values are drawn together, one row of ``codes`` by its weight."""

    groups: tuple[int, ...]
    """Positions among the plan's groups."""
    codes: tuple[tuple[int, ...], ...]
    """Positions among the groups' values."""
    weights: tuple[float, ...]
    """One for each row of codes, above 0; they need not add up to 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """How the conditions of one class are drawn: its parts, each by itself."""

    parts: tuple[Part, ...]
    """Together they hold every group once."""
    said: Mapping[str, str] = field(default_factory=dict)
    """What every image of the class says of where it comes from."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """All that is needed to ask a trained generator for images: plain values, no images."""

    groups: tuple[Group, ...]
    draws: Mapping[str, Draw]
    """By class; the classes that can be made."""
    seen: frozenset[tuple[int, ...]] | None = None
    """Codes of the combinations that training images have, where that is worth telling."""

    @property
    def width(self) -> int:
        """Length of a condition vector."""
        return sum(len(group.values) for group in self.groups)

    def draw(
        self, label: str, n: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], tuple[dict[str, str], ...]]:
        """Condition vectors ``(n, d)`` for images of class ``label``, and each in words.

        Raises:
            DataError: The class cannot be made.
        """
        codes = self.codes(label, n, rng)
        return encode(self.groups, codes), tuple(self._words(label, row) for row in codes.tolist())

    def codes(self, label: str, n: int, rng: np.random.Generator) -> NDArray[np.int64]:
        """Shape ``(n, number of groups)``. Raises DataError when the class cannot be made."""
        if label not in self.draws:
            there = ", ".join(self.draws) or "none"
            raise DataError(f"class {label!r} was not learned and cannot be made; can be: {there}")
        drawn = np.full((n, len(self.groups)), UNSAID, np.int64)
        for part in self.draws[label].parts:
            shares = np.asarray(part.weights, np.float64)
            which = rng.choice(len(part.codes), n, p=shares / shares.sum())
            drawn[:, part.groups] = np.asarray(part.codes, np.int64)[which]
        return drawn

    def _words(self, label: str, row: Sequence[int]) -> dict[str, str]:
        words = {"class": label}
        pairs = zip(self.groups, row, strict=True)
        words |= {group.name: group.values[code] for group, code in pairs}
        if self.seen is not None:
            known = tuple(row) in self.seen
            words[COMBINATION] = "seen in training" if known else "never seen in training"
        return words | dict(self.draws[label].said)

    def plain(self) -> dict[str, Any]:
        """The plan as JSON values, to be kept beside a trained generator."""
        return asdict(self) | {"seen": None if self.seen is None else sorted(self.seen)}

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Plan:
        """The plan that :meth:`plain` wrote. Raises ValueError where it is something else."""
        plan = TypeAdapter(cls).validate_python(dict(plain))
        if not all(_fits(draw, plan.groups) for draw in plan.draws.values()):
            raise ValueError("its draws do not fit its groups")
        return plan


def encode(groups: Sequence[Group], codes: NDArray[np.int64]) -> NDArray[np.float32]:
    """Codes ``(n, number of groups)`` to one-hot blocks side by side, ``(n, d)``."""
    blocks = []
    for position, group in enumerate(groups):
        block = np.zeros((len(codes), len(group.values)), np.float32)
        known = np.flatnonzero(codes[:, position] != UNSAID)
        block[known, codes[known, position]] = 1
        blocks.append(block)
    return np.concatenate(blocks, axis=1)


def one(*codes: int) -> tuple[Part, ...]:
    """The parts of a class whose every image is told the same."""
    return (Part(groups=tuple(range(len(codes))), codes=(codes,), weights=(1.0,)),)


def _fits(draw: Draw, groups: Sequence[Group]) -> bool:
    """Whether every group is drawn once, and every code is one of its group's."""
    held = sorted(group for part in draw.parts for group in part.groups)
    return held == list(range(len(groups))) and all(
        len(row) == len(part.groups)
        and all(
            0 <= code < len(groups[at].values) for code, at in zip(row, part.groups, strict=True)
        )
        for part in draw.parts
        for row in part.codes
    )


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
    def classes(self) -> tuple[str, ...]:
        """The classes that can be made."""
        return tuple(self.plan.draws)

    def pixels(self, images: Images) -> NDArray[np.uint8]:
        """The images that the vectors belong to, ``(n + m, size, size, 3)``, RGB."""
        return np.concatenate([images.pixels(self.rows), self.donors])


def conditions_by_class(
    images: Images, labels: Labels, image: ImageSpec, targets: Sequence[str] | None
) -> Conditions:
    """Each image is told its class; a class is learned from its own images, few as they are."""
    of = class_indices(images, labels)
    counts = count(of, labels)
    missing = [name for name in targets or labels.names if not counts[name]]
    if missing:
        it = "it" if len(missing) == 1 else "them"
        refuse([
            f'no training image shows {in_words(missing)}, and way = "few" learns a class from '
            'images of it. Keep some in training, or add to [synthesis] either way = "donor" and '
            f"{example('donor', missing)}, for images of {it} from another source, or "
            f'way = "attributes" and {example("attributes", missing)}, to describe what no image '
            "shows"
        ])  # fmt: skip
    there = [name for name in labels.names if counts[name]]
    draws = {
        name: Draw(parts=one(position), said={"way": "few", "real images": str(counts[name])})
        for position, name in enumerate(there)
    }
    groups = (Group(name="class", values=tuple(there)),)
    return Conditions(
        plan=Plan(groups=groups, draws=draws),
        rows=tuple(range(len(images))),
        vectors=encode(groups, places_among(there, labels)[of][:, None]),
        labels=of,
        donors=no_donors(image),
    )


def class_indices(images: Images, labels: Labels) -> NDArray[np.int64]:
    """The class of each row, an index into the task's classes."""
    position = {name: index for index, name in enumerate(labels.names)}
    return np.array([position[row.label] for row in images.samples.rows], np.int64)


def count(of: NDArray[np.int64], labels: Labels) -> dict[str, int]:
    """Rows per class, every class listed; ``of`` are class indices."""
    found = np.bincount(of, minlength=len(labels)).tolist()
    return dict(zip(labels.names, found, strict=True))


def places_among(there: Sequence[str], labels: Labels) -> NDArray[np.int64]:
    """By class index: its position among the classes that have images."""
    return np.array([there.index(name) if name in there else UNSAID for name in labels.names])


def no_donors(image: ImageSpec) -> NDArray[np.uint8]:
    """The pixels of no image."""
    return np.empty((0, image.size, image.size, 3), np.uint8)
