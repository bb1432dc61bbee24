"""What the other source calls a class, and what the run calls it."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from leukreg.errors import Problem, Problems
from leukreg.types import Samples

CLOSING = "nothing was evaluated."


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """The other source's images under the run's class names."""

    samples: Samples
    """Rows of the run's classes only; ``classes`` are the run's, in its order."""
    taken: Mapping[str, str]
    """The other's class to the run's."""
    unmapped: Mapping[str, int]
    """The other's classes that are none of the run's, with their number of images (left out)."""
    missing: tuple[str, ...]
    """Classes of the run of which the other source has no image."""


def parse_mapping(texts: Sequence[str]) -> dict[str, str]:
    """``OtherName=class``, each from the command line; the last ``=`` divides.

    Raises:
        Problems: One is not of this form, or a name is mapped twice.
    """
    found: dict[str, str] = {}
    problems = []
    for text in texts:
        other, sign, own = (part.strip() for part in text.rpartition("="))
        if not sign or not other or not own:
            problems.append(Problem(f"--map {text!r} is not of the form OtherName=class"))
        elif found.get(other, own) != own:
            problems.append(Problem(f"--map names {other!r} twice"))
        found[other] = own
    if problems:
        raise Problems(problems, closing=CLOSING)
    return found


def map_classes(samples: Samples, classes: tuple[str, ...], mapping: Mapping[str, str]) -> Mapped:
    """Rename the classes that are mapped; equal names need no mapping, others are left out.

    Raises:
        Problems: A mapping names a class that is not there, or not one image is left; all of them.
    """
    counts = Counter(row.label for row in samples.rows)
    problems = [_absent(f"--map {other}={own}: the other source has no class", other, counts)
                for other, own in mapping.items() if other not in counts]  # fmt: skip
    problems += [_absent(f"--map {other}={own}: the run has no class", own, classes)
                 for other, own in mapping.items() if own not in classes]  # fmt: skip
    taken = {other: mapping.get(other, other) for other in counts}
    taken = {other: own for other, own in taken.items() if own in classes}
    rows = tuple(
        replace(row, label=taken[row.label], split=None)
        for row in samples.rows
        if row.label in taken
    )
    if not rows and not problems:
        there, own = ", ".join(map(repr, counts)), ", ".join(map(repr, classes))
        problems.append(
            Problem(f"no class is shared: there are {there}, the run has {own}; say which is which "
                    "with --map OtherName=class")
        )  # fmt: skip
    if problems:
        raise Problems(problems, closing=CLOSING)
    present = {row.label for row in rows}
    return Mapped(
        samples=replace(samples, rows=rows, classes=classes),
        taken=taken,
        unmapped={other: n for other, n in counts.items() if other not in taken},
        missing=tuple(name for name in classes if name not in present),
    )


def _absent(text: str, name: str, known: Sequence[str] | Mapping[str, int]) -> Problem:
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean {close[0]!r}?" if close else f"there are {', '.join(map(repr, known))}"
    return Problem(f"{text} {name!r}; {hint}")
