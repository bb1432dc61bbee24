"""The data of a run: listed, opened, split, and counted by class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.choices import positive_of
from leukreg.errors import DataError, Problems
from leukreg.progress import SILENT, Progress
from leukreg.recipe.mistakes import dotted
from leukreg.recipe.schema import leaves
from leukreg.record import Dropped, Listing, RunRecord, Synthesis
from leukreg.registry.plugin_call import breach, call, taken
from leukreg.types import Labels, Samples

if TYPE_CHECKING:
    from leukreg.data.image_store import ImageStore
    from leukreg.recipe.model import Recipe
    from leukreg.registry.plugin_call import Choice


@dataclass(frozen=True, slots=True, eq=False)
class OpenedData:
    """What a source lists, opened, before anything is made or split: the same for many recipes."""

    samples: Samples
    """All rows that the source gave."""
    images: ImageStore
    dropped: tuple[Dropped, ...]
    """Copies that are left out."""


def open_data(recipe: Recipe, progress: Progress = SILENT) -> OpenedData:
    """List the samples and open their images."""
    from leukreg.recipe import check_task

    samples = list_samples(recipe, progress)
    check_task(recipe, samples)
    return OpenedData(samples, *open_rows(recipe, samples, progress))


def prepare(
    recipe: Recipe, synthetic: Path, progress: Progress = SILENT, data: OpenedData | None = None
) -> tuple[ImageStore, RunRecord]:
    """List, open and split the samples; synthetic ones first where the recipe says so.

    The record has what is known of the data. ``data`` are opened already.
    """
    from leukreg.synthesis.generator import listed
    from leukreg.synthesis.make import synthesize

    data = data or open_data(recipe, progress)
    beside = listed(recipe.synthesis, data.samples.classes)
    for how in beside.assumed:
        progress.say(how)
    placed = synthesize(recipe, data.images, None, synthetic, progress)
    images = searched_again(data.images, placed.images, progress)
    record = data_record(recipe, data.samples, images, data.dropped, beside)
    return images, replace(record, synthesis=Synthesis(fidelity=placed.figures))


def searched_again(
    before: ImageStore, images: ImageStore, progress: Progress = SILENT
) -> ImageStore:
    """The images with their near duplicates, where synthetic ones have joined those of before."""
    from leukreg.data.near_duplicates import searched

    return images if images is before else searched(images, progress)


def data_record(
    recipe: Recipe,
    listed: Samples,
    images: ImageStore,
    dropped: tuple[Dropped, ...],
    beside: Samples,
) -> RunRecord:
    """The record of data that are listed and opened: how they came about, and their split.

    Args:
        listed: All rows that the source gave.
        dropped: Copies that were left out.
        beside: What the generator lists besides (see
            :func:`leukreg.synthesis.generator.listed`).
    """
    from leukreg.data.decode import readings
    from leukreg.data.folds import make_folds
    from leukreg.data.near_duplicates import assumed_of_search

    spec = recipe.synthesis
    record = RunRecord(
        recipe=recipe.resolved,
        listing=Listing(
            listed=real_counts(images.samples),
            files_found=count_files(recipe.data.source, listed, images.samples, dropped),
            passed_over=images.samples.passed,
            passed_over_by_generator=beside.passed,
            assumed_of_list=(
                *images.samples.assumed,
                *beside.assumed,
                *assumed_of_search(0 if images.pairs is None else len({*images.digests.values()})),
            ),
            dropped=dropped,
            readings=readings(images.facts.values()),
        ),
        folds=make_folds(images, recipe.data.folds, recipe.seed, spec.classes if spec else ()),
    )
    return with_images(record, images)


def with_images(record: RunRecord, images: ImageStore) -> RunRecord:
    """The record with everything that the images say of themselves."""
    return replace(
        record,
        samples=images.samples,
        pixels=images.digests,
        statistics=images.statistics,
        near_duplicates=images.near_duplicates,
    )


def real_counts(samples: Samples) -> dict[str, int]:
    """Rows of each class that no generator made."""
    counts = Counter(row.label for row in samples.rows if row.lineage is None)
    return {label: counts[label] for label in samples.classes}


def open_rows(
    recipe: Recipe, samples: Samples, progress: Progress = SILENT
) -> tuple[ImageStore, tuple[Dropped, ...]]:
    """The images of the rows that a run takes, and the copies among them that it leaves out."""
    from leukreg.data.groups import drop_duplicates
    from leukreg.data.image_store import open_images
    from leukreg.data.near_duplicates import searched

    images = open_images(samples, recipe.read_image, recipe.data.broken, progress)
    images = searched(images, progress)
    if recipe.data.folds.duplicates == "drop":
        return drop_duplicates(images)
    return images, ()


def count_files(
    source: Choice, listed: Samples, opened: Samples, dropped: Sequence[Dropped] = ()
) -> dict[str, int]:
    """Image files of each class as the source counts them, less unreadable and dropped ones.

    Counting is apart from listing, so that a listing that loses files is seen to.
    """
    count = getattr(source.plugin, "count_files", None)
    if not callable(count):
        return {}
    broken = {image.path for image in opened.broken}
    unread = Counter(row.label for row in {r.id: r for r in listed.rows}.values()
                     if row.path in broken)  # fmt: skip
    gone = unread + Counter(one.label for one in dropped)
    return {label: int(n) - gone[label] for label, n in count().items()}


def list_samples(recipe: Recipe, progress: Progress = SILENT) -> Samples:
    """Ask the source plugin for its samples.

    Raises:
        Problems: They cannot be listed; it names the line of ``[data]`` that the reason is about.
        DataError: The same of a recipe that stands in no file.
        PluginError: The source failed with an error of its own, or its patients' labels contradict
            each other.
    """
    source = recipe.data.source
    build = source.plugin.build
    try:
        samples: Samples = call(source, build, **taken(build, progress=progress))
        if not samples.rows:
            from leukreg.data.walk import instead

            said = f"source {source.name!r} lists no images{instead(samples.passed)}"
            raise DataError(f"{said}; look at its options in [data]")
    except DataError as error:
        problem = recipe.problem(_about(recipe, str(error)), str(error))
        if problem.where is None:
            raise
        raise Problems([problem]) from None
    for fault in samples.patient_faults():
        raise breach(source, f": {fault}")
    for how in samples.assumed:
        progress.say(how)
    return samples


def _about(recipe: Recipe, message: str) -> str:
    """The key of ``[data]`` whose value stands in a message, the longest where several do."""
    found = [
        (len(value), dotted(path))
        for path, value in leaves(recipe.resolved["data"], ("data",))
        if isinstance(value, str) and value in message and dotted(path) in recipe.where
    ]
    return max(found, default=(0, "data"))[1]


def labels_of(recipe: Recipe, samples: Samples, rows: Sequence[int]) -> Labels:
    """The task's classes with the counts of ``rows``."""
    counts = dict.fromkeys(samples.classes, 0)
    for row in rows:
        counts[samples.rows[row].label] += 1
    names = samples.classes
    found = positive_of(names, recipe.evaluate.positive)
    positive = found.name if found else None
    return Labels(names=names, counts=tuple(counts.values()), positive=positive)
