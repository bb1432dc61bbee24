"""``leukreg run``."""

from __future__ import annotations

import os
from pathlib import Path

import click

from leukreg.cli.arguments import recipe_keys, runs_folder
from leukreg.cli.commands import require_whole
from leukreg.cli.output import FINDINGS, GOOD, say


@click.command("run")
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@recipe_keys
@click.option(
    "--strict",
    is_flag=True,
    help="Take no fallback and no broken plugin; exit 1 on an audit error.",
)
@click.option("--resume", metavar="RUN", help="Go on with a run: its path, name or 'last'.")
@runs_folder
def command(
    recipe: Path | None, overrides: tuple[str, ...], strict: bool, resume: str | None, root: Path
) -> int:
    """Run RECIPE and report on it, or go on with a run that was stopped.

    Every mistake in the recipe is shown before any work starts. A run that was killed goes on with
    --resume, to the same figures as without the kill.
    """
    from leukreg.audit.rules import has_errors
    from leukreg.errors import WriteError
    from leukreg.experiment import run
    from leukreg.registry import installed
    from leukreg.registry.plugin_call import traced
    from leukreg.report.console import RichProgress, open_console, show
    from leukreg.runs.folder import TRACEBACK

    # Waiting threads that spin make training several times slower beside any other busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if (recipe is None) == (resume is None):
        raise click.UsageError("give either a RECIPE or --resume RUN")
    if strict:
        require_whole()
    if resume is not None and overrides:
        raise click.UsageError("a resumed run keeps its recipe; --set does not go with it")
    console = open_console()
    try:
        with RichProgress(console) as progress:
            result = run(
                recipe,
                resume=resume,
                runs=root,
                overrides=overrides,
                strict=strict,
                progress=progress,
            )
    except (KeyboardInterrupt, WriteError) as error:
        say("\n".join(getattr(error, "__notes__", ())), err=True)
        raise
    with traced(result.folder / TRACEBACK):
        show(result, console, installed())
    if (result.folder / TRACEBACK).exists():
        path = result.folder / TRACEBACK
        say(f"Plugins failed; their tracebacks are in\n  {path}", err=True)
    return FINDINGS if strict and has_errors(result.findings) else GOOD
