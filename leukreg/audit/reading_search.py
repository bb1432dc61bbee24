"""The readings of a table, tried in order: the plain one, then every other honest one."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from leukreg.audit.conflict import told
from leukreg.audit.figures import AVERAGES, said
from leukreg.audit.readings import (
    Figure,
    Marginals,
    Way,
    found_way,
    quotient,
    ratio,
    unlabelled,
    values,
    whole,
)
from leukreg.audit.reconstruct import BRIEFLY, DECIDE, Reconstruction, figures_of, solve
from leukreg.audit.system import Puzzle

if TYPE_CHECKING:
    from leukreg.audit.cp_sat import Purse
    from leukreg.audit.published_table import Reported
    from leukreg.audit.reconstruct import Matrix

MOST_CUT = 3
"""So many truncated figures are named; more are "truncated figures"."""
LIKELY = 20_000
"""A reading in which only a larger test prints a table comes after those with a smaller one."""
COLUMNS = ("precision", "recall", "f1", "specificity")
"""Two of these may have been swapped."""
MIXED = "a mix, as no single reading fits: "
"""How figures are named that are of different kinds each."""


@dataclass(frozen=True, slots=True)
class FigureReading:
    """One way to read a table in which it can be true."""

    name: str
    """In words after "read as"; empty for the plain reading."""
    answer: Reconstruction
    slip: bool = False
    """Whether the table is labelled wrongly, if it is to be read so."""


def plainly(puzzle: Puzzle) -> Puzzle:
    """Figures of the whole as those of the positive class, where there are two."""
    return read_as(puzzle, puzzle.positive or "") if len(puzzle.classes) == 2 else puzzle


def read_as(puzzle: Puzzle, what: str) -> Puzzle:
    """The figures without a kind as those of a class, or as averages of a kind."""
    figures = tuple(
        (what, name, value)
        if unlabelled(label, name) and what in puzzle.classes
        else (label, f"{what}_{name}", value)
        if unlabelled(label, name) and what in AVERAGES
        else (label, name, value)
        for label, name, value in puzzle.figures
    )
    return replace(puzzle, figures=figures)


def of_test(
    puzzle: Puzzle, purse: Purse, only_plain: bool = False
) -> tuple[FigureReading | None, str]:
    """The first reading that fits, or why that is undecided; neither where none fits.

    A slip is none while a reading without it is undecided.

    Args:
        only_plain: Only those that take every figure as labelled and rounded.
    """
    second: FigureReading | None = None
    open_, loose = "", None
    for name, trial in _as_labelled(puzzle):
        answer = solve(trial, effort=DECIDE, purse=purse)
        reading = FigureReading(name, answer)
        likely = puzzle.rows is not None or (answer.rows or 0) <= LIKELY
        if answer.status == "fits" and likely and not answer.bounded:
            return _named(reading, puzzle), ""
        sure = second is not None and not (second.answer.bounded and not answer.bounded)
        second = reading if answer.status == "fits" and not sure else second
        open_ = open_ or answer.why
        if trial is not puzzle and not name:
            loose = solve(puzzle.loosened(), 1, BRIEFLY, purse)
            if loose.status == "impossible":
                open_ = ""
                break  # no reading of these labels fits
    if second is not None or only_plain or open_:
        return second and _named(second, puzzle), open_
    for reading in _as_slips(puzzle, purse, loose):
        if reading.answer.status == "fits":
            return reading, ""
        open_ = open_ or reading.answer.why
    return None, open_


def _as_labelled(puzzle: Puzzle) -> Iterator[tuple[str, Puzzle]]:
    """With the labels as they stand, all figures rounded."""
    if not any(unlabelled(label, name) for label, name, _ in puzzle.figures):
        yield "", puzzle
        return
    if len(puzzle.classes) == 2:
        yield "", plainly(puzzle)
        for other in puzzle.classes:
            if other != puzzle.positive:
                yield f"figures of {other}", read_as(puzzle, other)  # the positive one is another
    for kind in AVERAGES:
        yield f"{kind} averages", read_as(puzzle, kind)
    yield "?", puzzle


def _named(reading: FigureReading, puzzle: Puzzle) -> FigureReading:
    """Figures that are of different kinds are named after the first answer."""
    if reading.name != "?":
        return reading
    found = reading.answer.answers[0]
    return replace(reading, name=_ways_said(puzzle, found))


def _ways_said(puzzle: Puzzle, found: Marginals) -> str:
    """What the figures without a kind are by these counts: "weighted averages"; a mix of several
    only where no single kind prints them all."""
    loose = replace(puzzle, figures=tuple(f for f in puzzle.figures if unlabelled(f[0], f[1])))
    if not loose.figures:
        return ""
    for name, trial in _as_labelled(loose):
        if trial is not loose and all(
            found_way(one, trial.ways(one), puzzle.classes, found) for one in trial.figures
        ):
            return name
    ways = [(f[1], found_way(f, puzzle.ways(f), puzzle.classes, found)) for f in loose.figures]
    listed = [
        f"{said(name)} {'' if way.kind in ('of', 'but') else 'as '}{way.said()}"
        for name, way in ways
        if way is not None
    ]
    return f"{MIXED}{', '.join(listed)}"


def _as_slips(
    puzzle: Puzzle, purse: Purse, loose: Reconstruction | None
) -> Iterator[FigureReading]:
    """Figures cut off where they should be rounded, and columns that are swapped.

    Args:
        loose: What is known already of all figures cut off.
    """
    answer = loose
    if answer is None or answer.status == "undecided":
        answer = solve(puzzle.loosened(), 1, DECIDE, purse)
    if answer.status == "fits":
        yield _cut(puzzle, answer, purse)
    elif answer.status == "undecided":
        yield FigureReading("", answer)
    for name, trial in _swapped(puzzle):
        for one in (trial, trial.loosened()):
            answer = solve(one, 1, BRIEFLY, purse)
            if answer.status != "impossible":
                yield FigureReading(name, answer, slip=True)


def _cut(puzzle: Puzzle, answer: Reconstruction, purse: Purse) -> FigureReading:
    """With as few figures cut off as may be, one by one held to be rounded.

    Args:
        answer: What fits where every figure may be cut off: it stands where the purse is empty.
    """
    plain = puzzle
    for _, one in _as_labelled(puzzle):
        found = solve(one.loosened(), 1, BRIEFLY, purse)
        if found.status == "fits":
            plain, answer = one, found
            break
    figures = _rounded_by(answer, plain, plain.loosened().figures)
    needed = 0
    for i, figure in enumerate(plain.figures):
        if not figures[i][2].cut or needed > MOST_CUT:
            continue
        trial = replace(plain, figures=(*figures[:i], figure, *figures[i + 1 :]))
        found = solve(trial, 1, BRIEFLY, purse)
        if found.status == "fits" and not found.bounded:
            answer, figures = found, _rounded_by(found, plain, trial.figures)
        else:
            needed += 1
    listed = [told(puzzle.figures[i]) for i, one in enumerate(figures) if one[2].cut]
    found = solve(replace(plain, figures=figures), effort=BRIEFLY, purse=purse)
    answer = found if found.status == "fits" else answer
    also = _ways_said(replace(puzzle, figures=tuple(
        (a, b, one[2]) for (a, b, _), one in zip(puzzle.figures, figures, strict=True))),
        answer.answers[0])  # fmt: skip
    many = len(listed) > MOST_CUT
    which = "truncated figures" if many else f"truncated ({', '.join(listed)})"
    return FigureReading(f"{which}, {also}" if also else which, answer)


def _rounded_by(
    answer: Reconstruction, plain: Puzzle, figures: Sequence[Figure]
) -> tuple[Figure, ...]:
    """The figures, those held to be rounded that an answer prints so."""
    return tuple(
        rounded
        if one[2].cut and found_way(rounded, plain.ways(rounded), plain.classes, answer.answers[0])
        else one
        for rounded, one in zip(plain.figures, figures, strict=True)
    )


def _swapped(puzzle: Puzzle) -> Iterator[tuple[str, Puzzle]]:
    there = [name for name in COLUMNS if any(name == one for _, one, _ in puzzle.figures)]
    for a, b in itertools.combinations(there, 2):
        turn = {a: b, b: a}
        figures = tuple((label, turn.get(name, name), v) for label, name, v in puzzle.figures)
        yield f"{said(a)} and {said(b)} swapped", replace(puzzle, figures=figures)


def marginals_of(matrix: Matrix) -> Marginals:
    columns = [sum(column) for column in zip(*matrix, strict=True)]
    return tuple((sum(row), row[c], columns[c]) for c, row in enumerate(matrix))


def of_matrix(reported: Reported) -> tuple[FigureReading | None, tuple[str, ...]]:
    """The first reading in which a stated matrix prints the figures; or those that it does not."""
    rows = reported.confusion or ()
    figures, classes = figures_of(reported), reported.classes
    base = Puzzle(classes, None, (), figures, reported.positive)
    plain = marginals_of(rows)
    swaps = [("", base), *_swapped(base)]
    turned = marginals_of(tuple(zip(*rows, strict=True)))
    turning = "a matrix with predictions as rows"
    trials = [(plain, "", *swaps[0]), (turned, turning, *swaps[0])]
    trials += [(plain, "", *one) for one in swaps[1:]]
    for (found, turn, swap, puzzle), loose in itertools.product(trials, (False, True)):
        trial = puzzle.loosened() if loose else puzzle
        if all(found_way(f, trial.ways(f), classes, found) for f in trial.figures):
            cut = [told(f) for f in puzzle.figures
                   if not found_way(f, puzzle.ways(f), classes, found)]  # fmt: skip
            words = (turn, swap, f"truncated ({', '.join(cut)})" if cut else "",
                     _ways_said(trial, found))  # fmt: skip
            return FigureReading(_joined(words), _of(found), bool(turn or swap)), ()
    wrong = [f for f in figures if not found_way(f, base.ways(f), classes, plain)]
    return None, tuple(_differs(f, base.ways(f), classes, plain) for f in wrong)


def _joined(words: Sequence[str]) -> str:
    return ", ".join(word for word in words if word)


def _of(found: Marginals) -> Reconstruction:
    n = sum(s for s, _, _ in found)
    return Reconstruction(status="fits", rows=n, answers=(found,), complete=True)


def _differs(figure: Figure, ways: Sequence[Way], classes: Sequence[str], found: Marginals) -> str:
    n, digits = sum(s for s, _, _ in found), max(4, figure[2].digits)
    listed = []
    for way in ways[:4]:
        if way.kind == "of" or (way.kind == "whole" and way.name == "accuracy"):
            whole_ = way.kind == "whole"
            pair = whole(way.name, found, n) if whole_ else ratio(
                way.name, found[classes.index(way.label)], n)  # fmt: skip
            value = quotient(pair)
            text = f"{pair[0]:,}/{pair[1]:,}"
            of = f" ({way.said()})" if len(ways) > 1 else ""
        elif way.name in ("mcc", "g_mean") and way.kind == "whole":
            continue
        else:
            value, text = next(values(way, classes, found, n), None), ""
            of = f" ({way.said()})" if way.kind != "whole" else ""
        shown = "undefined" if value is None else (
            f"{100 * float(value):.2f} %" if way.name == "accuracy" else
            f"{float(value):.{digits}f}")  # fmt: skip
        listed.append(f"{text} = {shown}{of}" if text else f"{shown}{of}")
    is_ = f", {' or '.join(dict.fromkeys(listed))}" if listed else ""
    return f"{told(figure)} is not that of its own matrix{is_}"
