"""``leukreg audit PATH ...``: what is wrong with runs, recipes and published results."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from leukreg.audit import audit
from leukreg.audit.published_table import paper_of, reported_of
from leukreg.cli.arguments import run_named, runs_folder
from leukreg.cli.output import say
from leukreg.errors import LeukregError, Problem, Problems
from leukreg.record import RunRecord
from leukreg.text import json_text
from leukreg.types import Finding

if TYPE_CHECKING:
    from rich.console import Console

    from leukreg.registry import Registry


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
    from leukreg.audit import has_errors
    from leukreg.registry import installed

    registry = installed()
    only_rules = only(rules, registry)
    results, broken = audited(paths, root, registry)
    results = [result.keeping(only_rules) for result in results]
    _print(results, as_json)
    if broken:
        raise unreadable(broken)
    return 1 if any(has_errors(result.findings) for result in results) else 0


def _print(results: list[Audited], as_json: bool) -> None:
    if as_json:
        import dataclasses

        plain = [
            {"what": r.what, "path": str(r.path), "name": r.name,
             "findings": [dataclasses.asdict(f) for f in r.findings]}
            for r in results
        ]  # fmt: skip
        say(json_text(plain), nl=False)
        return

    from leukreg.report.console import open_console

    console = open_console()
    for result in results:
        show_findings(f"{result.what} {result.name}", result.findings, console)
    if len(results) > 1:
        show_totals([result.findings for result in results])


STATUS = "status.json"
"""A folder with this file is a run."""


@dataclass(frozen=True, slots=True)
class Audited:
    """One thing that was audited."""

    what: Literal["run", "recipe", "paper"]
    path: Path
    name: str
    findings: tuple[Finding, ...]

    def keeping(self, rules: frozenset[str]) -> Audited:
        """Only the findings of these rules; all of them where none is named."""
        if not rules:
            return self
        return replace(self, findings=tuple(f for f in self.findings if f.rule in rules))


def only(rules: Iterable[str], registry: Registry) -> frozenset[str]:
    """The rules asked for. Raises PluginError for one that does not exist."""
    return frozenset(registry.get("audit", rule).name for rule in rules)


def audited(
    names: Sequence[str], root: Path, registry: Registry
) -> tuple[list[Audited], list[LeukregError]]:
    """What each name means and what is found in it; those that cannot be read beside them."""
    results: list[Audited] = []
    broken: list[LeukregError] = []
    for name in names:
        try:
            places = _places(name, root)
        except LeukregError as error:
            broken.append(error)
            continue
        for path in places:
            try:
                results.append(_one(path, registry))
            except LeukregError as error:
                broken.append(error)
    return results, broken


def unreadable(errors: Sequence[LeukregError]) -> LeukregError:
    """All that could not be audited as one error."""
    if len(errors) == 1:
        return errors[0]
    problems: list[Problem] = []
    for error in errors:
        own = error.problems if isinstance(error, Problems) else (Problem(str(error)),)
        problems += own
    return Problems(problems, "the rest was audited.")


def _places(name: str, root: Path) -> list[Path]:
    """The runs and files that a name means.

    Raises:
        LeukregError: There is nothing of that name, or nothing to audit in it.
    """
    path = Path(name)
    try:
        if not path.is_dir() or (path / STATUS).is_file():
            return [_path_of(name, path, root)]
        files = sorted(path.glob("*.toml"))
        runs = sorted(p.parent for p in path.glob(f"*/{STATUS}"))
    except (OSError, ValueError) as error:
        raise LeukregError(f"{name}: cannot be read ({error})") from error
    if not files and not runs:
        raise LeukregError(f"{name}: holds no recipe, no published figures and no run to audit")
    return files + runs


def _path_of(name: str, path: Path, root: Path) -> Path:
    if path.is_file() or (path.suffix == ".toml" and path.exists()):
        return path  # reading it says what else it is
    if path.suffix == ".toml":
        raise LeukregError(f"{name}: there is no such file")

    return run_named(name, root)


def _one(path: Path, registry: Registry) -> Audited:
    if path.is_dir():
        return _audit_run(path, registry)
    from leukreg.recipe.document import read_document

    document = read_document(path)
    paper = paper_of(document, str(path))
    if paper is None:
        return _audit_recipe(path, registry)
    evidence = RunRecord(recipe={"reported": paper})
    return Audited("paper", path, path.stem, audit(evidence, None, registry))


def _audit_recipe(path: Path, registry: Registry) -> Audited:
    from leukreg.recipe import load

    recipe = load(path, registry=registry)
    reported_of(recipe)
    evidence = RunRecord(recipe=recipe.resolved)
    return Audited("recipe", path, path.stem, audit(evidence, recipe.audit, registry))


def _audit_run(path: Path, registry: Registry) -> Audited:
    from leukreg.audit.rules import spec_of
    from leukreg.runs.contents import read

    result = read(path)
    findings = audit(result, spec_of(result.recipe, registry), registry)
    return Audited("run", path, result.name, findings)


def show_findings(title: str, findings: Sequence[Finding], console: Console) -> None:
    """Print a title with the counts, and each finding in two lines (wrapped on a terminal)."""
    from rich.text import Text

    from leukreg.report.console import print_entry, safe

    head = Text(safe(f"{title}: ", console), style="bold")
    console.print(head + Text(summary(findings)), soft_wrap=True)
    for finding in findings:
        mark, first, second = finding.lines()
        print_entry(mark, (first, second), console)
    console.print()


def show_totals(several: Iterable[Sequence[Finding]]) -> None:
    """One line over all that was audited."""
    listed = [finding for findings in several for finding in findings]
    say(f"In all: {summary(listed)}")


def summary(findings: Sequence[Finding]) -> str:
    """Such as "2 errors, 1 warning, 1 waived"."""
    counts = Counter(
        "waived" if finding.waived is not None else finding.severity for finding in findings
    )
    parts = [
        f"{counts[kind]} {kind}{'s' if counts[kind] != 1 and kind != 'waived' else ''}"
        for kind in ("error", "warning", "note", "waived")
        if counts[kind]
    ]
    return ", ".join(parts) or "nothing found"
