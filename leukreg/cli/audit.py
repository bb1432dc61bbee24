"""``leukreg audit PATH ...``: what is wrong with runs, recipes and published results."""

from __future__ import annotations

import itertools
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from leukreg.audit.published_table import paper_of, reported_of
from leukreg.audit.rules import audit, has_errors, spec_of
from leukreg.cli.arguments import run_named, runs_folder
from leukreg.cli.output import FINDINGS, GOOD, say
from leukreg.errors import LeukregError, Problem, Problems
from leukreg.recipe import load
from leukreg.recipe.document import read_document
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.report.console import open_console, print_findings, summary
from leukreg.text import json_text
from leukreg.types import Finding

if TYPE_CHECKING:
    from leukreg.recipe.model import AuditSpec
    from leukreg.registry import Registry

What = Literal["run", "recipe", "paper"]
STATUS = "status.json"
"""A folder with this file is a run."""


@click.command("audit")
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
@runs_folder
@click.option("--json", "as_json", is_flag=True, help="Print the findings as JSON.")
@click.option("--rule", "rules", multiple=True, help="Only this rule's findings; may be repeated.")
def command(paths: tuple[str, ...], root: Path, as_json: bool, rules: tuple[str, ...]) -> int:
    """Say what is wrong with a run or a published result.

    PATH is a run (folder, name, unique beginning, "last"), a recipe, a file with a table [reported]
    of published figures, or a folder of such files. Published figures are checked by arithmetic;
    nothing is run. Exit code 1 when there are errors that no recipe waives.
    """
    registry = installed()
    only = {registry.get("audit", rule).name for rule in rules}
    results: list[Audited] = []
    broken: list[LeukregError] = []
    for name in paths:
        try:
            meant = _meant(name, root)
        except LeukregError as error:
            broken.append(error)
            continue
        for path in meant:
            try:
                what, record, spec = record_of(path, registry)
                found = audit(record, spec, registry)
                kept = tuple(one for one in found if not only or one.rule in only)
                results.append(Audited(what, str(path), record.name or path.stem, kept))
            except LeukregError as error:
                broken.append(error)
    if as_json:
        say(json_text([asdict(result) for result in results]), nl=False)
    else:
        console = open_console()
        for one in results:
            print_findings(f"{one.what} {one.name}", one.findings, console)
        if len(results) > 1:
            say(f"In all: {summary([one for result in results for one in result.findings])}")
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


def _meant(name: str, root: Path) -> list[Path]:
    """The runs and files that a name means.

    Raises:
        LeukregError: There is nothing of that name, or nothing to audit in it.
    """
    path = Path(name)
    try:
        if not path.is_dir() or (path / STATUS).is_file():
            # Of what is there and is no run, reading it says what it is.
            is_toml = path.suffix == ".toml"
            if path.is_file() or (is_toml and path.exists()):
                return [path]
            if is_toml:
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
