"""``leukreg run``."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from leukreg.cli.arguments import recipe_keys, runs_folder
from leukreg.cli.commands import require_whole
from leukreg.cli.output import FINDINGS, GOOD, say

DEBUG = "--debug"


@click.command("run")
@click.argument("recipe", required=False, type=click.Path(path_type=Path))
@recipe_keys
@click.option(
    "--strict",
    is_flag=True,
    help="Take no fallback and no broken plugin; exit 1 on an audit error.",
)
@click.option("--resume", metavar="RUN", help="Go on with a run: its path, name or 'last'.")
@click.option(
    "--devices",
    type=click.IntRange(1),
    help="Train on so many GPUs, or in so many processes on the CPU; each takes a part of a batch.",
)
@runs_folder
def command(
    recipe: Path | None,
    overrides: tuple[str, ...],
    strict: bool,
    resume: str | None,
    devices: int | None,
    root: Path,
) -> int:
    """Run RECIPE and report on it, or go on with a run that was stopped.

    Every mistake in the recipe is shown before any work starts. A run that was killed goes on with
    --resume, to the same figures as without the kill, on as many devices as then are given.
    """
    from leukreg.engine import launcher

    if (recipe is None) == (resume is None):
        raise click.UsageError("give either a RECIPE or --resume RUN")
    if resume is not None and overrides:
        raise click.UsageError("a resumed run keeps its recipe; --set does not go with it")
    if launcher.asked() > 1 and devices not in (None, launcher.asked()):
        started = f"{launcher.asked()} processes were started (WORLD_SIZE)"
        raise click.UsageError(f"{started}, and --devices says {devices}: leave it out")
    if launcher.asked() == 1 and devices is not None and devices > 1:
        return launcher.launch(_words(recipe, overrides, strict, resume, root), devices)
    launcher.follow_parent()
    return _run(recipe, overrides, strict, resume, root)


def _words(
    recipe: Path | None, overrides: tuple[str, ...], strict: bool, resume: str | None, root: Path
) -> list[str]:
    """The command line of each of several processes."""
    debug = [DEBUG] if DEBUG in sys.argv else []
    words = ["run", "--runs", str(root), *(["--strict"] if strict else []), *debug]
    words += [word for pair in overrides for word in ("--set", pair)]
    return [*words, "--resume", resume] if resume is not None else [*words, "--", str(recipe)]


def _run(
    recipe: Path | None, overrides: tuple[str, ...], strict: bool, resume: str | None, root: Path
) -> int:
    from leukreg.audit.rules import has_errors
    from leukreg.engine import launcher
    from leukreg.errors import LostProcess, WriteError
    from leukreg.experiment import run
    from leukreg.registry import installed
    from leukreg.registry.plugin_call import traced
    from leukreg.report.console import RichProgress, open_console, show
    from leukreg.runs.folder import TRACEBACK

    # Waiting threads that spin make training several times slower beside any other busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if strict:
        require_whole()
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
    except (KeyboardInterrupt, LostProcess, WriteError) as error:
        if launcher.speaks():
            say("\n".join(getattr(error, "__notes__", ())), err=True)
        raise
    if not launcher.speaks():
        return GOOD
    with traced(result.folder / TRACEBACK):
        show(result, console, installed())
    if (result.folder / TRACEBACK).exists():
        path = result.folder / TRACEBACK
        say(f"Plugins failed; their tracebacks are in\n  {path}", err=True)
    return FINDINGS if strict and has_errors(result.findings) else GOOD
