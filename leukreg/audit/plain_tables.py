"""The tables of plain text: a pasted report of scikit-learn, columns between bars, of one delimiter
or aligned, a matrix in brackets, lines such as "Accuracy: 0.94"."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence

from leukreg.audit.table_forms import Grid, grid_of
from leukreg.audit.table_headings import is_figure

_MATRIX = re.compile(r"\[\s*(?:\[[\d\s.,%'\"]*\][\s,]*)+\]")
_BAR_RULE = re.compile(r"[\s|+:=\-─━═┌┬┐├┼┤└┴┘╪╬]+")
_NUMBER = (
    r"(?:nan|n/?a|[-–—]+|[-+]?\d*[.,]?\d+(?:e[-+]?\d+)?\s?%?"
    r"(?:\s?(?:±|\+/?-)\s?\d*[.,]?\d+\s?%?)?"
    r"(?:\s?[(\[](?:95 ?% ?)?(?:CI:? ?)?[\d.](?:[\d\s.,%;–—-]|to)*[)\]])?)"
)
_TAIL = re.compile(rf"(?:^|(?<=\s)){_NUMBER}\s*$", re.IGNORECASE)
_PAIR = re.compile(
    rf"[^\w]*([^\d\W][^:=|\t,;]{{0,50}}?)\s*[:=]\s*({_NUMBER})[\s.*`]*(?:\(([^()]*)\)\s*)?",
    re.IGNORECASE,
)
"""A line such as "Test accuracy: 0.94 (112 of 119)"."""
LONGEST_LINE = 1_000
MOST_WORDS = 4
"""Of what is said over the columns of a matrix."""
_TORN = re.compile(r"\d\s+\d")
"""What a comma leaves behind that was no delimiter but a decimal comma."""


def plain_tables(text: str, caption: str = "") -> Iterator[Grid]:
    """Text without marks of its own: reports, tables between bars, of one delimiter or aligned."""
    text = re.sub(r"^[^\S\n]*[#>]+", "  ", text, flags=re.MULTILINE)
    text = re.sub(r"\*\*|`|(?<=\d)[*†‡§]+", "", text)
    text = re.sub(r"\n\s*\n\s*\n", "\n\n", text)
    for matrix in _MATRIX.findall(text):
        rows = re.findall(r"\[([^\[\]]+)\]", matrix)
        yield grid_of([re.findall(r"[\d.]+ ?%?", row) for row in rows], caption, labelled=False)
    lines = _MATRIX.sub("\n\n", text).translate(str.maketrans("│┃║", "|||")).split("\n")
    pairs: list[Sequence[str]] = []
    at = 0
    while at < len(lines):
        if header := _report_header(lines[at]):
            rows, at = _report(lines, at + 1, len(header) - 1)
            yield grid_of([header, *rows], caption)
            continue
        end = at + 1
        kind = _kind(lines[at])
        while end < len(lines) and _kind(lines[end]) == kind and not _report_header(lines[end]):
            end += 1
        if kind == "pair":
            pairs += [
                _pair(*m.groups("")) for line in lines[at:end] if (m := _PAIR.fullmatch(line))
            ]
        elif kind == "bars":
            yield from _bars(lines[at:end], caption)
        elif kind == "text":
            yield from _columns(lines[at:end], caption)
        at = end
    if pairs:
        yield grid_of([("Figure", "Value"), *pairs], caption)


def _kind(line: str) -> str:
    if not line.strip() or len(line) > LONGEST_LINE:
        return "blank"
    if "|" in line or (_BAR_RULE.fullmatch(line) and "+" in line):
        return "bars"
    return "pair" if _PAIR.fullmatch(line) else "text"


def _pair(name: str, value: str, remark: str) -> tuple[str, str]:
    """Name and value; a remark of one word, "macro" or "validation", says which figure it is."""
    is_word = re.fullmatch(r"[^\W\d_]+", remark) and remark.lower() != "test"
    return (f"{remark} {name}" if is_word else name), value


def _bars(lines: Sequence[str], caption: str) -> Iterator[Grid]:
    told = [line.strip() for line in lines if not _BAR_RULE.fullmatch(line)]
    rows = [line.removeprefix("|").removesuffix("|").split("|") for line in told]
    if len(rows) > 1:
        yield grid_of(rows, caption)


def _report_header(line: str) -> list[str]:
    """The heading of the labels, then names of figures; empty where the line is none."""
    if re.search(r"[|\t,;]", line.strip()) or len(line) > LONGEST_LINE:
        return []
    apart = re.split(r"\s{2,}", line.strip())
    if len(apart) > 1 and all(map(is_figure, apart[1:])):
        return ["", *apart] if is_figure(apart[0]) else apart
    words = line.split()
    names: list[str] = []
    while words:
        ends = [" ".join(words[-k:]) for k in (3, 2, 1) if k <= len(words)]
        name = next((end for end in ends if is_figure(end)), "")
        if not name:
            break
        names.insert(0, name)
        words = words[: -len(name.split())]
    return [" ".join(words), *names] if len(names) > 1 and len(words) < 4 else []


_RIGHT = re.compile(
    r"\s*(accuracy|(macro|weighted|micro|samples) avg|avg / total)\b", re.IGNORECASE
)
"""Rows of scikit-learn's that leave out the first columns."""


def _report(lines: Sequence[str], at: int, columns: int) -> tuple[list[list[str]], int]:
    """The rows below a header of aligned columns, and where they end."""
    rows: list[list[str]] = []
    blank = 0
    while at < len(lines) and blank < 3 and not _PAIR.fullmatch(line := lines[at]):
        if not line.strip() or _BAR_RULE.fullmatch(line):
            blank, at = blank + 1, at + 1
            continue
        label, values = _tail(line, columns)
        if not values:
            break
        if not label:  # "0 0.98 0.92": of a class 0, and a cell is missing, nobody knows which
            label, values = values[0], values[1:]
        if missing := columns - len(values):
            told = values if _RIGHT.match(line) else [f"? {value}" for value in values]
            values = [*[""] * missing, *told]
        rows.append([label, *values])
        blank, at = 0, at + 1
    return rows, at


def _tail(line: str, most: int) -> tuple[str, list[str]]:
    """The figures at the end of a line, at most so many, and what stands before them."""
    values: list[str] = []
    rest = line.rstrip()
    while len(values) < most and (match := _TAIL.search(rest)):
        values.insert(0, match[0].strip())
        rest = rest[: match.start()].rstrip()
    return rest.strip(), values


def _columns(lines: Sequence[str], caption: str) -> Iterator[Grid]:
    for delimiter in ("\t", ";", ","):
        if not all(delimiter in line for line in lines):
            continue
        rows = list(csv.reader(lines, delimiter=delimiter, skipinitialspace=True))
        torn = delimiter == "," and any(_TORN.search(cell) for row in rows for cell in row)
        if not torn and len({len(row) for row in rows}) == 1 and len(rows) > 1:
            yield grid_of(rows, caption)
            return
    yield from _aligned(lines, caption)


def _aligned(lines: Sequence[str], caption: str) -> Iterator[Grid]:
    rows = [re.split(r"\s{2,}", line.strip()) for line in lines if not _BAR_RULE.fullmatch(line)]
    if len(rows) > 1 and len(rows[0]) == len(rows[1]) - 1:
        rows[0] = ["", *rows[0]]
    same = len(rows) > 1 and len({len(row) for row in rows}) == 1
    if same and len(rows[0]) > 1 and not any(re.search(r"\[\s*\d", line) for line in lines):
        yield grid_of(rows, caption)
        return
    yield from _squares(lines, caption)


_COUNTS = re.compile(r"(?<![\w.,])\d+(?:[\s,|]+\d+)+(?![\w.%])")
_REMARK = re.compile(r"[\s\]|]*(?:[\d.,]+ ?%.*|[←#<].*)?")
"""What is said of a row of counts behind them: "97 %"."""


def _squares(lines: Sequence[str], caption: str) -> Iterator[Grid]:
    """As many lines of counts as each has counts: a confusion matrix, with or without names."""
    found = [_counts(line) for line in lines]
    at = 0
    while at < len(lines):
        size = len(found[at]) - 1
        cells = [row for row in found[at : at + size] if len(row) == size + 1]
        if size < 2 or len(cells) < size:
            at += 1
            continue
        if not any(row[0] for row in cells):
            yield grid_of([row[1:] for row in cells], caption, labelled=False)
        elif at and (head := _heads_of(lines[at - 1], size)):
            above = lines[at - 2].strip() if at > 1 else ""
            if len(above.split()) > MOST_WORDS:  # a sentence, no heading of the columns
                yield grid_of([head, *cells], above)
            else:
                yield grid_of([["", *[above] * size], head, *cells], caption)
        elif at > 1 and len(names := lines[at - 2].split()) == size + 1:  # as pandas crosses two
            heads = [["", *names[:1] * size], [lines[at - 1].strip(), *names[1:]]]
            yield grid_of([*heads, *cells], caption)
        at += size


def _counts(line: str) -> list[str]:
    """A label, or none, and the counts behind it; one empty label where there are none."""
    match = _COUNTS.search(line)
    if match is None or not _REMARK.fullmatch(line, match.end()):
        return [""]
    return [line[: match.start()].rstrip(" :[|").strip(), *re.findall(r"\d+", match[0])]


def _heads_of(line: str, size: int) -> list[str]:
    """The corner and the names of so many columns; empty where there are not so many."""
    for words in (re.split(r"\s{2,}", line.strip()), line.split()):
        if len(words) in (size, size + 1):
            return words if len(words) > size else ["", *words]
    return []
