"""``leukreg published [FOLDER]``: published results, with what the audit said of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from leukreg.cli.output import say
from leukreg.text import counted, did_you_mean, json_text

if TYPE_CHECKING:
    from leukreg.audit.published_register import KeptVerdict, PublishedResult
    from leukreg.audit.published_table import Reported

REGISTER = Path("experiments/published")


@click.command("published")
@click.argument(
    "folder", type=click.Path(path_type=Path, file_okay=False), default=REGISTER, required=False
)
@click.option("--data-set", "dataset", metavar="NAME", help="Only results on this data set.")
@click.option("--verdict", metavar="WORDS", help="Only those, such as impossible.")
@click.option("--split", metavar="WORD", help="Only those split so, such as patient.")
@click.option("--year", type=int, metavar="YEAR", help="Only those of this year.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON.")
@click.option("--update", is_flag=True, help="Audit all again and renew the verdicts kept.")
def command(
    folder: Path,
    dataset: str | None,
    verdict: str | None,
    split: str | None,
    year: int | None,
    as_json: bool,
    update: bool,
) -> None:
    """List published results with the audit's verdict on each.

    FOLDER holds one file for each published table: its source, its figures, and what the audit said
    of them.  [default: experiments/published]
    """
    from leukreg.audit.published_register import read_register

    if update:
        say(_renew(folder))
    wanted = {"data set": dataset, "verdict": verdict, "split": split, "year": year}
    results = _chosen(read_register(folder), {k: str(v) for k, v in wanted.items() if v})
    if as_json:
        say(json_text([_plain(result) for result in results]), nl=False)
        return
    from leukreg.report.console import open_console, print_table
    from leukreg.report.published_page import published_table

    table = published_table(results)
    print_table(table, open_console())
    say(f"\n{counted(len(table.rows), 'table')} of figures from {counted(len(results), 'source')}.")


def _chosen(results: Iterable[PublishedResult], wanted: dict[str, str]) -> list[PublishedResult]:
    """The results with the tables that have all that is wanted.

    Raises:
        UsageError: No result has one of them at all.
    """
    results = list(results)
    for key, value in wanted.items():
        there = sorted({_facts(r, *row)[key] for r in results for row in r.rows()} - {""})
        if not any(_is(each, value) for each in there):
            raise click.UsageError(
                f"no result has the {key} {value!r}; {did_you_mean(value, there)}"
            )
    chosen = []
    for result in results:
        kept = [
            number
            for number, row in enumerate(result.rows())
            if all(_is(_facts(result, *row)[key], value) for key, value in wanted.items())
        ]
        if kept:
            chosen.append(result.only(kept))
    return chosen


def _facts(
    result: PublishedResult, reported: Reported, verdict: KeptVerdict | None
) -> dict[str, str]:
    """What results are chosen by."""
    return {
        "data set": reported.dataset,
        "verdict": verdict.says if verdict else "",
        "split": reported.split,
        "year": str(result.source.year or ""),
    }


def _is(found: str, wanted: str) -> bool:
    """Whether a fact is what is wanted: "consistent" is, of "consistent as weighted averages"."""
    return found.lower() == wanted.lower() or found.lower().startswith(f"{wanted.lower()} ")


def _renew(folder: Path) -> str:
    """Audit every file again; how many of them changed."""
    from leukreg.audit.published_register import audited, read_register, renewed
    from leukreg.files import write_text
    from leukreg.registry import installed
    from leukreg.report.console import RichProgress, open_console

    results, registry, changed = read_register(folder), installed(), 0
    with (
        RichProgress(open_console(err=True)) as progress,
        progress.task("audited", len(results)) as advance,
    ):
        for result in results:
            before = result.path.read_text(encoding="utf-8")
            after = renewed(before, audited(result, registry))
            if after != before:
                write_text(result.path, after)
                changed += 1
            advance(note=result.name)
    return f"{counted(changed, 'file')} of {len(results)} changed."


def _plain(result: PublishedResult) -> dict[str, Any]:
    from leukreg.report.published_page import baseline, interval

    return {
        "name": result.name,
        "source": asdict(result.source),
        "results": [
            {
                "reported": table,
                "interval": interval(reported),
                "baseline": baseline(reported),
                "verdict": asdict(verdict) if verdict else None,
            }
            for table, (reported, verdict) in zip(result.tables, result.rows(), strict=True)
        ],
    }
