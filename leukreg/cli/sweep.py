"""``leukreg sweep``: many runs of varied recipes, planned, carried out, gone on with."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import recipe_keys, runs_folder
from leukreg.cli.output import FINDINGS, GOOD, say

if TYPE_CHECKING:
    from leukreg.progress import Progress
    from leukreg.registry.kinds import Workers
    from leukreg.registry.plugin_call import Choice
    from leukreg.sweep.sweep_plan import PlannedRun


@click.command("sweep")
@click.argument("path", metavar="[FILE]", required=False, type=click.Path(path_type=Path))
@click.option(
    "--vary", multiple=True, metavar="KEY=A,B", help="An axis: a key of the recipe and its values."
)
@click.option("--seeds", metavar="SEEDS", help='Such as "1:5", both ends included.')
@recipe_keys
@click.option("--executor", metavar="NAME", help="Who trains (leukreg plugins --kind executor).")
@click.option("--workers", type=click.IntRange(1), help="Trainings at once.")
@click.option("--plan", "plan_only", is_flag=True, help="Print the plan; nothing is run.")
@click.option("--resume", metavar="SWEEP", help="Go on with a sweep: its path, name or 'last'.")
@runs_folder
def command(
    path: Path | None,
    vary: tuple[str, ...],
    seeds: str | None,
    overrides: tuple[str, ...],
    executor: str | None,
    workers: int | None,
    plan_only: bool,
    resume: str | None,
    root: Path,
) -> int:
    """Run recipes in variations and under several seeds, or go on with a sweep that was stopped.

    FILE is a sweep file (it names its recipe), or a recipe, varied by --vary and --seeds. All is
    checked before anything is run. Each run is an ordinary run; its folds are trained by the
    workers of an executor, to the same figures whoever trains them. What fails is told and stops
    nothing else; the exit code is 1 then.
    """
    from leukreg.report.console import RichProgress, open_console, render
    from leukreg.report.sweep_tables import plan_section
    from leukreg.sweep.sweep_file import read_sweep
    from leukreg.sweep.sweep_folder import begin, figure_of
    from leukreg.sweep.sweep_plan import planned
    from leukreg.sweep.unit import forget_opened

    os.environ.setdefault("OMP_WAIT_POLICY", "passive")
    if (path is None) == (resume is None):
        raise click.UsageError("give either a FILE or --resume SWEEP")
    if resume is not None and (vary or seeds is not None or overrides or plan_only):
        raise click.UsageError(
            "a resumed sweep keeps its plan; --executor and --workers may change"
        )
    said = {"use": executor, "workers": workers}
    given = {key: value for key, value in said.items() if value is not None}
    console = open_console()
    with RichProgress(console) as progress:
        forget_opened()
        if path is None:
            return _resumed(str(resume), root, given, progress)
        asked = read_sweep(path, vary, seeds, overrides, given)
        figure_of(asked)
        plans = planned(asked, progress)
        hands = _workers(asked.spec.executor, plans)
        render(plan_section(plans, asked.spec.executor, hands.count), console, titled=False)
        say()
        if plan_only:
            hands.stop()
            return GOOD
        return _carried_out(*begin(asked, plans, root), hands, progress)


def _resumed(name: str, root: Path, given: Mapping[str, object], progress: Progress) -> int:
    from leukreg.runs.sweep_record import read_sweep_record, sweep_named
    from leukreg.sweep.sweep_file import executor_of
    from leukreg.sweep.sweep_folder import taken_up

    place = sweep_named(name, root)
    plans = taken_up(place, progress)
    choice = executor_of(read_sweep_record(place).executor, given)
    return _carried_out(place, plans, _workers(choice, [*plans.values()]), progress)


def _workers(choice: Choice, plans: list[PlannedRun] | tuple[PlannedRun, ...]) -> Workers:
    from leukreg.registry.plugin_call import call

    units = sum(len(plan.units) for plan in plans)
    threads = max(plan.recipe.training.threads or 1 for plan in plans)
    workers: Workers = call(choice, choice.plugin.build, units, threads)
    return workers


def _carried_out(
    place: Path, plans: Mapping[str, PlannedRun], workers: Workers, progress: Progress
) -> int:
    from leukreg.cli.compare import sweep_of
    from leukreg.report.console import open_console, render
    from leukreg.sweep.driver import drive
    from leukreg.sweep.sweep_folder import held

    progress.say(f"Sweep folder: {place}")
    try:
        with held(place):
            failures = drive(place, plans, workers, progress)
    except BaseException as error:
        say("\n".join(getattr(error, "__notes__", ())), err=True)
        raise
    for section in sweep_of(place):
        render(section, open_console())
    say(f"\nleukreg report {place} writes this as a page.")
    for failure in failures:
        say(f"failed: {failure.what}: {failure.error.splitlines()[0]}", err=True)
    if failures:
        say(f"leukreg sweep --resume {place} tries them again", err=True)
    return FINDINGS if failures else GOOD
