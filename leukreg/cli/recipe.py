"""``leukreg recipe``: what a recipe may say, table by table."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from leukreg.cli.output import say

if TYPE_CHECKING:
    from leukreg.recipe.reference import Key, KeyTable


@click.command("recipe")
@click.argument("table", required=False)
@click.option("--markdown", is_flag=True, help="The whole reference as a page (docs/recipe.md).")
def command(table: str | None, markdown: bool) -> None:
    """Show what a recipe may say: every table, the keys of one, or one key.

    TABLE is written as in a recipe: data.folds, phase, phase.unfreeze. Without it the tables are
    listed.
    """
    from leukreg.recipe import reference

    if markdown:
        say(page(), nl=False)
    elif table is not None:
        found = reference.described(table)
        say("\n".join(_table(found)))
    else:
        say("\n".join(_overview(reference.tables())))


def _overview(tables: tuple[KeyTable, ...]) -> Iterator[str]:
    width = max(len(table.header) for table in tables)
    for table in tables:
        lead = f"{table.header:{width}}  "
        yield from textwrap.wrap(
            table.meaning.partition(". ")[0].rstrip(".") + ".",
            80,
            initial_indent=lead,
            subsequent_indent=" " * len(lead),
        )
    yield "\nleukreg recipe TABLE shows the keys of one."


def _table(table: KeyTable) -> Iterator[str]:
    yield from textwrap.wrap(f"{table.header} {table.meaning}".strip(), 80)
    for key in table.keys:
        yield from _key(key)


def _key(key: Key) -> Iterator[str]:
    default = key.default if key.default in ("required", "unset") else f"default {key.default}"
    yield ""
    yield from textwrap.wrap(
        f"{key.name}: {key.type} ({default})", 80, initial_indent="  ", subsequent_indent="      "
    )
    yield from textwrap.wrap(key.meaning, 80, initial_indent="    ", subsequent_indent="    ")
    if key.kind:
        yield f"    (leukreg plugins --kind {key.kind})"


def page() -> str:
    """The whole reference in Markdown."""
    from leukreg.recipe import reference

    lines = [
        "# What a recipe may say",
        "",
        "Made from the code by `leukreg recipe --markdown`; `leukreg recipe TABLE` shows a table.",
        *textwrap.wrap(reference.PLUGINS, 100),
    ]
    for table in reference.tables():
        title = f"`{table.header}`" if table.header else "Above all tables"
        lines += ["", f"## {title}", "", *textwrap.wrap(table.meaning, 100), ""]
        lines += ["| key | value | default | |", "|---|---|---|---|"]
        for key in table.keys:
            cells = (f"`{key.name}`", key.type, key.default, key.meaning)
            lines.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(lines) + "\n"
