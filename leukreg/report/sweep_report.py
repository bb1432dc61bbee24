"""What came of a sweep, as sections: figures of its variations, differences, what was chosen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leukreg.report.plot import STYLE
from leukreg.report.search_report import search_sections
from leukreg.report.sweep_tables import MOST, in_interval, seeds_of
from leukreg.section import Section, Table
from leukreg.sweep.sweep_results import Difference, SweepResults, VariationFigures
from leukreg.text import counted, rounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from leukreg.types import Figure as FigureSpec

TESTED = (
    "Differences on the same folds of the same seeds: corrected resampled t-test (Nadeau and "
    "Bengio, 2003), p adjusted over all of them (Holm, 1979); one stands where p is below 0.05."
)


def sweep_sections(results: SweepResults) -> tuple[Section, ...]:
    """Sections for the console and the page."""
    if results.record.search is not None:
        return search_sections(results)
    title = f"{results.figure.title}{' of patients' * results.of_patients}"
    text = [*_said(results)]
    text += [f"! No result: {text}" for text in results.unfinished[:MOST]]
    figures = Section(
        title=f"Sweep {results.record.name}",
        text=tuple(text),
        tables=(_variations(results, title),),
        figure=lambda: _drawn(results, title),
        caption=f"The {title} of each fold and seed, and their mean with its 95 % interval.",
    )
    if not results.differences:
        return (figures,)
    shown = sorted(results.differences, key=lambda one: (one.adjusted is None, one.adjusted or 0))
    more = f"and {len(shown) - MOST} more" if len(shown) > MOST else ""
    rows = tuple(_row(one) for one in shown[:MOST])
    columns = ("first", "second", "first less second", "95 % interval", "p (Holm)", "folds", "")
    table = Table(columns=columns, rows=rows, caption=more)
    return (figures, Section(title="Differences", text=(TESTED,), tables=(table,)))


def _said(results: SweepResults) -> Iterator[str]:
    """What follows from the figures, and what does not."""
    record, title = results.record, results.figure.title
    seeds = seeds_of(record)
    known = [one.mean for one in results.variations if one.mean]
    if len(results.variations) < 2 or not known:
        yield f"{counted(len(results.variations), 'variation')}, {seeds}"
        return
    winner = results.winner
    stand = sum(one.stands for one in results.differences)
    every = len(results.differences)
    if winner is not None:
        yield f"{winner} is ahead of every other variation ({title}, {seeds})."
    elif stand:
        yield f"{stand} of {counted(every, 'difference')} in {title} stand; none is best of all."
    else:
        yield f"No difference in {title} between variations stands ({seeds})."
    if max(one.count for one in known) < 2:
        yield (
            "! One fold of one seed: how much training itself varies is not known, so that no "
            "difference can stand; add seeds or folds."
        )
    if any(one.undefined for one in results.variations):
        yield f"! {title} is undefined in some folds, which are left out: a class has no row there."
    yield from _choice(results)


def _choice(results: SweepResults) -> Iterator[str]:
    chosen, nested = results.chosen, results.nested
    rows = results.record.choose
    if not chosen:
        yield f"Nothing is chosen: not every variation has a figure on {rows} rows."
    elif len(chosen) > 1:
        yield f"Nothing is chosen: {' and '.join(chosen)} are equal on {rows} rows."
    elif rows == "test":
        yield f"! Chosen by figures of test rows, which are too good then: {chosen[0]}."
    else:
        yield f"Chosen on validation rows: {chosen[0]}."
    if nested is not None and results.record.choose == "validation":
        yield (
            f"Chosen fold by fold on validation rows, the sweep as a whole comes to "
            f"{in_interval(nested, results.figure)} on test rows."
        )


def _variations(results: SweepResults, title: str) -> Table:
    columns = (
        "variation",
        "runs",
        title,
        "mean of folds",
        "folds",
        "validation",
    )
    rows = tuple(_figures(one, results.figure) for one in results.variations[:MOST])
    more = len(results.variations) - MOST
    caption = "first over all folds of a run (mean over seeds), then the mean over folds and seeds"
    caption += f"; {more} more variations" if more > 0 else ""
    return Table(columns=columns, rows=rows, caption=caption)


def _figures(one: VariationFigures, figure: FigureSpec) -> tuple[str, ...]:
    pooled = rounded(sum(one.pooled) / len(one.pooled)) if one.pooled else ""
    seen = "" if one.validation is None else rounded(one.validation)
    mean, folds = in_interval(one.mean, figure), str(len(one.folds) - one.undefined)
    return one.name, str(len(one.runs)), pooled, mean, folds, seen


def _row(one: Difference) -> tuple[str, ...]:
    mean = one.mean
    if mean is None:
        return one.first, one.second, "", "", "", "0", "not the same test rows"
    interval = ""
    if mean.low is not None and mean.high is not None:
        interval = f"{rounded(mean.low, signed=True)} to {rounded(mean.high, signed=True)}"
    p = "" if one.adjusted is None else rounded(one.adjusted)
    stands = "stands" if one.stands else "" if one.adjusted is not None else "not tested"
    value = rounded(mean.value, signed=True)
    return one.first, one.second, value, interval, p, str(mean.count), stands


def _drawn(results: SweepResults, title: str) -> Figure | None:
    from matplotlib.figure import Figure

    shown = [one for one in results.variations if one.mean][:MOST]
    if not shown:
        return None
    figure = Figure(figsize=(STYLE.width, 0.9 + 0.35 * len(shown)))
    axes = figure.subplots()
    for place, one in enumerate(shown):
        values = [fold.test for fold in one.folds.values() if fold.test is not None]
        axes.plot(values, [place] * len(values), marker="|", ls="", color=STYLE.faint)
        mean = one.mean
        assert mean is not None
        if mean.low is not None and mean.high is not None:
            axes.plot([mean.low, mean.high], [place, place], color=STYLE.colours[0], ls="-")
        axes.plot(mean.value, place, marker="o", ls="", color=STYLE.colours[0])
    axes.set_yticks(range(len(shown)), STYLE.names([one.name for one in shown]))
    axes.set_ylim(len(shown) - 0.5, -0.5)
    axes.set_xlabel(title)
    return figure
