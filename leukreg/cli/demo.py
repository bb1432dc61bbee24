"""``leukreg demo``: write rendered smears to a folder."""

from __future__ import annotations

from pathlib import Path

import click

from leukreg.cli.output import say
from leukreg.registry import installed
from leukreg.report.console import RichProgress, open_console


@click.command("demo")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--images",
    type=click.IntRange(min=1),
    help="Pictures in each of the four folders; by default 512 benign and 546 malignant ones.",
)
@click.option(
    "--size", type=click.IntRange(32, 1024), default=224, show_default=True, help="Pixels a side."
)
@click.option("--patients", type=click.IntRange(min=1), help="Patients over all folders.")
@click.option(
    "--duplicates",
    type=click.FloatRange(0, 0.9),
    default=0.0,
    show_default=True,
    help="Share of pictures that are near duplicates of another.",
)
@click.option(
    "--seed",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Another seed draws other patients and cells.",
)
def command(
    folder: Path, images: int | None, size: int, patients: int | None, duplicates: float, seed: int
) -> None:
    """Write rendered blood cells to DIR, which must be new or empty.

    The folders are named as in the public "Blood Cell Cancer [ALL]" set. The pictures show how
    leukreg works; they are not real cells.
    """
    options = {"size": size, "patients": patients, "duplicates": duplicates, "seed": seed}
    if images is not None:
        options["images"] = images
    source = installed().get("source", "demo").cls(**options)
    with RichProgress(open_console(err=True)) as progress:
        count = source.write(folder, progress=progress)
    say(f"{count} pictures written to {folder} ({source.notice_label}).")
