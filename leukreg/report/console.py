"""The report on a console: what a researcher would paste into a mail.

Sections are plain text and tables; a pipe gets every line of a table whole, as it is searched.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Task, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from leukreg.progress import Advance
from leukreg.record import RunRecord
from leukreg.registry import Registry
from leukreg.registry.plugin_call import noted
from leukreg.report.table_layout import GAP, Block, blocks, is_list, wrapped
from leukreg.section import Section, Table
from leukreg.text import visible
from leukreg.types import Finding


def sections(result: RunRecord, registry: Registry, page: bool = False) -> tuple[Section, ...]:
    """The sections by rising order, for the console or for the page.

    A report that fails leaves a line that says so.
    """
    found: list[Section] = []
    for entry in sorted((e for e in registry if e.kind == "report"), key=lambda e: e.name):
        try:
            report = entry.cls()
            found += list(report.build(result))
        except Exception as error:  # a stranger's report may raise anything
            what = f"This section could not be made ({entry.owner})"
            text = (f"! {noted(what, report, error)}",)
            found.append(Section(title=f"Report {entry.name}", text=text, order=90))
    if page:
        return tuple(sorted(found, key=lambda s: s.order if s.page is None else s.page))
    return tuple(sorted((s for s in found if s.console), key=lambda s: s.order))


def title_of(result: RunRecord) -> str:
    return str(result.recipe.get("title") or result.recipe.get("name") or result.name)


MARKS = {"error": "bold red", "warning": "yellow", "note": "cyan", "waived": "dim"}
MARGIN = "  "
"""Before every line of a table."""
WIDEST = 110
"""Columns of running text, however wide the terminal."""
MARK = 9
"""Columns of an entry's mark, such as a severity."""


class _Quiet(Console):
    """A console that leaves a closed pipe (``| head``) to the program's one error handler."""

    def on_broken_pipe(self) -> None:
        raise BrokenPipeError


def open_console(err: bool = False) -> Console:
    """The terminal or pipe that commands draw on; text is text, never markup or an emoji's name."""
    return _Quiet(stderr=err, markup=False, emoji=False, highlight=False)


def show(result: RunRecord, console: Console, registry: Registry) -> None:
    """Print the report of a run."""
    print_line(console, title_of(result), "bold")
    folder = safe(f"Run folder: {result.folder}", console)
    console.print(Text(folder, style="dim"), soft_wrap=True)  # whole, so that it can be copied
    print_line(console, "For research, not for diagnosis.", "dim")
    print_sections(sections(result, registry), console)


def print_sections(sections: Iterable[Section], console: Console) -> None:
    """Print sections, the first without its title: it stands under the command."""
    for index, section in enumerate(sections):
        render(section, console, titled=index > 0)


def render(section: Section, console: Console, titled: bool = True) -> None:
    """Print one section: title, text, tables."""
    console.print()
    if titled:
        print_line(console, section.title, "bold")
    for line in section.text:
        print_line(console, line, "bold yellow" if line.startswith("! ") else "")
    for index, table in enumerate(section.tables):
        if index:
            console.print()
        print_table(table, console)


def print_table(table: Table, console: Console) -> None:
    """Print a table without lines but the one under its head; numbers stand on the right.

    One of two columns without names is a list of entries: a mark and lines of text.
    """
    if is_list(table):
        for mark, text in table.rows:
            print_entry(mark, text.split("\n"), console)
        return
    known = Table(
        columns=tuple(safe(name, console) for name in table.columns),
        rows=tuple(tuple(safe(cell, console) for cell in row) for row in table.rows),
    )
    width = console.width - len(MARGIN) if console.is_terminal else None
    utf = (console.encoding or "").lower().startswith("utf")
    for number, block in enumerate(blocks(known, width, "…" if utf else "..")):
        if number:
            console.print()
        _print_cells(block, block.head, console)
        across = sum(block.widths) + GAP * (len(block.widths) - 1)
        console.print(Text(MARGIN + ("─" if utf else "-") * across), soft_wrap=True)
        for row in block.rows:
            _print_cells(block, row, console)
    if table.caption:
        print_line(console, f"{MARGIN}{table.caption}", "dim")


def _print_cells(block: Block, row: tuple[str, ...], console: Console) -> None:
    for line in block.lines(row):
        parts = [Text(part, style=MARKS.get(part.strip(), "")) for part in line]
        text = Text(MARGIN) + Text(" " * GAP).join(parts)
        text.rstrip()
        console.print(text, soft_wrap=True)


def print_entry(mark: str, lines: Iterable[str], console: Console) -> None:
    """Print a mark and lines of text beside it, each wrapped under itself on a terminal.

    Whoever reads a pipe wants each line whole.
    """
    head = f"{mark:<{MARK}}"
    for index, line in enumerate(lines):
        text = safe(line, console).replace("\n", " ")
        width = min(console.width, WIDEST) if console.is_terminal else max(len(text), 1) + MARK
        for part in wrapped(text, width - MARK):
            entry = Text(head + part, style="dim" if index else "")
            if head.strip():
                entry.stylize(MARKS.get(mark, "bold"), 0, len(mark))
            console.print(entry, soft_wrap=True)
            head = " " * MARK


def print_findings(
    title: str, findings: Sequence[Finding], console: Console, most: int | None = None
) -> None:
    """Print a title with the counts, and each finding, of ``most`` the first, in two lines (wrapped
    on a terminal); the second, what to do, only after the last of several that say the same."""
    head = Text(safe(f"{title}: ", console), style="bold")
    console.print(head + Text(summary(findings)), soft_wrap=True)
    told = [finding.lines() for finding in findings[:most]]
    for (mark, first, second), following in zip(told, [*told[1:], None], strict=False):
        again = following is not None and second == following[2]
        print_entry(mark, (first,) if again else (first, second), console)
    if most is not None and findings[most:]:
        console.print(Text(f"{len(findings) - most} more findings: --all shows them"))
    console.print()


def summary(findings: Sequence[Finding]) -> str:
    """Such as "2 errors, 1 warning, 1 waived"."""
    counts = Counter(finding.lines()[0] for finding in findings)
    parts = [
        f"{counts[kind]} {kind}{'s' if counts[kind] != 1 and kind != 'waived' else ''}"
        for kind in ("error", "warning", "note", "waived")
        if counts[kind]
    ]
    return ", ".join(parts) or "nothing found"


def print_line(console: Console, line: str, style: str = "") -> None:
    """One line of text, wrapped at words; what follows the first is indented under a mark."""
    hang = "  " if line.startswith(("! ", "  ")) else ""
    for part in wrapped(safe(line, console), min(console.width, WIDEST), hang):
        console.print(Text(part, style=style), soft_wrap=True)


def safe(text: str, console: Console) -> str:
    """The text as far as the console's encoding has it, control characters made visible."""
    return visible(text, console.encoding or "ascii")


EVERY = 5.0
"""Seconds between two lines of one task where there is no terminal."""
AT_ONCE = 0.1
WIDEST_TITLE = 32
"""Characters of a bar's title; the bar itself needs room too."""


class RichProgress:
    """Implements :class:`leukreg.progress.Progress`. Use as a context manager, or not."""

    def __init__(
        self,
        console: Console,
        every: float = EVERY,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._console = console
        self._every = every
        self._clock = clock
        self._open = 0
        self._bars: Bars | None = _bars(console) if console.is_terminal else None

    def __enter__(self) -> RichProgress:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bars is not None:
            self._bars.stop()

    def task(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """A bar, or lines; tasks may lie within tasks."""
        if self._bars is not None:
            return self._bar(self._bars, title, total)
        return self._lines(title, total)

    def say(self, text: str) -> None:
        """One line above the bars."""
        console = self._console if self._bars is None else self._bars.console
        console.print(Text(safe(text, self._console)), soft_wrap=True)

    @contextmanager
    def _bar(self, bars: Bars, title: str, total: int | None) -> Iterator[Advance]:
        if self._open == 0:
            bars.start()
        self._open += 1
        task = bars.add_task(_shortened(safe(title, self._console)), total=total, note="")

        def advance(steps: int = 1, note: str = "") -> None:
            extra = {"note": safe(note, self._console)} if note else {}
            bars.update(task, advance=steps, **extra)  # type: ignore[arg-type]

        try:
            yield advance
        finally:
            bars.remove_task(task)
            self._open -= 1
            if self._open == 0:
                bars.stop()

    @contextmanager
    def _lines(self, title: str, total: int | None) -> Iterator[Advance]:
        began = said = self._clock()
        done = 0
        first: tuple[int, float] | None = None

        def advance(steps: int = 1, note: str = "") -> None:
            nonlocal done, said, first
            done += steps
            now = self._clock()
            # What is done at once was done before a kill: it tells no speed.
            first = first or ((done, now) if now - began < AT_ONCE else (0, began))
            if now - said >= self._every and (total is None or done < total):
                said = now
                pace = (now - first[1]) / (done - first[0]) if done > first[0] else None
                self.say(_line(title, done, total, pace, note))

        try:
            yield advance
        except BaseException:
            self.say(f"{title}: stopped after {_span(self._clock() - began)}")
            raise
        count = f"{done:,}, " if done and total is None else ""
        self.say(f"{title}: {count}done in {_span(self._clock() - began)}")


def _shortened(title: str) -> str:
    """A title of at most ``WIDEST`` characters, cut in its middle; no number is cut through.

    A title's end tells two bars apart: the fold, the file.
    """
    if len(title) <= WIDEST_TITLE:
        return title
    head = (WIDEST_TITLE - 3) // 2
    tail = len(title) - (WIDEST_TITLE - 3 - head)
    start, end = title[:head], title[tail:]
    if title[head - 1].isdigit() and title[head].isdigit():
        start = start.rstrip("0123456789.,")
    if title[tail].isdigit() and (title[tail - 1].isdigit() or title[tail - 1] in ".,"):
        end = end.lstrip("0123456789.,")
    return f"{start.rstrip()}...{end.lstrip()}"


class Counts(MofNCompleteColumn):
    """How many of how many; nothing where that is not known."""

    def render(self, task: Task) -> Text:
        return Text() if task.total is None else super().render(task)


def _bars(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        Counts(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
        refresh_per_second=4,
    )


def _line(title: str, done: int, total: int | None, pace: float | None, note: str) -> str:
    """``pace`` are seconds a step; None where that is not known yet."""
    text = f"{title}: {done:,}" if done or total else title
    if total:
        text += f" of {total:,} ({100 * done // total} %)"
        text += f", {_span(pace * (total - done))} left" if pace else ""
    return f"{text}{', ' if done or total else ': '}{note}" if note else text


def _span(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
