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
    experiments/v3.toml where that exists. Runs without a result are said and left out.
    """
    from leukreg.report.comparison import comparison

    if everything:
        names = (*names, *every_run(root))
    if len(names) < 2:
        raise click.UsageError("name at least two runs, recipes or papers to compare")
    console, registry = open_console(), installed()
    for section in comparison(subjects(names, root, registry), registry):
        render(section, console)


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
    result: RunRecord, registry: Registry, table: Mapping[str, Any] | None = None
) -> Subject:
    """A run beside the figures it reproduces: its own recipe's, or ``table``."""
    from leukreg.report.comparison import Column, Subject

    table = table or result.reported
    reported = _readable(table)
    published = _of_table(table, spec_of(result.recipe, registry), registry) if reported else ()
    same = {(finding.rule, finding.message) for finding in published}
    own = tuple(f for f in result.findings if (f.rule, f.message) not in same)
    columns = [Column(name=result.name, result=result, findings=own)]
    if reported is not None:
        name = _source(table) or result.name
        columns.append(Column(name=name, reported=reported, findings=published))
    return Subject(name=result.name, columns=tuple(columns), recipe=result.recipe)


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
        if record.reported is None:
            raise LeukregError(
                f"{path}: has no table [reported], and {root} holds no finished run of it{tried}; "
                f"leukreg run {path} makes one"
            )
    published = Column(
        name=_source(record.reported) or path.stem,
        reported=_readable(record.reported),
        findings=audit(record, spec, registry),
    )
    recipe = record.recipe if what == "recipe" else None
    return Subject(name=path.stem, columns=(published,), recipe=recipe, remark=remark)


def _readable(table: Any) -> Reported | None:
    """Published figures of an old run; what is wrong with them is among its findings."""
    if not isinstance(table, Mapping):
        return None
    try:
        return Reported.read(table)
    except Problems:
        return None


def _of_table(table: Any, spec: AuditSpec, registry: Registry) -> tuple[Finding, ...]:
    """What is found in the published figures alone, waived as the recipe has it."""
    evidence = RunRecord(recipe={"reported": table})
    fired = {f.rule for f in audit(evidence, replace(spec, waive=()), registry)}
    # A waiver of something in the run would be called idle here.
    waive = tuple(waiver for waiver in spec.waive if waiver.rule in fired)
    return audit(evidence, replace(spec, waive=waive), registry)


def _source(table: Mapping[str, Any] | None) -> str:
    named = (table or {}).get("source") or (table or {}).get("title") or ""
    return str(named)
