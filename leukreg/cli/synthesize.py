"""``leukreg synthesize``: write images of a recipe's generator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import out_folder, recipe_keys, settled
from leukreg.cli.output import FINDINGS, GOOD, say
from leukreg.errors import LeukregError
from leukreg.output_folder import require_replaceable
from leukreg.prepare import list_samples, open_rows, prepare
from leukreg.recipe.model import Recipe, SynthesisSpec
from leukreg.report.console import RichProgress, open_console

if TYPE_CHECKING:
    from leukreg.progress import Progress
    from leukreg.synthesis.image_folder import SyntheticRows


@click.command("synthesize")
@click.argument("recipe", type=click.Path(path_type=Path))
@click.option("--class", "classes", multiple=True, metavar="CLASS",
              help="A class to make, may be repeated; by default those of the recipe.")  # fmt: skip
@click.option("-n", "count", type=click.IntRange(min=1),
              help="Images of each class; by default as many as the recipe makes.")  # fmt: skip
@out_folder
@click.option("--fold", type=click.IntRange(min=1), default=None,
              help="Fold whose training rows the generator learns from; 1 by default.")  # fmt: skip
@recipe_keys
@click.option("--no-gate", is_flag=True, help="Measure nothing; list all images.")
def command(
    recipe: Path,
    classes: tuple[str, ...],
    count: int | None,
    folder: Path,
    fold: int | None,
    overrides: tuple[str, ...],
    no_gate: bool,
) -> int:
    """Write images made by RECIPE's generator to DIR, with a table and a contact sheet.

    The generator is fitted on the training rows of one fold of the recipe, or taken from the cache
    where it was fitted on them before. DIR/table.csv is read by the source "table", beside rows of
    real images whose sides are those of that fold: with folds = { use = "given" }, since a new
    split would test what the generator learned from. The table lists what passes the recipe's
    gate; images that fail are written too, to be looked at, and the exit code is 1. There is no
    table where the gate's fails = "stop".
    """
    require_replaceable(folder)
    whole = settled(recipe, overrides)
    spec = _wanted(whole, classes, count, no_gate)
    with RichProgress(open_console(err=True)) as progress:
        made = _make(whole, spec, fold, folder, progress)
    return _tell(made, spec, folder)


def _wanted(
    recipe: Recipe, classes: Sequence[str], count: int | None, no_gate: bool
) -> SynthesisSpec:
    """The recipe's synthesis with what the command line says.

    Raises:
        LeukregError: The recipe makes nothing, or says no number for a class.
    """
    spec = recipe.synthesis
    if spec is None:
        raise LeukregError(f"{recipe.path or recipe.name} has no [synthesis]: nothing makes images")
    chosen = tuple(dict.fromkeys(classes)) or spec.classes
    if isinstance(spec.per_class, int):
        numbers = dict.fromkeys(chosen, count or spec.per_class)
    else:
        numbers = {label: count or spec.per_class.get(label, 0) for label in chosen}
    unsaid = [label for label, number in numbers.items() if not number]
    if unsaid:
        raise LeukregError(f"the recipe says no number for {', '.join(unsaid)}; say it with -n")
    gate = None if no_gate else spec.gate
    return replace(spec, classes=chosen, per_class=numbers, gate=gate)


def _make(
    recipe: Recipe, spec: SynthesisSpec, fold: int | None, folder: Path, progress: Progress
) -> SyntheticRows:
    from leukreg.synthesis.leakage import check
    from leukreg.synthesis.make import export

    wanted = replace(recipe, synthesis=spec)
    if spec.place == "before-split":
        if fold is not None:
            message = 'the generator learns from all rows (place = "before-split"), not from a fold'
            raise LeukregError(message)
        images, _ = open_rows(recipe, list_samples(recipe, progress), progress)
        return export(wanted, images, None, folder, progress)
    images, record = prepare(recipe, Path(), progress)
    index = (fold or 1) - 1
    if index >= len(record.folds):
        raise LeukregError(f"there is no fold {fold}; the last is {len(record.folds)}")
    chosen = record.folds[index]
    check(wanted, images, (chosen,), progress)
    return export(wanted, images, chosen, folder, progress)


def _tell(made: SyntheticRows, spec: SynthesisSpec, folder: Path) -> int:
    from leukreg.synthesis.gate import basis, in_words, named

    for table in made.figures:
        verdict = "pass" if table.passed else f"FAIL: {'; '.join(table.why)}"
        say(f"{named(table)} ({basis(table)}): {in_words(table)}: {verdict}")
        for note in table.notes:
            say(f"  {note}")
    if spec.gate is None:
        say("no gate: nothing was measured of these images")
    say(f"{len(made.rows):,} images are listed in {folder / 'table.csv'};"
               f" {folder / 'contact-sheet.png'} shows some")  # fmt: skip
    return GOOD if all(table.passed for table in made.figures) else FINDINGS
