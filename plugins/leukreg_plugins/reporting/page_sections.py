"""Sections that stand on the page alone: figures, pictures, and what a run was made with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

from leukreg import RunRecord, Section, Table, plugin

_ELSEWHERE = frozenset({"reported"})
"""Parts of a recipe that stand in a section of their own."""


def recipe(result: RunRecord) -> Table:
    """Every key of the recipe as it was run, defaults and overrides included."""
    kept = {key: value for key, value in result.recipe.items() if key not in _ELSEWHERE}
    return _table("Recipe", ("key", "value"), kept)


def environment(result: RunRecord) -> Table:
    """Python, libraries, machine, git."""
    return _table("Environment", ("what", "value"), asdict(result.environment))


def digests(result: RunRecord) -> Table | None:
    """Digests of data, weights and the scored rows; None where none was kept."""
    kept = {**asdict(result.digests), "scored rows": result.earlier.test_set}
    found = {name: value for name, value in kept.items() if value}
    return _table("Digests", ("of", "digest"), found) if found else None


def _table(name: str, columns: tuple[str, str], data: Mapping[str, Any]) -> Table:
    return Table(columns=columns, rows=tuple(_leaves(data)), caption=f"{name}.")


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        for place, inner in enumerate(value):
            yield from _leaves(inner, f"{key}.{place}")
    elif value is not None:
        yield key, _shown(value)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple | Mapping) and not value:
        return "none"
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


@plugin("page-data")
class PageData:
    """What data the run had, counted and in pictures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import class_counts

        tables = tuple(class_counts.tables(result))
        yield Section(
            title="Data",
            text=class_counts.lines(result),
            tables=tuple(table for table in tables if table.rows),
            figure=partial(class_counts.counts_figure, result),
            caption="Images of each class, by origin; hatched where they are not real.",
            order=10,
            console=False,
        )
        yield Section(
            title="Sample images",
            pictures=class_counts.sample_pictures(result),
            order=11,
            console=False,
        )


@plugin("page-curves")
class PageCurves:
    """ROC and precision-recall curves with bands and the chosen threshold."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import roc_curves
        from leukreg_plugins.reporting.format import left_out

        classes = roc_curves.chosen(result)
        if not classes:
            return
        how = roc_curves.says(result)
        text: tuple[str, ...] = (how,) if how else ()
        if len(classes) > 1:
            text += left_out(result, len(classes), "Each class against the rest;")
        else:
            text += (roc_curves.threshold(result),)
        with_bands = ", with 95 % bands" if how else ""
        for order, name, title, dotted in (
            (32, "auc", "ROC", "chance"),
            (33, "average_precision", "Precision and recall", "the class's share of the images"),
        ):
            yield Section(
                title=title,
                text=text,
                figure=partial(roc_curves.figure, result, name),
                caption=f"{title}{with_bands}. The dotted line is {dotted}.",
                order=order,
                console=False,
            )


@plugin("page-confusion")
class PageConfusion:
    """The whole confusion matrix by name, where the console has to shorten it."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import score_figures, score_tables

        if score_tables.confusion(result).columns[1:] != result.predictions.classes:
            table = score_figures.matrix(result)
            yield Section(title="Confusion by name", tables=(table,), order=31, console=False)


@plugin("page-calibration")
class PageCalibration:
    """The reliability diagram: is an answer of .8 right in 8 of 10 images?"""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import reliability

        if len(result.predictions) == 0:
            return
        yield Section(
            title="Reliability",
            tables=(reliability.reliability_table(result),),
            figure=partial(reliability.reliability_figure, result),
            caption="Share of right answers among images of like confidence, with 95 % intervals; "
            "on the dotted line, confidence is what it says. Below, how many images each bin has.",
            order=36,
            console=False,
        )


@plugin("page-rejection")
class PageRejection:
    """Accuracy of what is left when the most uncertain images are rejected."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import reliability

        if len(result.predictions) == 0:
            return
        yield Section(
            title="Accuracy and rejection",
            tables=(reliability.rejection_table(result),),
            figure=partial(reliability.rejection_figure, result),
            caption="Accuracy of the images that are kept when the most uncertain ones (by "
            "predictive entropy) are left to a person, with a 95 % band.",
            order=38,
            console=False,
        )


@plugin("page-pictures")
class PagePictures:
    """The surest mistakes and the least certain answers, as pictures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import class_counts

        wrong = class_counts.mistakes(result)
        shown = wrong[: class_counts.MOST]
        said = "images were answered wrongly; shown are those with the most confidence."
        text = f"{len(wrong):,} {said}"
        yield Section(
            title="The surest mistakes",
            text=(text if wrong else "No image was answered wrongly.",),
            pictures=class_counts.pictures(result, shown),
            order=62,
            console=False,
        )
        doubtful = class_counts.uncertain(result)[: class_counts.MOST]
        yield Section(
            title="The least certain answers",
            text=("The images of the highest predictive entropy.",),
            pictures=class_counts.pictures(result, doubtful),
            order=64,
            console=False,
        )


@plugin("page-synthetic")
class PageSynthetic:
    """Synthetic cells beside given ones, as pictures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import synthetic_images

        if synthetic_images.made(result):
            yield Section(
                title="Synthetic cells beside given ones",
                text=synthetic_images.made_lines(result),
                pictures=synthetic_images.pictures(result),
                order=72,
                console=False,
            )


@plugin("page-record")
class PageRecord:
    """What the run was made with: recipe, environment, digests."""

    def build(self, result: RunRecord) -> Iterable[Section]:

        found = (
            digests(result),
            recipe(result),
            environment(result),
        )
        tables = tuple(table for table in found if table is not None and table.rows)
        yield Section(title="Made with", tables=tables, order=98, console=False)
