"""``leukreg cache``: list or clear what leukreg keeps between runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from leukreg.data.cache import Entry


@click.group("cache", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List what leukreg keeps between runs: decoded pixels, rendered cells.

    Everything in it can be made again. LEUKREG_CACHE names another folder.
    """
    if context.invoked_subcommand is None:
        _show()


@command.command("clear")
@click.argument("name", required=False)
def _clear(name: str | None) -> None:
    """Delete the cache, or only the entries whose name begins with NAME (such as 64px)."""
    from leukreg.data.cache import cache_root, clear, entries

    gone = clear(name)
    if not gone and name is not None and entries():
        names = ", ".join(sorted({entry.name for entry in entries()}))
        raise click.UsageError(f"there is no entry {name!r}; there are {names}")
    size = sum(entry.bytes for entry in gone)
    click.echo(f"{_mega(size)} deleted from {cache_root()}")


def _show() -> None:
    from rich.console import Console

    from leukreg.data.cache import cache_root, entries
    from leukreg.report.console import print_table
    from leukreg.types import Table

    found = entries()
    if not found:
        click.echo(f"The cache {cache_root()} is empty.")
        return
    columns = ("kind", "name", "files", "size", "changed")
    total = _mega(sum(entry.bytes for entry in found))
    caption = f"{total} in {cache_root()}; `leukreg cache clear` deletes it"
    print_table(Table(columns=columns, rows=tuple(map(_row, found)), caption=caption), Console())


def _row(entry: Entry) -> tuple[str, ...]:
    from datetime import datetime

    when = datetime.fromtimestamp(entry.changed).strftime("%Y-%m-%d %H:%M")
    return entry.area, entry.name, f"{entry.files:,}", _mega(entry.bytes), when


def _mega(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"
