"""What came of a search, as sections: its trials on validation rows, what was chosen, its test.

Test figures of trials that were not chosen are not shown: whoever sees them chooses by them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from leukreg.report.plot import STYLE
from leukreg.report.sweep_tables import MOST, in_interval, seeds_of
from leukreg.section import Section, Table
from leukreg.sweep.sweep_results import SweepResults, VariationFigures
from leukreg.text import counted, rounded

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def search_sections(results: SweepResults) -> tuple[Section, ...]:
    """Sections for the console and the page, of the results of a search."""
    title = f"{results.figure.title}{' of patients' * results.of_patients}"
    known = _known(results)
    section = Section(
        title=f"Search {results.record.name}",
        text=tuple(_said(results)),
        tables=(_trials(results, known),) if results.variations else (),
        figure=(lambda: _drawn(results, title)) if known else None,
        caption=f"The {title} of each trial on validation rows, in the order in which they were "
        "proposed, and the best by then.",
    )
    return (section,)


def _known(results: SweepResults) -> dict[str, float]:
    """Figures on validation rows of the trials that went to their end."""
    found = {one.name: one.validation for one in results.candidates}
    return {name: value for name, value in found.items() if value is not None}


def _said(results: SweepResults) -> Iterator[str]:
    search, chosen = results.record.search, results.chosen
    assert search is not None
    stopped = [*results.standing.values()].count("stopped")
    cut = f", {stopped} stopped early by validation curve ({search.prune})" if stopped else ""
    yield (
        f"{search.proposed} of {counted(search.trials, 'trial')} proposed (seed {search.seed}), "
        f"{len(results.candidates)} went to their end{cut}; {seeds_of(results.record)}."
    )
    if untrained := search.proposed - len(results.variations):
        yield (
            f"{counted(untrained, 'trial')} drew what was tried before, or what no recipe comes "
            "of, and trained nothing."
        )
    if not chosen:
        yield "Nothing is chosen: no trial has a figure on validation rows."
        return
    best = next(one for one in results.variations if one.name == chosen[0])
    equal = f", the first of {len(chosen)} that are equal" if chosen[1:] else ""
    seen = "" if best.validation is None else rounded(best.validation)
    yield f"Chosen on validation rows: {best.name}, {seen} there{equal}."
    if best.mean is not None:
        tested = in_interval(best.mean, results.figure)
        yield f"On test rows its {results.figure.title} is {tested}, the mean of folds and seeds."
    if results.nested is not None and best.mean is not None and best.mean.count > 1:
        yield (
            "Chosen fold by fold, each by its own validation rows, the search as a whole comes to "
            f"{in_interval(results.nested, results.figure)} on test rows."
        )
        yield (
            "! Validation rows of one fold are test rows of another, and trials were proposed by "
            "those of all folds: figures on test rows may be too good. A holdout keeps them apart."
        )


def _trials(results: SweepResults, known: dict[str, float]) -> Table:
    sign = -1 if results.figure.higher_is_better else 1
    order = sorted(
        results.variations, key=lambda one: (one.name not in known, sign * known.get(one.name, 0.0))
    )
    rows = tuple(_row(one, known, results.standing.get(one.name, "")) for one in order[:MOST])
    more = f"; {len(order) - MOST} more" if len(order) > MOST else ""
    caption = f"{results.figure.title} on validation rows, mean over folds and seeds{more}"
    return Table(columns=("trial", "validation", "folds", "status"), rows=rows, caption=caption)


def _row(one: VariationFigures, known: dict[str, float], standing: str) -> tuple[str, ...]:
    value = rounded(known[one.name]) if one.name in known else ""
    return one.name, value, str(len(one.folds)), standing or "finished"


def _drawn(results: SweepResults, title: str) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    known, better = _known(results), max if results.figure.higher_is_better else min
    numbers = {run.variation: run.trial or 0 for run in results.record.runs}
    places, values = [numbers[name] for name in known], [*known.values()]
    best = [better(values[: n + 1]) for n in range(len(values))]
    figure = Figure(figsize=(STYLE.width, 2.6))
    axes = figure.subplots()
    axes.step(places, best, where="post", color=STYLE.colours[0])
    axes.plot(places, values, marker="o", ls="", color=STYLE.faint)
    axes.set_xlabel("trial")
    axes.set_ylabel(title)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    return figure
