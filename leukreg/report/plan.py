"""What a recipe will do, as tables: images per class and side, phases and what they train."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg.data.listing import alike
from leukreg.progress import SILENT, Progress
from leukreg.report.survey_tables import SHOWN, passed_table
from leukreg.types import Fold, Labels, Samples, Table

if TYPE_CHECKING:
    from leukreg.data.image_store import ImageStore
    from leukreg.engine.unfreeze import PhasePlan
    from leukreg.recipe import Recipe
    from leukreg.record import Dropped


_SIDES = ("train", "validation", "test")


def plan_tables(recipe: Recipe, progress: Progress = SILENT) -> tuple[Table, ...]:
    """The plan of a settled recipe. Reads every image and trains nothing.

    One small batch of noise goes through all that training calls (see
    :func:`leukreg.engine.rehearsal.rehearse`).

    Raises:
        LeukregError: The data or the model do not allow what the recipe asks for.
    """
    from leukreg.engine.rehearsal import rehearse
    from leukreg.prepare import beside_of, list_samples, open_rows
    from leukreg.recipe import check_task

    samples = list_samples(recipe, progress)
    check_task(recipe, samples)
    labels, beside = _labels(recipe, samples.classes), beside_of(recipe, samples)
    # Before the images are read: this takes seconds.
    phases = phase_table(rehearse(recipe, labels, samples))
    images, dropped = open_rows(recipe, samples, progress)
    rows = image_table(recipe, images, progress)
    rows = replace(rows, caption="; ".join([rows.caption, *beside.assumed]))
    passed = passed_table((*samples.passed, *beside.passed))
    scoring = scoring_table(recipe, samples.classes)
    return rows, passed, dropped_table(dropped), _alike(samples.classes), phases, scoring


def dropped_table(dropped: Sequence[Dropped]) -> Table:
    """The copies that are left out, and what is kept in their stead."""
    rows = [(one.id, one.kept or "none: the copies' labels disagree") for one in dropped[:SHOWN]]
    more = len(dropped) - len(rows)
    caption = f"{len(dropped):,} copies left out" if dropped else ""
    caption += f", {more:,} more than are shown" if more else ""
    return Table(columns=("left out", "kept"), rows=tuple(rows), caption=caption)


def _alike(classes: Sequence[str]) -> Table:
    """Classes that a reader would take for one."""
    rows = tuple((", ".join(map(repr, names)),) for names in alike(classes))
    caption = "if they are one class, merge them with data.classes" if rows else ""
    head = "warning: classes that differ only in case, spaces, hyphens or Unicode form"
    return Table(columns=(head,), rows=rows, caption=caption)


def scoring_table(recipe: Recipe, classes: tuple[str, ...]) -> Table:
    """How answers and figures come about, choices that the recipe leaves open among them."""
    from leukreg.evaluate.choices import choices

    return Table(columns=("scoring", "how"), rows=choices(recipe.resolved, classes))


def image_table(recipe: Recipe, images: ImageStore, progress: Progress = SILENT) -> Table:
    """Rows per class and side of every fold, synthetic ones counted in and named."""
    from leukreg.data.decode import readings
    from leukreg.data.folds import make_folds
    from leukreg.evaluate.feasibility import refuse_too_few

    with tempfile.TemporaryDirectory(prefix="leukreg-check-") as folder:
        images, uncounted = _before_split(recipe, images, Path(folder), progress)
        absent = recipe.synthesis.classes if recipe.synthesis else ()
        folds = make_folds(images, recipe.data.folds, recipe.seed, absent)
    _check_synthesis(recipe, images, folds, progress)
    refuse_too_few(recipe, images, folds)
    classes = images.samples.classes
    rows = [("all rows", *_counts(images.samples, range(len(images.samples))))]
    for fold in folds:
        rows += [_side(recipe, images.samples, fold, side, len(folds)) for side in _SIDES]
    caption = f"{len(images.samples)} rows of {recipe.image.size} px"
    broken = len(images.samples.broken)
    caption += f"; {broken} broken files skipped" if broken else ""
    if uncounted:
        caption += f"; {uncounted:,} synthetic rows, made before the split, will stand among them"
    caption += "".join(f"; {how}" for how in images.samples.assumed)
    caption += "".join(f"; {reading}" for reading in readings(images.facts.values()))
    return Table(columns=("images", *classes), rows=tuple(rows), caption=caption)


def _check_synthesis(
    recipe: Recipe, images: ImageStore, folds: Sequence[Fold], progress: Progress
) -> None:
    if recipe.synthesis is None or recipe.synthesis.place != "training-fold":
        return
    from leukreg.synthesis import check_folds

    check_folds(images, folds, recipe.synthesis, recipe.image, recipe.seed, progress)


def _before_split(
    recipe: Recipe, images: ImageStore, folder: Path, progress: Progress
) -> tuple[ImageStore, int]:
    """The rows that are split; and how many synthetic ones are missing, as they take long to make.

    A plan counts and does not judge.
    """
    spec = recipe.synthesis
    if spec is None or spec.place != "before-split":
        return images, 0
    from leukreg.data.near_duplicates import searched
    from leukreg.synthesis import before_split, check_everything

    if check_everything(images, spec, recipe.image, recipe.seed, progress):
        return images, sum(spec.count(name) for name in spec.classes)
    spec = replace(spec, gate=None)
    images = before_split(images, spec, recipe.image, recipe.seed, folder, progress).images
    return searched(images, progress), 0


def _side(recipe: Recipe, samples: Samples, fold: Fold, side: str, folds: int) -> tuple[str, ...]:
    rows: tuple[int, ...] = getattr(fold, side)
    cells = list(_counts(samples, rows))
    synthesis = recipe.synthesis
    if synthesis is not None and synthesis.place == "training-fold" and side == "train":
        for name in synthesis.classes:
            at = samples.classes.index(name)
            cells[at] = f"{cells[at]} + {synthesis.count(name):,} synthetic"
    return (f"fold {fold.index + 1} {side}" if folds > 1 else side, *cells)


def _counts(samples: Samples, rows: range | tuple[int, ...]) -> tuple[str, ...]:
    every = dict.fromkeys(samples.classes, 0)
    made = dict.fromkeys(samples.classes, 0)
    for row in rows:
        sample = samples.rows[row]
        every[sample.label] += 1
        made[sample.label] += sample.origin == "synthetic"
    return tuple(
        f"{count:,} ({made[name]:,} synthetic)" if made[name] else f"{count:,}"
        for name, count in every.items()
    )


def phase_table(phases: Sequence[PhasePlan]) -> Table:
    """Epochs, learning rate and trainable parameters of every phase."""
    rows = [
        (
            phase.name,
            f"{phase.epochs:,}",
            "-" if phase.lr is None else f"{phase.lr:g}",
            f"{phase.trainable:,} of {phase.total:,}",
            _unfrozen(phase.unfrozen),
        )
        for phase in phases
    ]
    columns = ("phase", "epochs", "learning rate", "trainable parameters", "backbone layers")
    return Table(columns=columns, rows=tuple(rows))


def _unfrozen(names: tuple[str, ...]) -> str:
    if len(names) < 2:
        return "".join(names) or "none: frozen"
    return f"{len(names)}: {names[0]} to {names[-1]}"


def _labels(recipe: Recipe, classes: tuple[str, ...]) -> Labels:
    from leukreg.positive import positive_of

    found = positive_of(classes, recipe.evaluate.positive)
    positive = found.name if found else None
    return Labels(names=classes, counts=(0,) * len(classes), positive=positive)
