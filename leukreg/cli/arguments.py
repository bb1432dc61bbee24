"""Options and arguments that several commands have, so that they are called the same in all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.output import say

if TYPE_CHECKING:
    from leukreg.predict.prediction_table import Predicted

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

new_folder = click.option(
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
    """The run that is meant (see :func:`leukreg.runs.listing`), "last" by name.

    Raises:
        RunError: There is no such run, or several begin so.
    """
    from leukreg.runs.listing import find, list_runs
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


def say_readings(found: Predicted) -> None:
    """What was chosen in reading the images, on the standard error."""
    for reading in found.readings:
        say(f"{'! ' * reading.doubtful}{reading}", err=True)
