"""The tables of LaTeX: what stands between ``&`` and ``\\\\`` of a ``tabular`` and its kin."""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Sequence
from typing import Any

from leukreg.audit.table_forms import MOST_CELLS, Grid, grid_of

_RULES = re.compile(
    r"\\(?:(?:top|mid|bottom|h)(?:rule|line)|cline\{[^}]*\}|addlinespace(?:\[[^\]]*\])?"
    r"|cmidrule(?:\[[^\]]*\])?(?:\([^)]*\))?(?:\[[^\]]*\])?\{[^}]*\}"
    r"|(?:row|cell|column)color(?:\[[^\]]*\])?\{[^}]*\})"
)
_TABULARS = frozenset(
    {"tabular", "tabular*", "tabularx", "tabulary", "longtable", "array", "tabu", "supertabular"}
)


def latex_tables(text: str) -> Iterator[Grid]:
    from pylatexenc.latexwalker import LatexWalker, LatexWalkerError
    from pylatexenc.latexwalker import get_default_latex_context_db as known
    from pylatexenc.macrospec import EnvironmentSpec, MacroSpec

    if r"\begin{" not in text:
        text = rf"\begin{{tabular}}{{}}{text}\end{{tabular}}"
    macros = [MacroSpec("multicolumn", "{{{"), MacroSpec("multirow", "[{[{[{")]
    macros += [MacroSpec("caption", "[{"), MacroSpec("textcolor", "[{{")]
    columns = {"tabular*": "{[{", "tabularx": "{[{", "tabulary": "{[{", "longtable": "[{"}
    environments = [EnvironmentSpec(name, columns.get(name, "[{")) for name in _TABULARS]
    context = known()
    context.add_context_category("tables", macros, environments, prepend=True)
    walker = LatexWalker(_RULES.sub(" ", text), latex_context=context, tolerant_parsing=True)
    try:
        nodes = walker.get_latex_nodes()[0]
    except (LatexWalkerError, IndexError, RecursionError, ValueError):
        return
    yield from _latex_tables(nodes)


def _latex_tables(nodes: Sequence[Any], outer: str = "") -> Iterator[Grid]:
    captions = [n.nodeargd.argnlist[-1] for n in nodes if getattr(n, "macroname", "") == "caption"]
    caption = _said(captions[:1]) or outer
    for node in nodes:
        if getattr(node, "environmentname", "") in _TABULARS:
            yield _tabular(node.nodelist, caption)
        elif inner := getattr(node, "nodelist", None):
            yield from _latex_tables(inner, caption)


def _tabular(nodes: Sequence[Any], caption: str) -> Grid:
    rows: list[list[str]] = [[]]
    below: list[tuple[int, int, int]] = []
    """Row, column and height of cells that reach down, or up where the height is negative; those
    they cover are left empty."""
    cell: list[Any] = []
    if len(nodes) > 4 * MOST_CELLS:
        return Grid(())
    for node in [*nodes, None]:
        named = getattr(node, "macroname", "")
        ends_row = node is None or named in {"\\", "tabularnewline", "cr"}
        if not ends_row and getattr(node, "specials_chars", "") != "&":
            cell.append(node)
            continue
        across, down = abs(_latex_span(cell, "multicolumn")), _latex_span(cell, "multirow")
        below.append((len(rows) - 1, len(rows[-1]), down))
        rows[-1] += [_said(cell)] * across
        cell = []
        if ends_row:
            rows.append([])
    for row, column, down in below:
        places = (row + 1, row + down) if down > 0 else (max(0, row + down + 1), row)
        for covered in rows[slice(*places)]:
            if column < len(covered) and not covered[column].strip():
                covered[column] = rows[row][column]
    return grid_of(rows, caption)


def _latex_span(nodes: Sequence[Any], macro: str) -> int:
    """Columns or rows that a cell covers, by a macro that may stand within another; negative where
    it covers those above it."""
    for node in nodes:
        arguments = [a for a in getattr(getattr(node, "nodeargd", None), "argnlist", ()) or () if a]
        if getattr(node, "macroname", "") == macro:
            digits = re.search(r"-?\d{1,3}", _said(arguments[:1]))
            return (min(max(int(digits[0]), -100), 100) or 1) if digits else 1
        inner = [n for a in arguments for n in (getattr(a, "nodelist", None) or ())]
        if (found := _latex_span(inner, macro)) != 1:
            return found
    return 1


def _said(nodes: Sequence[Any]) -> str:
    """LaTeX as text: what spans and colours is dropped, what they hold is kept."""
    return str(_speaker().nodelist_to_text(list(nodes)))


@functools.cache
def _speaker() -> Any:
    from pylatexenc.latex2text import (
        LatexNodes2Text,
        MacroTextSpec,
        get_default_latex_context_db,
    )

    last = {"multicolumn": "%(3)s", "multirow": "%(6)s", "textcolor": "%(3)s", "caption": "%(2)s"}
    last |= {"cite": "", "ref": "", "label": ""}
    macros = [MacroTextSpec(name, said) for name, said in last.items()]
    context = get_default_latex_context_db()
    context.add_context_category("tables", macros, prepend=True)
    return LatexNodes2Text(latex_context=context)
