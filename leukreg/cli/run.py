"""``leukreg run``."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import recipe_keys, runs_folder
from leukreg.cli.commands import require_whole
from leukreg.cli.output import say

if TYPE_CHECKING:
    from rich.console import Console

    from leukreg.recipe.model import Recipe
    from leukreg.record import RunRecord
    from leukreg.runs import RunFolder
    from leukreg.types import Notice

FINDINGS = 1


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
    from leukreg.report.console import open_console

    # Waiting threads that spin make training several times slower beside any other busy process.
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if (recipe is None) == (resume is None):
        raise click.UsageError("give either a RECIPE or --resume RUN")
    if strict:
        require_whole()
    console = open_console()
    if resume is not None:
        if overrides:
            raise click.UsageError("a resumed run keeps its recipe; --set does not go with it")
        result = _resume(resume, root, console)
    else:
        assert recipe is not None
        result = _begin(recipe, overrides, strict, root, console)
    _show(result, console)
    _point_at_tracebacks(result.folder)
    errors = any(f.severity == "error" and f.waived is None for f in result.findings)
    return FINDINGS if strict and errors else 0


def _begin(
    path: Path, overrides: tuple[str, ...], strict: bool, root: Path, console: Console
) -> RunRecord:
    from leukreg.audit.published_table import reported_of
    from leukreg.recipe import load, take_fallbacks
    from leukreg.runs import RunFolder

    with console.status("Checking the recipe"):
        checked = load(path, overrides)
        reported_of(checked)
        recipe, notices = take_fallbacks(checked, strict)
        _check_plan(recipe)
    _announce(recipe, notices, console)
    with RunFolder.create(root, recipe, notices) as folder:
        return _carry_out(recipe, folder, notices, console)


def _resume(reference: str, root: Path, console: Console) -> RunRecord:
    from leukreg.recipe import rebuild
    from leukreg.report.console import print_line
    from leukreg.runs import RunFolder, find, read
    from leukreg.runs.codec import parse
    from leukreg.types import Notice

    path = find(reference, root, resume=True)
    with RunFolder.open(path) as folder:
        if folder.status().state == "finished":
            say(f"{path} is finished; there is nothing to resume.")
            return read(path)
        recipe = rebuild(folder.read_json("recipe.json"), path / "recipe.json")
        notices = parse(path / "notices.json", tuple[Notice, ...])
        _announce(recipe, notices, console)
        for text in folder.status().mended:
            print_line(console, f"! {text}", "bold yellow")
        return _carry_out(recipe, folder, notices, console)


def _check_plan(recipe: Recipe) -> None:
    """Build the model once, so that a phase that trains nothing new is refused now.

    The gate's extractor is opened too: without its weights nothing need begin.
    """
    from leukreg.engine.unfreeze import plan
    from leukreg.synthesis.gate import gate_extractor
    from leukreg.types import Labels

    plan(recipe, Labels(names=("a", "b"), counts=(1, 1)))
    gate_extractor(recipe.synthesis.gate if recipe.synthesis else None)


def _announce(recipe: Recipe, notices: tuple[Notice, ...], console: Console) -> None:
    from leukreg.report.console import print_line

    print_line(console, recipe.title or recipe.name, "bold")
    for notice in notices:
        print_line(console, f"! Fallback {notice}: {notice.why}", "bold yellow")


def _carry_out(
    recipe: Recipe, folder: RunFolder, notices: tuple[Notice, ...], console: Console
) -> RunRecord:
    from leukreg.errors import WriteError
    from leukreg.experiment import carry_out
    from leukreg.registry import installed
    from leukreg.report.console import RichProgress

    say(f"Run folder: {folder.path}")
    try:
        with RichProgress(console) as progress:
            return carry_out(recipe, installed(), folder, notices, progress)
    except (KeyboardInterrupt, WriteError):
        say(f"This goes on with it: leukreg run --resume {shlex.quote(str(folder.path))}", err=True)
        raise


def _show(result: RunRecord, console: Console) -> None:
    from leukreg.registry import installed
    from leukreg.registry.plugin_call import traced
    from leukreg.report.console import show
    from leukreg.runs.folder import TRACEBACK

    with traced(result.folder / TRACEBACK):
        show(result, console, installed())


def _point_at_tracebacks(folder: Path) -> None:
    from leukreg.runs.folder import TRACEBACK

    path = folder / TRACEBACK
    if path.exists():
        say(f"Plugins failed; their tracebacks are in\n  {path}", err=True)
