"""What a recipe will do, as tables: images per class and side, phases and what they train."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from leukreg.data.listing import alike
from leukreg.prepare import beside_of, labels_of, list_samples, open_rows
from leukreg.progress import SILENT, Progress
from leukreg.recipe import Recipe, check_task
from leukreg.report.survey_tables import SHOWN, passed_table
from leukreg.types import Fold, Role, Samples, Table

if TYPE_CHECKING:
    from leukreg.data.image_store import ImageStore
    from leukreg.engine.unfreeze import PhasePlan
    from leukreg.record import Dropped


def plan_tables(recipe: Recipe, progress: Progress = SILENT) -> tuple[Table, ...]:
    """The plan of a settled recipe. Reads every image and trains nothing.

    One small batch of noise goes through all that training calls (see
    :func:`leukreg.engine.rehearsal.rehearse`).

    Raises:
        LeukregError: The data or the model do not allow what the recipe asks for.
    """
    from leukreg.engine.rehearsal import rehearse
    from leukreg.evaluate.choices import choices

    samples = list_samples(recipe, progress)
    check_task(recipe, samples)
    beside = beside_of(recipe, samples)
    # Before the images are read: this takes seconds.
    phases = rehearse(recipe, labels_of(recipe, samples, ()), samples)
    images, dropped = open_rows(recipe, samples, progress)
    rows = _image_table(recipe, images, progress)
    like = tuple((", ".join(map(repr, names)),) for names in alike(samples.classes))
    return (
        replace(rows, caption="; ".join([rows.caption, *beside.assumed])),
        passed_table((*samples.passed, *beside.passed)),
        _dropped_table(dropped),
        Table(
            columns=("warning: classes that differ only in case, spaces, hyphens or Unicode form",),
            rows=like,
            caption="if they are one class, merge them with data.classes",
        ),
        _phase_table(phases),
        Table(columns=("scoring", "how"), rows=choices(recipe.resolved, samples.classes)),
    )


def _dropped_table(dropped: Sequence[Dropped]) -> Table:
    """The copies that are left out, and what is kept in their stead."""
    rows = [(one.id, one.kept or "none: the copies' labels disagree") for one in dropped[:SHOWN]]
    more = len(dropped) - len(rows)
    caption = f"{len(dropped):,} copies left out" if dropped else ""
    caption += f", {more:,} more than are shown" if more else ""
    return Table(columns=("left out", "kept"), rows=tuple(rows), caption=caption)


def _image_table(recipe: Recipe, images: ImageStore, progress: Progress) -> Table:
    """Rows per class and side of every fold, synthetic ones counted in and named."""
    from leukreg.data.decode import readings
    from leukreg.data.folds import make_folds
    from leukreg.evaluate.feasibility import refuse_too_few
    from leukreg.synthesis.leakage import check

    spec = recipe.synthesis
    with tempfile.TemporaryDirectory(prefix="leukreg-check-") as folder:
        images, uncounted = _before_split(recipe, images, Path(folder), progress)
        folds = make_folds(images, recipe.data.folds, recipe.seed, spec.classes if spec else ())
    check(recipe, images, folds, progress)
    refuse_too_few(recipe, images, folds)
    samples = images.samples
    caption = f"{len(samples)} rows of {recipe.image.size} px"
    caption += f"; {len(samples.broken)} broken files skipped" if samples.broken else ""
    if uncounted:
        caption += f"; {uncounted:,} synthetic rows, made before the split, will stand among them"
    caption += "".join(f"; {how}" for how in samples.assumed)
    caption += "".join(f"; {reading}" for reading in readings(images.facts.values()))
    rows = (("all rows", *_counts(samples, range(len(samples)))), *_sides(recipe, samples, folds))
    return Table(columns=("images", *samples.classes), rows=rows, caption=caption)


def _before_split(
    recipe: Recipe, images: ImageStore, folder: Path, progress: Progress
) -> tuple[ImageStore, int]:
    """The rows that are split; and how many synthetic ones are missing, as they take long to make.

    A plan counts and does not judge.
    """
    from leukreg.data.near_duplicates import searched
    from leukreg.synthesis.leakage import check
    from leukreg.synthesis.make import synthesize

    spec = recipe.synthesis
    if spec is None or spec.place != "before-split":
        return images, 0
    if check(recipe, images, None, progress):
        return images, sum(spec.count(name) for name in spec.classes)
    ungated = replace(recipe, synthesis=replace(spec, gate=None))
    return searched(synthesize(ungated, images, None, folder, progress).images, progress), 0


def _sides(recipe: Recipe, samples: Samples, folds: Sequence[Fold]) -> Iterator[tuple[str, ...]]:
    spec = recipe.synthesis
    for fold in folds:
        for side in get_args(Role):
            cells = list(_counts(samples, getattr(fold, side)))
            if spec is not None and spec.place == "training-fold" and side == "train":
                for name in spec.classes:
                    cells[samples.classes.index(name)] += f" + {spec.count(name):,} synthetic"
            yield (f"fold {fold.index + 1} {side}" if len(folds) > 1 else side, *cells)


def _counts(samples: Samples, rows: Sequence[int]) -> tuple[str, ...]:
    """Rows of each class, synthetic ones named."""
    every = Counter(samples.rows[row].label for row in rows)
    made = Counter(samples.rows[r].label for r in rows if samples.rows[r].origin == "synthetic")
    return tuple(
        f"{every[name]:,}" + (f" ({made[name]:,} synthetic)" if made[name] else "")
        for name in samples.classes
    )


def _phase_table(phases: Sequence[PhasePlan]) -> Table:
    """Epochs, learning rate and trainable parameters of every phase."""
    rows = []
    for phase in phases:
        names = phase.unfrozen
        layers = f"{len(names)}: {names[0]} to {names[-1]}" if len(names) > 1 else "".join(names)
        rows.append(
            (
                phase.name,
                f"{phase.epochs:,}",
                "-" if phase.lr is None else f"{phase.lr:g}",
                f"{phase.trainable:,} of {phase.total:,}",
                layers or "none: frozen",
            )
        )
    columns = ("phase", "epochs", "learning rate", "trainable parameters", "backbone layers")
    return Table(columns=columns, rows=tuple(rows))
