"""Classes by their attributes: those that images show, and those that are only described."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from leukreg import derive
from leukreg_gan.attributes import Attributed
from leukreg_gan.plan import UNSAID, Draw, Group, Part, Plan
from leukreg_gan.ways import Described

if TYPE_CHECKING:
    from numpy.typing import NDArray

TRIED = 2000
"""Draws by which it is found out how often a description combines what no image combines."""


def faults_of(
    describe: Mapping[str, Mapping[str, Described]], groups: Sequence[Group]
) -> list[str]:
    """What is wrong with descriptions, given the values that training images have."""
    known = {group.name: group.values for group in groups}
    faults = []
    for label, described in describe.items():
        if not described:
            faults.append(f"attributes.describe.{label} says nothing; there are {', '.join(known)}")
        for name, value in described.items():
            where = f"attributes.describe.{label}.{name}"
            if name not in known:
                faults.append(
                    f"{where}: there is no such attribute; {_nearest(name, known, 'there are')}"
                )
                continue
            weights = weighed(value)
            if not weights:
                faults.append(f"{where} names no value; seen in training: {_all(known[name])}")
            faults += [
                f"{where}: no training image has {each!r}; "
                f"{_nearest(each, known[name], 'seen in training')}"
                for each in weights
                if each not in known[name]
            ]
    return faults


def weighed(value: Described) -> dict[str, float]:
    """Value and weight, of whatever a recipe may say."""
    if isinstance(value, str):
        return {value: 1.0}
    if isinstance(value, Mapping):
        return dict(value)
    return {each: float(count) for each, count in Counter(value).items()}


def shown(own: NDArray[np.int64], codes: NDArray[np.int64]) -> tuple[Part, ...]:
    """Conditions of a class as its training images, ``own``, have them.

    An attribute that none of them says is drawn as all training images, ``codes``, have it; both
    have the shape ``(rows, groups)``.
    """
    return _as_in_training(own, codes, range(codes.shape[1]))


def described(
    value: Mapping[str, Described], groups: Sequence[Group], codes: NDArray[np.int64]
) -> tuple[Part, ...]:
    """Conditions of a described class: each described attribute by itself, as it is described.

    The others are drawn together, as all training images, ``codes`` ``(n, groups)``, have them.
    """
    parts = []
    for position, group in enumerate(groups):
        if group.name in value:
            weights = weighed(value[group.name])
            own = tuple((group.values.index(each),) for each in weights)
            parts.append(Part(groups=(position,), codes=own, weights=tuple(weights.values())))
    rest = [position for position, group in enumerate(groups) if group.name not in value]
    return (*parts, *(_as_in_training(codes, codes, rest) if rest else ()))


def plan_of(
    names: Sequence[str],
    found: Attributed,
    by_class: Mapping[str, NDArray[np.int64]],
    describe: Mapping[str, Mapping[str, Described]],
) -> Plan:
    """How classes are drawn: described ones as described, others as their images have it.

    Args:
        names: The task's classes.
        by_class: Codes ``(n, groups)`` of the training images of each class that has some.
    """
    draws = {}
    for name in names:
        said = {"way": "attributes", "real images": str(len(by_class.get(name, ())))}
        if name in describe:
            parts = described(describe[name], found.groups, found.codes)
            draws[name] = Draw(parts=parts, said=said | {"learned from": "a description"})
        elif name in by_class:
            draws[name] = Draw(parts=shown(by_class[name], found.codes), said=said)
    complete = found.codes[(found.codes != UNSAID).all(axis=1)]
    seen = frozenset(tuple(row) for row in complete.tolist())
    return Plan(groups=found.groups, draws=draws, seen=seen)


def strangeness(plan: Plan, label: str, by_class: Mapping[str, NDArray[np.int64]]) -> str:
    """How much of a described class is new, how new, and which seen classes the rest looks like.

    Args:
        by_class: Codes ``(n, groups)`` of the training images of each class.
    """
    drawn = plan.codes(label, TRIED, np.random.default_rng(derive(0, "strangeness", label)))
    counts = {
        name: Counter(tuple(row) for row in codes.tolist()) for name, codes in by_class.items()
    }
    known = np.unique(np.concatenate(list(by_class.values())), axis=0)
    likeness: Counter[str] = Counter()
    apart = []
    for row, times in Counter(tuple(row) for row in drawn.tolist()).items():
        like = max(counts, key=lambda name: counts[name][row] / counts[name].total())
        if counts[like][row]:
            likeness[like] += times
        else:
            nearest = int((known != np.array(row)).sum(axis=1).min())
            apart += [nearest] * times
    share = f"{len(apart) / TRIED:.0%}"
    text = f"{label}: {share} of its draws combine attributes as no training image does"
    if apart:
        text += f", and differ from the nearest by {np.mean(apart):.1f} of {len(plan.groups)}"
    rest = ", ".join(f"{name} {n / TRIED:.0%}" for name, n in likeness.most_common())
    return f"{text}; the others do as images of {rest}" if rest else text


def _as_in_training(
    own: NDArray[np.int64], codes: NDArray[np.int64], groups: Sequence[int]
) -> tuple[Part, ...]:
    """Draw these groups together from the rows that say them all; else each by itself."""
    chosen = own[:, list(groups)]
    complete = chosen[(chosen != UNSAID).all(axis=1)]
    if not len(complete) and len(groups) > 1:
        return tuple(part for group in groups for part in _as_in_training(own, codes, [group]))
    if not len(complete):
        return _as_in_training(codes, codes, groups)
    counts = Counter(tuple(row) for row in complete.tolist())
    found = sorted(counts)
    weights = tuple(float(counts[row]) for row in found)
    return (Part(groups=tuple(groups), codes=tuple(found), weights=weights),)


def _nearest(name: str, there: Sequence[str] | Mapping[str, object], what: str) -> str:
    close = difflib.get_close_matches(name, list(there), n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}{what}: {_all(there)}"


def _all(values: Sequence[str] | Mapping[str, object]) -> str:
    return ", ".join(values) or "none"
