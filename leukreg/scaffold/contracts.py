"""The page for plugin authors: every kind's contract, and the values that travel, from the code."""

from __future__ import annotations

import dataclasses
import inspect
import re
import textwrap
from collections.abc import Iterator

from leukreg import fitted, gate_figures, patient_results, record, section, types
from leukreg.recipe.reference import headers_of_kinds
from leukreg.registry import kinds
from leukreg.registry.kinds import KINDS
from leukreg.registry.plugin import option_docs
from leukreg.testing import CHECKS

WIDTH = 100
_MEMBERS = (
    kinds.InputContract,
    kinds.Images,
    kinds.ClassGenerator,
    kinds.SyntheticImages,
)


def page() -> str:
    """The whole page in Markdown, ``docs/plugins.md``."""
    lines = [
        "# Contracts of plugins",
        "",
        *_wrapped(
            "Made from the code by `make docs`. A plugin is a class marked with `@plugin(name)`:"
            " its fields are its options, the string under a field is the option's documentation,"
            " and `build` is the contract of its kind. A function named after the kind's hook,"
            " marked with `@hookimpl`, returns a list of such classes; the package names its module"
            " under `[project.entry-points.leukreg]`. `leukreg plugins new NAME --kind KIND` writes"
            " all of it, and a test that runs the kind's check; `--into PACKAGE` adds a plugin to a"
            " package that is there."
        ),
        "",
        *_wrapped(inspect.getdoc(kinds) or ""),
    ]
    for kind in KINDS.values():
        lines += ["", f"## {kind.name}: {kind.sentence}", "", *_kind(kind.name)]
    lines += ["", "# What a build is given and gives"]
    for cls in _MEMBERS:
        lines += ["", f"## {cls.__name__}", "", *_wrapped(inspect.getdoc(cls) or "")]
        lines += [line for member in _members(cls) for line in ("", *member)]
    lines += ["", "# Values", "", *_wrapped(inspect.getdoc(types) or "")]
    for value in _values():
        lines += ["", f"## {value.__name__}", "", *_wrapped(inspect.getdoc(value) or ""), ""]
        lines += [*_fields(value)]
    return "\n".join(lines) + "\n"


def _kind(name: str) -> Iterator[str]:
    table = f"In a recipe: `{headers[name]}`. " if name in (headers := headers_of_kinds()) else ""
    kind = KINDS[name]
    yield from _wrapped(f"{table}Hook: `{kind.hook}`.")
    check = CHECKS[name]
    said = f"`leukreg.testing.{check.__name__}` asks for: {inspect.getdoc(check)}"
    yield from ("", *_wrapped(said))
    if not kind.builds:
        yield from ("", f"    {kind.hook}(cli: click.Group) -> None")
        return
    if doc := vars(kind.contract).get("__doc__"):
        yield from ("", *_wrapped(doc))
    yield from (line for member in _members(kind.contract) for line in ("", *member))


def _members(cls: type) -> Iterator[list[str]]:
    """Each method and property with its signature and docstring."""
    for name, member in vars(cls).items():
        if name.startswith("_") or not (inspect.isfunction(member) or isinstance(member, property)):
            continue
        function = member.fget if isinstance(member, property) else member
        signature = str(inspect.signature(function)).replace("'", "")  # type: ignore[arg-type]
        shown = (
            f"{name}: {signature.partition('-> ')[2]}"
            if function is not member
            else (f"{name}{signature}")
        )
        doc = inspect.getdoc(function) or ""
        yield [f"    {shown}", *(["", *_wrapped(doc)] if doc else [])]


def _values() -> list[type]:
    return [
        value
        for module in (types, section, gate_figures, fitted, patient_results, record)
        for name, value in vars(module).items()
        if dataclasses.is_dataclass(value) and isinstance(value, type)
        if (value.__module__, value.__name__) == (module.__name__, name)
    ]


def _fields(cls: type) -> Iterator[str]:
    docs = option_docs(cls)
    yield "| field | type | |"
    yield "|---|---|---|"
    for field in dataclasses.fields(cls):
        cells = (f"`{field.name}`", f"`{field.type}`", _plain(docs.get(field.name, "")))
        yield f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
    for name, member in vars(cls).items():
        if isinstance(member, property) and not name.startswith("_"):
            said = _plain(inspect.getdoc(member.fget) or "")
            yield f"| `{name}` | property | {said} |"


def _plain(text: str) -> str:
    return re.sub(r":(?:func|class|data):`([^`]+)`", r"`\1`", " ".join(text.split()))


def _wrapped(text: str) -> list[str]:
    """Paragraphs of at most ``WIDTH`` characters; indented blocks keep their lines."""
    blocks: list[str] = []
    for paragraph in inspect.cleandoc(text).split("\n\n"):
        blocks += [""] * bool(blocks)
        blocks += textwrap.wrap(_plain(paragraph), WIDTH, break_long_words=False)
    return blocks
