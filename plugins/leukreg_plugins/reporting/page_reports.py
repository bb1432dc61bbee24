"""Sections for the page only: data, curves, calibration, pictures, and what a run was made with."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from leukreg import RunRecord, Section, plugin


@plugin("page-data")
class PageData:
    """What data the run had, counted and in pictures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import page_data

        tables = (page_data.counts_table(result), page_data.folds_table(result))
        yield Section(
            title="Data",
            text=page_data.lines(result),
            tables=tuple(table for table in tables if table.rows),
            figure=partial(page_data.counts_figure, result),
            caption="Images of each class, by origin; hatched where they are not real.",
            order=10,
            console=False,
        )
        yield Section(
            title="Sample images",
            pictures=page_data.sample_pictures(result),
            order=11,
            console=False,
        )


@plugin("page-curves")
class PageCurves:
    """ROC and precision-recall curves with bands and the chosen threshold."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import page_bands, page_curves, page_words

        classes = page_curves.chosen(result)
        if not classes:
            return
        how = page_bands.says(result)
        text: tuple[str, ...] = (how,) if how else ()
        if len(classes) > 1:
            text += page_words.left_out(result, len(classes), "Each class against the rest;")
        else:
            text += (page_curves.threshold(result),)
        with_bands = ", with 95 % bands" if how else ""
        for order, name, title, dotted in (
            (32, "auc", "ROC", "chance"),
            (33, "average_precision", "Precision and recall", "the class's share of the images"),
        ):
            yield Section(
                title=title,
                text=text,
                figure=partial(page_curves.figure, result, name),
                caption=f"{title}{with_bands}. The dotted line is {dotted}.",
                order=order,
                console=False,
            )


@plugin("page-confusion")
class PageConfusion:
    """The whole confusion matrix by name, where the console has to shorten it."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import figures, page_scores

        if figures.confusion(result).columns[1:] != result.predictions.classes:
            table = page_scores.matrix(result)
            yield Section(title="Confusion by name", tables=(table,), order=31, console=False)


@plugin("page-calibration")
class PageCalibration:
    """The reliability diagram: is an answer of .8 right in 8 of 10 images?"""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import page_trust

        if len(result.predictions) == 0:
            return
        yield Section(
            title="Reliability",
            tables=(page_trust.reliability_table(result),),
            figure=partial(page_trust.reliability_figure, result),
            caption="Share of right answers among images of like confidence, with 95 % intervals; "
            "on the dotted line, confidence is what it says. Below, how many images each bin has.",
            order=36,
            console=False,
        )


@plugin("page-rejection")
class PageRejection:
    """Accuracy of what is left when the most uncertain images are rejected."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import page_trust

        if len(result.predictions) == 0:
            return
        yield Section(
            title="Accuracy and rejection",
            tables=(page_trust.rejection_table(result),),
            figure=partial(page_trust.rejection_figure, result),
            caption="Accuracy of the images that are kept when the most uncertain ones (by "
            "predictive entropy) are left to a person, with a 95 % band.",
            order=38,
            console=False,
        )


@plugin("page-pictures")
class PagePictures:
    """The surest mistakes and the least certain answers, as pictures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import page_pictures

        wrong = page_pictures.mistakes(result)
        shown = wrong[: page_pictures.MOST]
        said = "images were answered wrongly; shown are those with the most confidence."
        text = f"{len(wrong):,} {said}"
        yield Section(
            title="The surest mistakes",
            text=(text if wrong else "No image was answered wrongly.",),
            pictures=page_pictures.pictures(result, shown),
            order=62,
            console=False,
        )
        doubtful = page_pictures.uncertain(result)[: page_pictures.MOST]
        yield Section(
            title="The least certain answers",
            text=("The images of the highest predictive entropy.",),
            pictures=page_pictures.pictures(result, doubtful),
            order=64,
            console=False,
        )


@plugin("page-synthetic")
class PageSynthetic:
    """Synthetic cells beside given ones, as pictures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import page_synthetic

        if page_synthetic.made(result):
            yield Section(
                title="Synthetic cells beside given ones",
                text=page_synthetic.lines(result),
                pictures=page_synthetic.pictures(result),
                order=72,
                console=False,
            )


@plugin("page-record")
class PageRecord:
    """What the run was made with: recipe, environment, digests."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        from leukreg_plugins.reporting import page_record

        found = (
            page_record.digests(result),
            page_record.recipe(result),
            page_record.environment(result),
        )
        tables = tuple(table for table in found if table is not None and table.rows)
        yield Section(title="Made with", tables=tables, order=98, console=False)


PAGE: list[type] = [
    PageData,
    PageConfusion,
    PageCurves,
    PageCalibration,
    PageRejection,
    PagePictures,
    PageSynthetic,
    PageRecord,
]
