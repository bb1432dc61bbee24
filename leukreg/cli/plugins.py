"""``leukreg plugins``: list them, show one, write a new one."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator
from pathlib import Path

import click

from leukreg import __version__
from leukreg.cli.commands import OWN, find
from leukreg.cli.output import FINDINGS, GOOD, say
from leukreg.errors import PluginError
from leukreg.recipe.reference import Key, example_table, options
from leukreg.registry import Entry, claimed_twice, installed
from leukreg.registry.kinds import KINDS
from leukreg.report.console import open_console, print_table
from leukreg.section import Table
from leukreg.text import did_you_mean


class _Plugins(click.Group):
    """A word that is no sub-command is the name of a plugin to show."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args[0] not in self.commands and not args[0].startswith("-"):
            args = ["show", *args]
        return super().resolve_command(ctx, args)


_KIND = click.Choice(sorted(KINDS))


@click.group(
    "plugins", cls=_Plugins, invoke_without_command=True, subcommand_metavar="[NAME | new NAME]"
)
@click.option("--kind", type=_KIND, help="Only plugins of this kind.")
@click.pass_context
def command(ctx: click.Context, kind: str | None) -> None:
    """List the plugins, show one, or write a new one.

    Without a name every plugin is listed: kind, name, owner and version. With a name its options
    are shown with an example for a recipe. Exit code 1: a plugin is broken or claimed twice.
    """
    ctx.obj = kind
    if ctx.invoked_subcommand is None:
        ctx.exit(_list(kind))


@command.command("show")
@click.argument("name")
@click.option("--kind", type=_KIND, help="Where several kinds have the name.")
@click.pass_obj
def show(outer_kind: str | None, name: str, kind: str | None) -> None:
    """Show the options of a plugin and an example for a recipe."""
    registry = installed()
    wanted = kind or outer_kind
    is_command = name in OWN or name in find(registry).commands
    if wanted and wanted != "command":
        found = [registry.get(wanted, name)]
    else:
        found = [] if wanted else registry.find(name)
    if not found and (is_command or wanted):
        raise PluginError(f"{name!r} is a command; see 'leukreg {name} --help'")
    if not found:
        known = sorted({entry.name for entry in registry})
        hint = did_you_mean(name, known, "'leukreg plugins' lists them all")
        broken = "".join(
            f"\n(plugin {each.owner.distribution} could not be loaded: {each.reason})"
            for each in registry.broken
        )
        raise PluginError(f"there is no plugin {name!r}; {hint}{broken}")
    say("\n\n".join("\n".join(_details(entry)) for entry in found))
    if is_command and wanted is None:
        say(f"\nThere is a command {name!r} too; see 'leukreg {name} --help'.")


@command.command("new")
@click.argument("name")
@click.option("--kind", type=_KIND, required=True, help="What the plugin is.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Folder that gets the package's folder. [default: here]",
)
@click.option(
    "--into",
    "package",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    metavar="PACKAGE",
    help="Add the plugin to the package in this folder instead.",
)
def new(name: str, kind: str, out: Path, package: Path | None) -> None:
    """Write a small package with a plugin of this name, or add one to a package of yours."""
    from leukreg.scaffold import write

    if kind == "command" and name in [*OWN, *find(installed()).commands]:
        raise PluginError(f"there is a command {name!r} already; choose another name")
    if package is not None:
        from leukreg.scaffold import add

        *new, project = add(name, kind, package)
        for path in new:
            say(f"Wrote {path}")
        say(f"Changed {project}: one entry point more")
        say(f"Next: pip install -e {package}, then leukreg plugins {name} and pytest {package}")
        return
    folder = write(name, kind, out)
    say(f"Wrote {folder}:")
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        say(f"  {path.relative_to(folder)}")
    say(f"Next: pip install -e {folder}, then leukreg plugins {name} and pytest {folder}")


def _list(kind: str | None) -> int:
    registry = installed()
    found = find(registry)
    order = list(KINDS)
    entries = sorted(registry, key=lambda entry: (order.index(entry.kind), entry.name))
    rows = [(one.kind, one.name, str(one.owner), one.summary) for one in entries]
    rows += [("command", name, f"leukreg {__version__}", line) for name, line in OWN.items()]
    rows += [
        ("command", name, str(owner), each.get_short_help_str(100))
        for name, (each, owner) in found.commands.items()
    ]
    kept = tuple(row for row in rows if kind in (None, row[0]))
    columns = ("kind", "name", "from", "what it is")
    print_table(Table(columns=columns, rows=kept), open_console())
    problems = [f"double  {claimed_twice(entries)}" for entries in registry.conflicts()]
    problems += [
        f"broken  {each.owner} ({each.owner.entry_point}): {each.reason}"
        for each in (*registry.broken, *found.broken)
    ]
    for problem in problems:
        say(problem, err=True)
    return FINDINGS if problems else GOOD


def _details(entry: Entry) -> Iterator[str]:
    yield f"{entry.kind} {entry.name}  ({entry.owner})"
    for number, paragraph in enumerate(inspect.cleandoc(entry.cls.__doc__ or "").split("\n\n")):
        yield from [""] * bool(number)
        yield textwrap.fill(" ".join(paragraph.split()), 80)
    found = options(entry.cls)
    yield ""
    yield "Options" if found else "No options."
    for option in found:
        yield from _option(option)
    table = example_table(entry.kind, entry.cls)
    yield ""
    if entry.kind == "extractor":
        path = ":PATH" * any(option.default == "required" for option in found)
        yield f"On the command line\n  leukreg fidelity REAL FAKE --extractor {entry.name}{path}"
        return
    if table is None:
        yield f"Recipes do not name a {entry.kind}: it works wherever it is installed."
        return
    yield "In a recipe"
    yield from textwrap.indent(table, "  ").splitlines()


def _option(option: Key, depth: int = 1) -> Iterator[str]:
    state = "" if option.default == "required" else "default "
    yield f"{'  ' * depth}{option.name}: {option.type} ({state}{option.default})"
    margin = "  " * (depth + 1)
    yield from textwrap.wrap(
        option.meaning or "(not documented)", 80, initial_indent=margin, subsequent_indent=margin
    )
    for inner in option.inner:
        yield from _option(inner, depth + 1)
