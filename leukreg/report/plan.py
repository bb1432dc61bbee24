"""What a recipe will do, as tables: images per class and side, phases and what they train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, get_args

from leukreg.data.listing import alike
from leukreg.recipe import Recipe
from leukreg.report.survey_tables import SHOWN, passed_table
from leukreg.section import Table
from leukreg.types import Fold, Role, Samples

if TYPE_CHECKING:
    from leukreg.engine.unfreeze import PhasePlan
    from leukreg.experiment import Plan


def plan_tables(plan: Plan) -> tuple[Table, ...]:
    """What a recipe will do, as tables."""
    classes, listing = plan.record.samples.classes, plan.record.listing
    # The copies that are left out, and what is kept in their stead.
    none = "none: the copies' labels disagree"
    dropped = tuple((one.id, one.kept or none) for one in listing.dropped)
    left_out = f"{len(dropped):,} copies left out" if dropped else ""
    more = len(dropped) - SHOWN
    left_out += f", {more:,} more than are shown" if more > 0 else ""
    like = tuple((", ".join(map(repr, names)),) for names in alike(classes))
    return (
        _image_table(plan),
        passed_table((*listing.passed_over, *listing.passed_over_by_generator)),
        Table(columns=("left out", "kept"), rows=dropped[:SHOWN], caption=left_out),
        Table(
            columns=("warning: classes that differ only in case, spaces, hyphens or Unicode form",),
            rows=like,
            caption="if they are one class, merge them with data.classes",
        ),
        _phase_table(plan.phases),
        Table(columns=("scoring", "how"), rows=plan.record.choices),
    )


def _image_table(plan: Plan) -> Table:
    """Rows per class and side of every fold, synthetic ones counted in and named."""
    samples, listing = plan.record.samples, plan.record.listing
    caption = f"{len(samples)} rows of {plan.recipe.image.size} px"
    caption += f"; {len(samples.broken)} broken files skipped" if samples.broken else ""
    if plan.unmade:
        caption += f"; {plan.unmade:,} synthetic rows, made before the split, will stand among them"
    own, beside = samples.assumed, listing.assumed_of_list[len(samples.assumed) :]
    caption += "".join(f"; {how}" for how in (*own, *map(str, listing.readings), *beside))
    every = ("all rows", *_counts(samples, range(len(samples))))
    rows = (every, *_sides(plan.recipe, samples, plan.record.folds))
    return Table(columns=("images", *samples.classes), rows=rows, caption=caption)


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
                (layers or "none: frozen") + ("; by patients" if phase.bags else ""),
            )
        )
    columns = ("phase", "epochs", "learning rate", "trainable parameters", "backbone layers")
    return Table(columns=columns, rows=tuple(rows))
