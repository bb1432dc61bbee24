"""What a generator is told when an image is asked for: groups of values, and how they are drawn."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg import DataError

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
        return {
            "groups": [{"name": group.name, "values": list(group.values)} for group in self.groups],
            "draws": {
                label: {
                    "parts": [
                        {
                            "groups": list(part.groups),
                            "codes": [list(row) for row in part.codes],
                            "weights": list(part.weights),
                        }
                        for part in draw.parts
                    ],
                    "said": dict(draw.said),
                }
                for label, draw in self.draws.items()
            },
            "seen": None if self.seen is None else [list(row) for row in sorted(self.seen)],
        }

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Plan:
        """The plan that :meth:`plain` wrote.

        Raises:
            KeyError, TypeError, ValueError: It is something else.
        """
        seen = plain["seen"]
        plan = cls(
            groups=tuple(
                Group(name=str(g["name"]), values=tuple(map(str, g["values"])))
                for g in plain["groups"]
            ),
            draws={str(label): _draw_from(draw) for label, draw in plain["draws"].items()},
            seen=None if seen is None else frozenset(_codes(row) for row in seen),
        )
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


def _draw_from(plain: Mapping[str, Any]) -> Draw:
    parts = tuple(
        Part(
            groups=_codes(part["groups"]),
            codes=tuple(_codes(row) for row in part["codes"]),
            weights=tuple(float(weight) for weight in part["weights"]),
        )
        for part in plain["parts"]
    )
    return Draw(parts=parts, said={str(key): str(text) for key, text in plain["said"].items()})


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


def _codes(row: Sequence[Any]) -> tuple[int, ...]:
    return tuple(int(code) for code in row)
