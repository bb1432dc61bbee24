"""``leukreg compare A B ...``: runs and published figures side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leukreg.audit.published_table import Reported
from leukreg.audit.rules import audit, spec_of
from leukreg.cli.arguments import run_named, runs_folder
from leukreg.cli.audit import record_of
from leukreg.cli.output import say
from leukreg.errors import LeukregError, Problem, Problems, UnfinishedError
from leukreg.record import RunRecord
from leukreg.registry import Registry, installed
from leukreg.report.console import open_console, render
from leukreg.types import Finding

if TYPE_CHECKING:
    from leukreg.audit.published_table import Reported
    from leukreg.recipe.model import AuditSpec
    from leukreg.report.comparison import Subject
    from leukreg.section import Section

EXPERIMENTS = Path("experiments")
"""Where a bare name such as ``v3`` is looked for as a recipe."""


@click.command("compare")
@click.argument("names", nargs=-1, metavar="[NAME...]")
@click.option("--all", "everything", is_flag=True, help="Compare all runs, and NAMEs with them.")
@runs_folder
def command(names: tuple[str, ...], everything: bool, root: Path) -> None:
    """Put runs and published figures side by side with their findings, and say what differs.

    NAME is a run (folder, name, unique beginning, "last"), a file of published figures, or a
    recipe: its latest run beside its published figures, trials with --set aside. A bare v3 means
    experiments/v3.toml where that exists. Runs without a result are said and left out. One NAME of
    a sweep compares its variations: their figures, and which differences stand.
    """
    from leukreg.report.comparison import comparison
    from leukreg.runs.sweep_record import find_sweep

    if len(names) == 1 and not everything and (place := find_sweep(names[0], root)) is not None:
        for section in sweep_of(place):
            render(section, open_console())
        return
    if everything:
        names = (*names, *every_run(root))
    if len(names) < 2:
        raise click.UsageError("name at least two runs, recipes or papers to compare")
    console, registry = open_console(), installed()
    for section in comparison(subjects(names, root, registry), registry):
        render(section, console)


def sweep_of(place: Path) -> tuple[Section, ...]:
    """What came of a sweep by now, as sections.

    Raises:
        RunError: ``sweep.json`` is damaged.
    """
    from leukreg.report.sweep_report import sweep_sections
    from leukreg.sweep.sweep_results import results_in

    return sweep_sections(results_in(place))


def subjects(names: Sequence[str], root: Path, registry: Registry) -> list[Subject]:
    """What each name means.

    Raises:
        LeukregError: Some cannot be found or read, all of them at once; or fewer than two have a
            result. One without a result is said and left out.
    """
    found: list[Subject] = []
    problems: list[Problem] = []
    unfinished: list[UnfinishedError] = []
    for name in names:
        try:
            found.append(subject(name, root, registry))
        except UnfinishedError as error:
            unfinished.append(error)
        except Problems as error:
            problems += error.problems
        except LeukregError as error:
            problems.append(Problem(str(error)))
    if problems or len(found) < min(len(names), 2):
        problems += [Problem(str(error)) for error in unfinished]
        raise Problems(problems, "nothing was compared.")
    for one in unfinished:
        say(f"left out: {one}", err=True)
    return found


def every_run(root: Path) -> tuple[str, ...]:
    """The folders of all runs below ``root``, oldest first, but damaged ones, which are said."""
    from leukreg.runs import list_runs

    runs = list_runs(root)
    for run in runs:
        if run.standing == "damaged":
            say(f"left out: {run.error}", err=True)
    return tuple(str(run.path) for run in runs if run.standing != "damaged")


def subject(name: str, root: Path, registry: Registry) -> Subject:
    """A run (folder, name, unique beginning, "last"), a TOML file, or a recipe by its bare name.

    Raises:
        LeukregError: There is no such thing, or it cannot be read.
    """
    from leukreg.runs.contents import read
    from leukreg.runs.status import FILE as STATUS

    path, recipe = Path(name), EXPERIMENTS / f"{name}.toml"
    if not (path / STATUS).is_file():
        if path.suffix == ".toml":
            return of_file(path, root, registry)
        if not (root / name / STATUS).is_file() and recipe.is_file():
            return of_file(recipe, root, registry)
    return of_run(read(run_named(name, root)), registry)


def of_run(
    result: RunRecord, registry: Registry, tables: Sequence[Mapping[str, Any]] = ()
) -> Subject:
    """A run beside the figures it reproduces: its own recipe's, or ``tables``."""
    from leukreg.report.comparison import Column, Subject

    spec = spec_of(result.recipe, registry)
    published = [
        Column(name=name, reported=one, findings=_of_table(table, spec, registry))
        for table, one, name in _readable(tables or result.reported, result.name)
    ]
    same = {(finding.rule, finding.message) for each in published for finding in each.findings}
    own = tuple(f for f in result.findings if (f.rule, f.message) not in same)
    columns = (Column(name=result.name, result=result, findings=own), *published)
    return Subject(name=result.name, columns=columns, recipe=result.recipe)


def of_file(path: Path, root: Path, registry: Registry) -> Subject:
    """A paper; or a recipe's latest run, or its published figures alone where it has none."""
    from leukreg.report.comparison import Column, Subject
    from leukreg.runs.contents import read
    from leukreg.runs.run_list import list_runs

    what, record, spec = record_of(path, registry)
    remark = ""
    if what == "recipe":
        runs = [run for run in list_runs(root) if run.recipe == record.recipe["name"]]
        finished = [run for run in runs if run.standing == "finished"]
        own = [run.path for run in finished if not run.trial]
        if own:
            return of_run(read(own[-1]), registry, record.reported)
        trials = ", ".join(run.name for run in finished)
        tried = f" but trials with --set, to be named themselves ({trials})" if trials else ""
        remark = f"the published figures alone; {root} holds no finished run of the recipe{tried}."
        if not record.reported:
            raise LeukregError(
                f"{path}: has no table [reported], and {root} holds no finished run of it{tried}; "
                f"leukreg run {path} makes one"
            )
    published = []
    for table, one, source in _readable(record.reported, path.stem):
        alone = replace(record, recipe={**record.recipe, "reported": table})
        published.append(Column(name=source, reported=one, findings=audit(alone, spec, registry)))
    recipe = record.recipe if what == "recipe" else None
    return Subject(name=path.stem, columns=tuple(published), recipe=recipe, remark=remark)


def _readable(
    tables: Sequence[Mapping[str, Any]], name: str
) -> list[tuple[Mapping[str, Any], Reported, str]]:
    """Published tables, each with its figures and who printed it: the source it states, else
    ``name``. None of an old run that cannot be read; what is wrong is among its findings."""
    try:
        read = Reported.read_all(tables)
    except Problems:
        return []
    sources = [str(table.get("source") or table.get("title") or name) for table in tables]
    told = [": ".join(filter(None, (a, b.name))) for a, b in zip(sources, read, strict=True)]
    return list(zip(tables, read, told, strict=True))


def _of_table(table: Any, spec: AuditSpec, registry: Registry) -> tuple[Finding, ...]:
    """What is found in the published figures alone, waived as the recipe has it."""
    evidence = RunRecord(recipe={"reported": table})
    fired = {f.rule for f in audit(evidence, replace(spec, waive=()), registry)}
    # A waiver of something in the run would be called idle here.
    waive = tuple(waiver for waiver in spec.waive if waiver.rule in fired)
    return audit(evidence, replace(spec, waive=waive), registry)
