"""``leukreg fidelity``: how near synthetic images come to real ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from leukreg.cli.options import runs_folder

if TYPE_CHECKING:
    from leukreg.types import Role

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command("fidelity")
@click.argument("real")
@click.argument("fake")
@click.option(
    "--extractor",
    "name",
    default="cells",
    show_default=True,
    metavar="NAME[:PATH]",
    help="Features to compare in: cells, inception, run:RUN, ...",
)
@click.option(
    "--size",
    type=click.IntRange(min=8, max=1024),
    metavar="N",
    help="Pixels a side.  [default: the smaller side's own, 128 at most]",
)
@click.option("--training", metavar="IMAGES", help="Where copies are looked for.  [default: REAL]")
@click.option("--fold", type=click.IntRange(min=1), default=1, show_default=True, help="(runs)")
@click.option(
    "--rows",
    type=click.Choice(("train", "validation", "test")),
    default="train",
    show_default=True,
    help="Real rows of a run's fold.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Of halvings and draws.")
@click.option("--json", "json_file", type=_FILE, metavar="FILE", help="Write all figures there.")
@click.option("--sheet", type=_FILE, metavar="FILE", help="PNG: fakes above their nearest images.")
@click.option("--against", type=_FILE, metavar="FILE", help="JSON of a check to compare with.")
@runs_folder
def command(
    real: str,
    fake: str,
    name: str,
    size: int | None,
    training: str | None,
    fold: int,
    rows: str,
    seed: int,
    json_file: Path | None,
    sheet: Path | None,
    against: Path | None,
    root: Path,
) -> int:
    """Compare synthetic images FAKE with real ones REAL: how near they come, and what they copy.

    Each is a folder (of class folders, or of images), a table, or a run: its real rows, its
    synthetic ones. Figures stand beside their floor, the same between two halves of the real
    images. Exits with 1 when over 1 % of the fakes copy training images.
    """
    from leukreg.cli import checks, sides
    from leukreg.cli.measured import changes, sections, too_many_copies
    from leukreg.cli.pair import Pair
    from leukreg.report.console import open_console, render
    from leukreg.report.progress import RichProgress
    from leukreg.synthesis.extractor import open_extractor

    checks.refuse(json_file, checks.is_check)
    checks.refuse(sheet, checks.is_sheet)
    before = None if against is None else checks.read(against)
    wanted = sides.Wanted(root, fold - 1, cast("Role", rows))
    pair = Pair.of(real, fake, training, wanted)
    extractor = open_extractor(name)
    with RichProgress(open_console(err=True)) as progress:
        images = pair.opened(size, progress)
        found = images.measured(extractor, seed, progress)
    console = open_console()
    for index, section in enumerate(sections(found, images.heads())):
        render(section, console, titled=index > 0)
    if json_file is not None:
        checks.write(json_file, found, images, extractor.facts)
    if sheet is not None:
        checks.write_sheet(sheet, found, images)
    if before is not None:  # last: where the two do not go together, the figures are kept
        render(changes(before, found, str(against)), console)
    return 1 if too_many_copies(found.overall) else 0
