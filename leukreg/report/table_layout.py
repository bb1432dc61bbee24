"""Tables laid out for a width: no figure is cut, and two names that differ never read alike.

Where a table is too wide, its words wrap at blanks; then names are shortened in the middle; then
the table is folded into blocks that repeat the names of the rows.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rich.cells import cell_len, chop_cells, set_cell_size

from leukreg.section import Table

GAP = 2
"""Blanks between two columns."""
NAME = 12
"""Columns that a long word of a cell keeps."""
HEAD = 14
"""The same over a column."""
_NUMERIC = re.compile(r"[-+−]?[\d.,]+( ?%)?(( to |[–/ -]+)[-+−]?[\d.,]+( ?%)?)?\*?|undefined|-|·|")
_FIGURE = re.compile(r"[^\w\s]*\d[\d\W]*([eE][-+]?\d+)?[^\w\s]*|\d+[x×]\d+[^\w\s]*")
_GLUED = "\ue000%"
"""A per cent sign and its blank while lines are wrapped, of a character for private use."""


@dataclass(frozen=True, slots=True)
class Block:
    """A part of a table: some of its columns, their cells wrapped by line feeds."""

    widths: tuple[int, ...]
    right: tuple[bool, ...]
    """Columns of figures, which stand on the right."""
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def lines(self, cells: Sequence[str]) -> Iterator[tuple[str, ...]]:
        """The lines of one row, each cell as wide as its column."""
        for line in zip_longest(*(cell.split("\n") for cell in cells), fillvalue=""):
            yield tuple(
                " " * (width - cell_len(part)) + part
                if right or cell_len(part) > width
                else set_cell_size(part, width)
                for part, width, right in zip(line, self.widths, self.right, strict=True)
            )


def numeric(cells: Iterable[str]) -> bool:
    """Whether a column holds figures only."""
    return all(_NUMERIC.fullmatch(part) for cell in cells for part in cell.split("\n"))


def right_aligned(table: Table) -> list[bool]:
    """Whether each column stands on the right: figures do, names of rows do not."""
    return [
        place > 0 and numeric(row[place] for row in table.rows)
        for place in range(len(table.columns))
    ]


def is_list(table: Table) -> bool:
    """Two columns without names are no table but a list: a mark and lines of text."""
    return table.columns == ("", "")


def wrapped(text: str, width: int, hang: str = "") -> list[str]:
    """Lines of at most ``width``, broken at blanks only, never before a per cent sign."""
    words = text.replace(" %", _GLUED).split()
    lines: list[str] = []
    line = text[: len(text) - len(text.lstrip())] + "".join(words[:1])
    for word in words[1:]:
        if cell_len(line) + 1 + cell_len(word) <= width:
            line = f"{line} {word}"
        else:
            lines.append(line)
            line = hang + word
    return [line.replace(_GLUED, " %") for line in (*lines, line)]


def blocks(table: Table, width: int | None, mark: str = "…") -> list[Block]:
    """The table in as few blocks as fit into ``width``; without a width, as it is.

    Args:
        mark: Stands for the middle of a name that is shortened.
    """
    columns = [_column(table, place) for place in range(len(table.columns))]
    names = {word for column in columns for word in column.words}
    if width is None:
        return [_block(columns, [column.natural for column in columns], names, mark)]
    # How many columns name a row: the first, and the one beside it where it needs that.
    alone = len(set(columns[0].cells)) == len(table.rows) and table.columns[1:2] != ("",)
    key = 1 if alone or len(columns) < 3 or columns[1].right else 2
    parts: list[Block] = []
    rest = columns[key:]
    while rest or not parts:
        taken = len(rest)
        while taken > 1 and _widths([*columns[:key], *rest[:taken]], width) is None:
            taken -= 1
        chosen = [*columns[:key], *rest[:taken]]
        fitting = _widths(chosen, width) or [column.shortest for column in chosen]
        parts.append(_block(chosen, fitting, names, mark, key if parts else 0))
        rest = rest[taken:]
    return [parts[0], *(part for part in parts[1:] if part.rows)]


@dataclass(frozen=True, slots=True)
class _TableColumn:
    head: str
    cells: tuple[str, ...]
    right: bool
    words: frozenset[str]
    """Names that may be shortened: those of the head, and of the cells where these are text."""
    natural: int
    """Width without wrapping."""
    whole: int
    """Width at which every word is whole."""
    shortest: int
    """Width at which every figure is whole."""


def _column(table: Table, place: int) -> _TableColumn:
    head, cells = table.columns[place], tuple(row[place] for row in table.rows)
    right = place > 0 and numeric(cells)
    lines = {line for cell in cells for line in cell.split("\n")}
    words = lines if right else {word for line in lines for word in wrapped(line.strip(), 1)}
    heads = wrapped(head, 1)
    short = [word if right or _is_figure(word) else _start(word, NAME) for word in words]
    return _TableColumn(
        head=head,
        cells=cells,
        right=right,
        words=frozenset(heads if right else words.union(heads)),
        natural=_longest([head, *lines]),
        whole=_longest([*heads, *words]),
        shortest=_longest([*(_start(word, HEAD) for word in heads), *short]),
    )


def _start(word: str, width: int) -> str:
    """As much of a word as fits; some characters take two columns."""
    return next(iter(chop_cells(word, width)), "")


def _is_figure(word: str) -> bool:
    return _FIGURE.fullmatch(word) is not None


def _longest(texts: Iterable[str]) -> int:
    return max(map(cell_len, texts), default=0)


def _widths(columns: Sequence[_TableColumn], width: int) -> list[int] | None:
    """Widths that fill at most ``width``, the widest column giving first; None where none do."""
    room = width - GAP * (len(columns) - 1)
    # Whole words first; only then may names lose their middle. Figures are whole in both.
    for least in ([c.whole for c in columns], [c.shortest for c in columns]):
        for level in range(max(c.natural for c in columns), -1, -1):
            pairs = zip(columns, least, strict=True)
            found = [min(column.natural, max(level, floor)) for column, floor in pairs]
            if sum(found) <= room:
                return found
    return None


def _block(
    columns: Sequence[_TableColumn], widths: Sequence[int], names: set[str], mark: str, key: int = 0
) -> Block:
    """The block of these columns; rows that are empty behind their ``key`` are left out of it."""
    made = []
    for place, (column, width) in enumerate(zip(columns, widths, strict=True)):
        short, hang = shortened(names, width, mark), "" if place else " "
        cells = column.cells
        if not column.right:
            cells = tuple(_wrap(cell, width, short, hang) for cell in cells)
        made.append((_wrap(column.head, width, short), *cells))
    head, *rows = zip(*made, strict=True)
    return Block(
        widths=tuple(widths),
        right=tuple(column.right for column in columns),
        head=head,
        rows=tuple(row for row in rows if not key or any(row[key:])),
    )


def _wrap(cell: str, width: int, short: Mapping[str, str], hang: str = "") -> str:
    lines = [part for line in cell.split("\n") for part in wrapped(line.strip(), width, hang)]
    fitting = (line if cell_len(line) <= width else short.get(line.strip(), line) for line in lines)
    return "\n".join(fitting)


def shortened(names: Iterable[str], width: int, mark: str = "…") -> dict[str, str]:
    """Names of at most ``width``, without their middle where they are longer.

    Those that would then read like another are broken into lines instead; figures are left as
    they are.
    """
    short = {
        name: name if _is_figure(name) else _without_middle(name, width, mark)
        for name in set(names)
    }
    times = Counter(short.values())
    return {
        name: text if times[text] == 1 else "\n".join(chop_cells(name, max(width, 1)))
        for name, text in short.items()
    }


def _without_middle(name: str, width: int, mark: str) -> str:
    if cell_len(name) <= width:
        return name
    room = max(width - cell_len(mark), 2)
    head = room // 3
    tail = room - head
    while tail > 1 and cell_len(name[:head]) + cell_len(name[-tail:]) > room:
        head, tail = max(head - 1, 1), tail - 1
    return f"{name[:head]}{mark}{name[-tail:]}"
