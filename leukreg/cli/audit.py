"""``leukreg audit PATH ...``: what is wrong with runs, recipes and published results."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from leukreg.audit.audit_table import Understood, understand, with_pasted
from leukreg.audit.paper_file import is_paper, paper_of, reported_of
from leukreg.audit.published_table import Reported
from leukreg.audit.rules import audit, has_errors, spec_of
from leukreg.audit.table_forms import TEXTS, text_of
from leukreg.cli.arguments import run_named, runs_folder
from leukreg.cli.output import FINDINGS, GOOD, say
from leukreg.errors import LeukregError, Problem, Problems, UnfinishedError
from leukreg.paths import read_regular
from leukreg.recipe import load
from leukreg.recipe.document import parse_document, read_document
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.report.console import open_console, print_findings, summary
from leukreg.text import counted, json_text
from leukreg.types import Finding

if TYPE_CHECKING:
    from leukreg.recipe.model import AuditSpec
    from leukreg.registry import Registry

What = Literal["run", "recipe", "paper", "sweep"]
STATUS = "status.json"
"""A folder with this file is a run."""
INPUT = Path("-")
MOST_SHOWN = 5
"""Findings of a published table, the gravest first, unless all are asked for."""


@click.command("audit")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@runs_folder
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--rule", "rules", multiple=True, help="Only this rule's findings; may be repeated.")
@click.option("--all", "every", is_flag=True, help="Of a table, not its first five findings only.")
@click.option("--toml", is_flag=True, help="Only print how a table was read, to be corrected.")
def command(
    paths: tuple[str, ...],
    root: Path,
    as_json: bool,
    rules: tuple[str, ...],
    every: bool,
    toml: bool,
) -> int:
    """Say what is wrong with a run or a published result.

    PATH is a run (folder, name, unique beginning, "last"), a sweep, a recipe, a file with a table
    [reported] of published figures, or a folder of such files; or a text with tables as they were
    copied (.txt, .md, .csv, .tsv, .tex, .html), or "-" for the standard input. Published figures
    are checked by arithmetic; nothing is run. Exit code 1 when there are errors that no recipe
    waives.
    """
    from leukreg.runs.sweep_record import find_sweep

    registry = installed()
    only = {registry.get("audit", rule).name for rule in rules}
    results: list[Audited] = []
    broken: list[LeukregError] = []
    for name in paths:
        try:
            if (sweep := find_sweep(name, root)) is not None:
                results.append(_of_sweep(sweep, registry, only))
                continue
            meant = _meant(name, root)
        except LeukregError as error:
            broken.append(error)
            continue
        for path in meant:
            try:
                understood = _understood(path)
                if toml:
                    say(_to_correct(path, understood), nl=False)
                    continue
                what, record, spec = _record(path, understood, registry)
                found = audit(record, spec, registry)
                kept = tuple(one for one in found if not only or one.rule in only)
                name = record.name or ("-" if path == INPUT else path.stem)
                results.append(Audited(what, str(path), name, kept, understood))
            except LeukregError as error:
                broken.append(error)
    if as_json:
        say(json_text([asdict(result) for result in results]), nl=False)
    else:
        console = open_console()
        for one in results:
            if one.understood is not None:
                say(f"{one.understood.toml()}")
            found = told_once(one.findings)
            most = len(found) if every or one.what == "run" else MOST_SHOWN
            print_findings(f"{one.what} {one.name}", found, console, most)
        if len(results) > 1:
            together = [one for result in results for one in told_once(result.findings)]
            say(f"In all: {summary(together)}")
    if len(broken) == 1:
        raise broken[0]
    if broken:
        each = (e.problems if isinstance(e, Problems) else [Problem(str(e))] for e in broken)
        raise Problems([*itertools.chain.from_iterable(each)], "the rest was audited.")
    return FINDINGS if any(has_errors(result.findings) for result in results) else GOOD


@dataclass(frozen=True, slots=True)
class Audited:
    """One thing that was audited."""

    what: What
    path: str
    name: str
    findings: tuple[Finding, ...]
    understood: Understood | None = None
    """Where it was read from a text that people paste."""


def told_once(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Where the same is said of several published tables: once, with all their names."""
    names: dict[Finding, list[str]] = {}
    for one in findings:
        of, link, text = one.message.partition("): ")
        name = of.removeprefix("reported (") if link and of.startswith("reported (") else ""
        names.setdefault(replace(one, message=text if name else one.message), []).append(name)
    return tuple(
        replace(one, message=f"reported ({', '.join(of)}): {one.message}") if any(of) else one
        for one, of in names.items()
    )


def _of_sweep(place: Path, registry: Registry, only: Collection[str]) -> Audited:
    """What is wrong with the runs of a sweep that have finished; what several have is told once.

    Raises:
        LeukregError: None has finished, or one is damaged.
    """
    from leukreg.runs.history import looks_of_sweep
    from leukreg.runs.sweep_record import read_sweep_record

    runs: dict[Finding, list[str]] = {}
    record, done = read_sweep_record(place), 0
    for one in record.runs:
        try:
            _, result, spec = record_of(place.parent / one.name, registry)
        except UnfinishedError as error:
            say(f"left out: {str(error).splitlines()[0]}", err=True)
            continue
        done += 1
        looks = looks_of_sweep(result, place.parent, result.earlier)
        result = replace(result, earlier=looks)
        for finding in audit(result, spec, registry):
            if not only or finding.rule in only:
                runs.setdefault(finding, []).append(one.name)
    if not done:
        raise LeukregError(f"{place}: no run of this sweep has finished")
    gravity = ("error", "warning", "note")
    order = sorted(runs, key=lambda one: (gravity.index(one.severity), -len(runs[one])))
    findings = (_in_some(one, runs[one], done) for one in order)
    return Audited("sweep", str(place), record.name, tuple(findings))


def _in_some(finding: Finding, runs: Sequence[str], of: int) -> Finding:
    """The finding with the runs that have it, where others do not."""
    if len(runs) == of:
        return finding
    where = f"(in {len(runs)} of {counted(of, 'run')}, such as {runs[0]})"
    return replace(finding, message=f"{finding.message} {where}")


def _understood(path: Path) -> Understood | None:
    """The tables of a text in any form, or of TOML with a pasted ``report``; None of anything else.

    Raises:
        LeukregError: It cannot be read, or holds no table that can.
    """
    if path != INPUT and path.suffix.lower() not in TEXTS:
        paper = None if path.suffix != ".toml" else paper_of(read_document(path), str(path))
        return with_pasted(paper) if paper and any("report" in table for table in paper) else None
    name = "the standard input" if path == INPUT else str(path)
    content = sys.stdin.buffer.read() if path == INPUT else _bytes_of(path)
    text = text_of(content, name)
    if is_paper(text):
        return with_pasted(paper_of(parse_document(text, name), name) or ())
    return understand(text, "" if path == INPUT else path.suffix, name)


def _bytes_of(path: Path) -> bytes:
    try:
        return read_regular(path)
    except OSError as error:
        raise LeukregError(f"{path}: cannot be read ({error.strerror or error})") from error


def _to_correct(path: Path, understood: Understood | None) -> str:
    """
    Raises:
        LeukregError: It is a run or a recipe.
    """
    if understood is not None:
        return understood.toml()
    paper = None if path.is_dir() else paper_of(read_document(path), str(path))
    if paper is None:
        raise LeukregError(f"{path}: --toml is of published tables; this is none")
    return Understood(tuple(paper)).toml()


def _record(
    path: Path, understood: Understood | None, registry: Registry
) -> tuple[What, RunRecord, AuditSpec | None]:
    """As ``record_of``, of what was understood of a text where that is what there is.

    Raises:
        Problems: Its figures are none; the message shows how it was read.
    """
    if understood is None:
        return record_of(path, registry)
    try:
        Reported.read_all(understood.tables)
    except Problems:
        say(understood.toml())
        raise
    return "paper", RunRecord(recipe={"reported": understood.tables}), None


def _meant(name: str, root: Path) -> list[Path]:
    """The runs and files that a name means.

    Raises:
        LeukregError: There is nothing of that name, or nothing to audit in it.
    """
    path = Path(name)
    if path == INPUT:
        return [path]
    try:
        if not path.is_dir() or (path / STATUS).is_file():
            # Of what is there and is no run, reading it says what it is.
            is_file = path.suffix.lower() in {".toml", *TEXTS}
            if path.is_file() or (is_file and path.exists()):
                return [path]
            if is_file:
                raise LeukregError(f"{name}: there is no such file")
            return [run_named(name, root)]
        files = sorted(path.glob("*.toml"))
        runs = sorted(p.parent for p in path.glob(f"*/{STATUS}"))
    except (OSError, ValueError) as error:
        raise LeukregError(f"{name}: cannot be read ({error})") from error
    if not files and not runs:
        raise LeukregError(f"{name}: holds no recipe, no published figures and no run to audit")
    return files + runs


def record_of(path: Path, registry: Registry) -> tuple[What, RunRecord, AuditSpec | None]:
    """A run's folder, a recipe or published figures as a record, and how it is to be audited.

    Raises:
        LeukregError: It cannot be read, or its figures are none.
    """
    if path.is_dir():
        from leukreg.runs.contents import read

        result = read(path)
        return "run", result, spec_of(result.recipe, registry)
    paper = paper_of(read_document(path), str(path))
    if paper is not None:
        return "paper", RunRecord(recipe={"reported": paper}), None
    recipe = load(path, registry=registry)
    reported_of(recipe)
    return "recipe", RunRecord(recipe=recipe.resolved), recipe.audit
