"""``leukreg audit PATH ...``: what is wrong with runs, recipes and published results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from leukreg.cli.options import runs_folder
from leukreg.cli.output import json_text, say

if TYPE_CHECKING:
    from leukreg.cli.audited import Audited


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
    from leukreg.cli.audited import audited, only, unreadable
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

    from leukreg.cli.findings import show_findings, show_totals
    from leukreg.report.console import open_console

    console = open_console()
    for result in results:
        show_findings(f"{result.what} {result.name}", result.findings, console)
    if len(results) > 1:
        show_totals([result.findings for result in results])
