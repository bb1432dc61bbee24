"""Options and arguments that several commands have, called the same in all, and what they mean."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.output import say
from leukreg.recipe import Recipe, load, take_fallbacks

if TYPE_CHECKING:
    from leukreg.predict.prediction_table import Predicted
    from leukreg.predict.trained_run import Trained

runs_folder = click.option(
    "--runs",
    "--root",
    "root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder that holds the runs.",
)

image_paths = click.argument(
    "paths", nargs=-1, required=True, metavar="PATH...", type=click.Path(path_type=Path)
)

out_folder = click.option(
    "--out",
    "folder",
    required=True,
    metavar="DIR",
    type=click.Path(path_type=Path),
    help="A new or empty folder.",
)

recipe_keys = click.option(
    "--set", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a key of the recipe."
)


def run_named(reference: str, root: Path, with_models: bool = False) -> Path:
    """The run that is meant (see :func:`leukreg.runs.run_list`), "last" by name.

    Raises:
        RunError: There is no such run, or several begin so.
    """
    from leukreg.runs.run_list import find, list_runs
    from leukreg.runs.status import is_checked

    path = find(reference, root, with_models)
    if reference == "last" and path.parent == root:
        names = [run.name for run in list_runs(root)]
        newer = names[names.index(path.name) + 1 :]
        more = f" (newer, but not taken: {', '.join(newer)})" if newer else ""
        say(f"last is {path.name}{more}", err=True)
    if not is_checked(path):
        say(f"{path.name} carries no checksums: damage to its files would go unnoticed", err=True)
    return path


def models_of(reference: str, root: Path) -> Trained:
    """The trained models of the run that is meant.

    Raises:
        RunError: There is no such run, or it has no models (any more).
    """
    run = run_named(reference, root, with_models=True)
    # Torch comes with it, seconds that nobody should wait for to be told of a wrong name.
    from leukreg.predict.trained_run import load

    return load(run)


def images_at(paths: Sequence[Path]) -> tuple[Path, ...]:
    """The images that the paths mean; what is passed over is said.

    Raises:
        LeukregError: A path is not there, or there is no image.
    """
    from leukreg.predict.inputs import find_images

    there = find_images(paths)
    for line in there.said():
        say(line, err=True)
    return there.files


def say_readings(found: Predicted) -> None:
    """What was chosen in reading the images, on the standard error."""
    for reading in found.readings:
        say(f"{'! ' * reading.doubtful}{reading}", err=True)


def settled(path: Path, overrides: Sequence[str]) -> Recipe:
    """A recipe with its fallbacks taken, each of which is said.

    Raises:
        LeukregError: Every mistake in it.
    """
    recipe, notices = take_fallbacks(load(path, overrides))
    for notice in notices:
        say(f"! Fallback {notice}: {notice.why}", err=True)
    return recipe
