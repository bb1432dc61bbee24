"""``leukreg compare RUN RUN ...``: runs side by side."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("compare")
@click.argument("runs", nargs=-1, required=True)
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder that holds the runs.",
)
def command(runs: tuple[str, ...], root: Path) -> None:
    """Put runs side by side, published figures beside them, and say what differs.

    RUN is a run's folder, its name, a unique beginning of its name, or "last".
    """
    from rich.console import Console

    from leukreg.report.compare import comparison
    from leukreg.report.console import render
    from leukreg.runs.find import find
    from leukreg.runs.reading import read

    if len(runs) < 2:
        raise click.UsageError("name at least two runs to compare")
    results = [read(find(run, root)) for run in runs]
    console = Console()
    for section in comparison(results):
        render(section, console)
