"""``leukreg sweep``: many runs of varied recipes, planned, carried out, gone on with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.arguments import recipe_keys, runs_folder
from leukreg.cli.output import FINDINGS, GOOD, say

if TYPE_CHECKING:
    from leukreg.progress import Progress
    from leukreg.registry.kinds import Workers
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
    from leukreg.runs.sweep_record import sweep_named
    from leukreg.sweep.run_sweep import check_sweep, taken_up_with
    from leukreg.sweep.sweep_folder import begin

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
        if path is None:
            place = sweep_named(str(resume), root)
            return _carried_out(place, *taken_up_with(place, given, progress), progress)
        plan = check_sweep(
            path,
            vary=vary,
            seeds=seeds,
            overrides=overrides,
            executor=given,
            runs=root,
            progress=progress,
            soon=not plan_only,
        )
        hands = plan.workers(root)
        render(plan_section(plan, hands.count), console, titled=False)
        say()
        if plan_only:
            hands.stop()
            return GOOD
        return _carried_out(*begin(plan.asked, plan.runs, root), hands, progress)


def _carried_out(
    place: Path, plans: Mapping[str, PlannedRun], workers: Workers, progress: Progress
) -> int:
    from leukreg.report.console import open_console, render
    from leukreg.report.sweep_report import sweep_sections
    from leukreg.sweep.run_sweep import carried_out

    try:
        done = carried_out(place, plans, workers, progress)
    except BaseException as error:
        say("\n".join(getattr(error, "__notes__", ())), err=True)
        raise
    for section in sweep_sections(done.results):
        render(section, open_console())
    say(f"\nleukreg report {place} writes this as a page.")
    for failure in done.failures:
        say(f"failed: {failure.what}: {failure.error.splitlines()[0]}", err=True)
    if done.failures:
        say(f"leukreg sweep --resume {place} tries them again", err=True)
    return FINDINGS if done.failures else GOOD
