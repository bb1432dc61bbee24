"""``leukreg cache``: list or clear what leukreg keeps between runs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

import click

from leukreg.cli.output import say
from leukreg.data.cache_folder import CachePart, cache_root, clear, entries, named
from leukreg.report.console import open_console, print_table
from leukreg.section import Table


@click.group("cache", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """List what leukreg keeps between runs.

    Decoded pixels, rendered cells, features of real images and those of frozen layers are made
    again in minutes. Fitted generators took hours: `clear` keeps them unless it is told otherwise.
    LEUKREG_CACHE names another folder.
    """
    if context.invoked_subcommand is None:
        _show()


@command.command("clear")
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Delete fitted generators too.")
def _clear(name: str | None, everything: bool) -> None:
    """Delete the cache, or only the entries whose name begins with NAME (such as 64px).

    Fitted generators took hours to make. They are kept unless NAME is theirs or --all is given.
    """
    there = entries()
    if name is not None and there and not named(name):
        names = ", ".join(sorted({entry.name for entry in there}))
        raise click.UsageError(f"there is no entry {name!r}; there are {names}")
    gone = clear(name, everything)
    say(f"{_size(gone)} deleted from {cache_root()}")
    kept = [entry for entry in entries() if entry.costly]
    if name is None and not everything and kept:
        names = ", ".join(entry.name for entry in kept)
        say(f"{_size(kept)} kept, since it took hours to make ({names}); --all deletes it")


def _show() -> None:
    found = entries()
    if not found:
        say(f"The cache {cache_root()} is empty.")
        return
    columns = ("kind", "name", "files", "size", "changed")
    caption = f"{_size(found)} in {cache_root()}; `leukreg cache clear` deletes it"
    if any(entry.costly for entry in found):
        caption += ", generators only with --all"
    rows = []
    for one in found:
        when = f"{datetime.fromtimestamp(one.changed):%Y-%m-%d %H:%M}"
        rows.append((one.area, one.name, f"{one.files:,}", _size([one]), when))
    print_table(Table(columns=columns, rows=tuple(rows), caption=caption), open_console())


def _size(found: Iterable[CachePart]) -> str:
    return f"{sum(entry.bytes for entry in found) / 1e6:,.1f} MB"
