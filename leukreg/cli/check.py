"""``leukreg check``: is the recipe right, and what would it do?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import recipe_keys
from leukreg.cli.commands import require_whole
from leukreg.cli.output import say

if TYPE_CHECKING:
    from leukreg.errors import Problem


@click.command("check")
@click.argument("recipes", metavar="RECIPE...", nargs=-1, required=True, type=Path)
@recipe_keys
@click.option(
    "--strict",
    is_flag=True,
    help="Take no fallback: what is missing, or a broken plugin, is an error.",
)
@click.option("--no-plan", is_flag=True, help="Check the recipe only; look at no data.")
def command(
    recipes: tuple[Path, ...], overrides: tuple[str, ...], strict: bool, no_plan: bool
) -> None:
    """Check recipes, print what each would do, and run nothing.

    Every mistake is shown with its file and line. One small batch of noise goes through model and
    loss, so that a plugin that breaks its contract is found here. The plan names the fallbacks
    that would be taken, the images per class and fold, the phases with what they train, and what
    the recipe gives, assumes and leaves to defaults.
    """
    from leukreg.errors import PluginFault, Problem, Problems

    if strict:
        require_whole()
    problems: list[Problem] = []
    failures: list[Problems | PluginFault] = []
    for number, path in enumerate(recipes):
        if number:
            say()
        try:
            _check(path, overrides, strict, no_plan)
        except Problems as error:
            failures.append(error)
            problems += error.problems
        except PluginFault as error:
            failures.append(error)
            problems.append(Problem(str(error), str(path)))
    if failures:
        worst = max(failures, key=lambda error: error.code)
        if len(recipes) == 1:
            raise worst
        raise Problems(problems, code=worst.code) from worst


def _check(path: Path, overrides: Sequence[str], strict: bool, no_plan: bool) -> None:
    from leukreg.errors import LeukregError, PluginFault, Problem, Problems
    from leukreg.experiment import check
    from leukreg.recipe.provenance import assumed_table, defaults_table, given_table
    from leukreg.report.console import RichProgress, open_console, print_table
    from leukreg.report.plan import plan_tables

    progress = RichProgress(open_console(err=True))
    try:
        plan = check(path, overrides=overrides, strict=strict, data=not no_plan, progress=progress)
    except (Problems, PluginFault):
        raise
    except LeukregError as error:  # several recipes: say which one, and go on with the others
        raise Problems([Problem(str(error), str(path))]) from None
    say(f"{path}: no problems")
    if plan.asked.title:
        say(f"  {plan.asked.title}")
    if plan.notices:
        say("\nfallbacks")
    for notice in plan.notices:
        say(f"  {notice}, because\n    {notice.why}")
    console = open_console()
    keys = (given_table(plan.asked), assumed_table(plan.asked), defaults_table(plan.asked))
    for table in (*(() if no_plan else plan_tables(plan)), *keys):
        if table.rows:
            console.print()
            print_table(table, console)
