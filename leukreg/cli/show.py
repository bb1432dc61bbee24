"""``leukreg show RUN``: the report of a run."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("show")
@click.argument("run")
@click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("runs"),
    show_default=True,
    help="The folder that holds the runs.",
)
def command(run: str, root: Path) -> None:
    """Show the report of a run.

    RUN is a run's folder, its name, a unique beginning of its name, or "last".
    """
    from rich.console import Console

    from leukreg.registry import installed
    from leukreg.report.console import show
    from leukreg.runs.find import find
    from leukreg.runs.reading import read

    show(read(find(run, root)), Console(), installed())
