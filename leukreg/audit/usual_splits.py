"""Which of the usual splits of its data set can print a table that states no test size.

Nothing is concluded of the smallest test that prints a table: nobody says that it was so small. But
papers hold out a tenth to three tenths of their images, or use a side that was published with the
set; and of each of these sizes it can be decided whether some test of it prints all figures. A
stratified test moreover holds each class's share, which must print that class's row.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Literal

from leukreg.audit.cp_sat import Purse
from leukreg.audit.dataset_register import find_dataset
from leukreg.audit.examination import EFFORT, examine
from leukreg.audit.printed_figure import Printed
from leukreg.audit.readings import Figure
from leukreg.audit.reconstruct import BRIEFLY, puzzle_of, solve
from leukreg.audit.system import Puzzle

if TYPE_CHECKING:
    from leukreg.audit.published_table import Reported

PERCENTS = (10, 15, 20, 25, 30)
"""Of the images held out; five and ten folds are among them."""
ROW = ("recall", "precision", "f1")
MOST_TRIED = 20_000
"""Images of a class up to which every number of tested ones is tried."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsualSplit:
    """A test that the table may be of."""

    name: str
    """ "20 %", or the side of an official split."""
    sizes: tuple[int, ...]
    """Rows that such a test can have, by how classes are rounded."""
    prints: Literal["yes", "no", "undecided"]
    """Whether a test of such a size prints all figures."""
    too_small: tuple[tuple[str, int, int], ...] = ()
    """Classes whose share in a stratified test does not print their row: class, largest share, the
    fewest images that print it (0: none up to all of the class)."""


def usual_splits(reported: Reported) -> tuple[UsualSplit, ...]:
    """Each usual split of the data set, as its counts are stated or stand in the register.

    Empty where the test's size is stated or no size of the set is known, and where the figures are
    means over tests, contradict each other or belong in other columns.
    """
    examined, puzzle = examine(reported), puzzle_of(reported)
    reading = examined.reading
    if isinstance(puzzle, str) or puzzle.rows is not None or puzzle.supports:
        return ()
    if reading is None or reading.slip or examined.tests != 1:
        return ()
    puzzle = puzzle.loosened() if "truncated" in reading.name else puzzle
    return tuple(_decided(reported, puzzle))


def _decided(reported: Reported, puzzle: Puzzle) -> Iterator[UsualSplit]:
    purse, counts = Purse(EFFORT / 4), set_counts(reported)
    for name, sizes, supports in _tests(reported, counts):
        answers = (
            solve(replace(puzzle, rows=n, supports=supports), 1, BRIEFLY, purse).status
            for n in sizes
        )
        prints: Literal["yes", "no", "undecided"] = "no"
        for status in answers:
            if status == "fits":
                prints = "yes"
                break
            prints = "undecided" if status == "undecided" else prints
        small = () if supports or not name.endswith("%") else _too_small(puzzle, counts, name)
        yield UsualSplit(name=name, sizes=sizes, prints=prints, too_small=small)


def _tests(
    reported: Reported, counts: Mapping[str, int]
) -> Iterator[tuple[str, tuple[int, ...], tuple[tuple[str, int], ...]]]:
    """Name, sizes, and supports where they are known."""
    dataset = find_dataset(reported.dataset) if reported.dataset else None
    for side, n, held in dataset.split if dataset else ():
        if side != "train":
            own = counts_of(held, reported.classes)
            whole = len(own) == len(reported.classes)
            yield f"its side {side}", (n,), tuple(own.items()) if whole else ()
    total = reported.count("images") or sum(counts.values())
    total = total or ((dataset.images or 0) if dataset else 0)
    for percent in PERCENTS if total else ():
        share = Fraction(percent, 100)
        parts = [share * n for n in counts.values()]
        sizes = {math.floor(share * total), math.ceil(share * total)}
        sizes |= {sum(map(end, parts)) for end in (math.floor, math.ceil, round) if parts}
        yield f"{percent} %", tuple(sorted(sizes - {0})), ()


def set_counts(reported: Reported) -> dict[str, int]:
    """Images of each class in the data set, stated or else by the register; empty where those of a
    class are not known."""
    dataset = find_dataset(reported.dataset) if reported.dataset else None
    for known in (reported.tally("class_counts").items(), dataset.classes if dataset else ()):
        counts = counts_of(known, reported.classes)
        if reported.classes and len(counts) == len(reported.classes):
            return counts
    return {}


def counts_of(counts: Iterable[tuple[str, int]], classes: Iterable[str]) -> dict[str, int]:
    """Images of these classes, by the names that differ in capitals at most."""
    known = {label.lower(): n for label, n in counts}
    return {label: known[label.lower()] for label in classes if label.lower() in known}


def _too_small(
    puzzle: Puzzle, counts: Mapping[str, int], name: str
) -> tuple[tuple[str, int, int], ...]:
    share, found = Fraction(int(name.split()[0]), 100), []
    for label, n in counts.items():
        row = row_of(puzzle.figures, label)
        most = math.ceil(share * n)
        if "recall" not in row or n > MOST_TRIED:
            continue
        if not any(row_prints(row, s) for s in range(max(1, math.floor(share * n)), most + 1)):
            found.append((label, most, fewest_images(row, n)))
    return tuple(found)


Row = Mapping[str, Printed]
"""Recall, and where they are printed precision and F1, of one class."""


def row_of(figures: Iterable[Figure], label: str) -> Row:
    return {
        name: value
        for owner, name, value in figures
        if owner == label and name in ROW and not value.undefined
    }


def fewest_images(row: Row, most: int) -> int:
    """The fewest images of a class, up to ``most``, that print its row; 0 where none do."""
    return next((s for s in range(1, most + 1) if row_prints(row, s)), 0)


def row_prints(row: Row, s: int) -> bool:
    """Whether some whole numbers print the row, with ``s`` images of the class tested."""
    low, high = row["recall"].low, row["recall"].high
    for t in range(-int(-low * s // 1), min(s, int(high * s)) + 1):
        if t == 0:  # then precision may be 0/0, which is printed as anything
            return True
        least, most = t, 10**9
        if p := row.get("precision"):
            least = max(t, -int(-t / p.high // 1))
            most = int(t / p.low) if p.low > 0 else most
        if f := row.get("f1"):
            least = max(least, -int(-(2 * t / f.high - s) // 1))
            most = min(most, int(2 * t / f.low - s) if f.low > 0 else most)
        if least <= most:
            return True
    return False
