"""Progress on a console: bars on a terminal, a line now and then in a pipe or a log."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from leukreg.progress import Advance
from leukreg.report.console import safe

EVERY = 5.0
"""Seconds between two lines of one task where there is no terminal."""
AT_ONCE = 0.1
WIDEST = 32
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

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        """A bar, or lines; tasks may lie within tasks."""
        made = self._bar(title, total) if self._bars is not None else self._lines(title, total)
        with made as advance:
            yield advance

    def say(self, text: str) -> None:
        """One line above the bars."""
        console = self._console if self._bars is None else self._bars.console
        console.print(Text(safe(text, self._console)), soft_wrap=True)

    @contextmanager
    def _bar(self, title: str, total: int | None) -> Iterator[Advance]:
        bars = self._bars
        assert bars is not None
        if self._open == 0:
            bars.start()
        self._open += 1
        task = bars.add_task(self._fitted(title), total=total, note="")

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

    def _fitted(self, title: str) -> str:
        return _shortened(safe(title, self._console))

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
    if len(title) <= WIDEST:
        return title
    head = (WIDEST - 3) // 2
    tail = len(title) - (WIDEST - 3 - head)
    start, end = title[:head], title[tail:]
    if title[head - 1].isdigit() and title[head].isdigit():
        start = start.rstrip("0123456789.,")
    if title[tail].isdigit() and (title[tail - 1].isdigit() or title[tail - 1] in ".,"):
        end = end.lstrip("0123456789.,")
    return f"{start.rstrip()}...{end.lstrip()}"


def _bars(console: Console) -> Bars:
    return Bars(
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=None),
        MofNCompleteColumn(),
        TimeRemainingColumn(compact=True, elapsed_when_finished=True),
        TextColumn("{task.fields[note]}", markup=False),
        console=console,
        transient=True,
        refresh_per_second=4,
    )


def _line(title: str, done: int, total: int | None, pace: float | None, note: str) -> str:
    """``pace`` are seconds a step; None where that is not known yet."""
    text = f"{title}: {done:,}"
    if total:
        text += f" of {total:,} ({100 * done // total} %)"
        text += f", {_span(pace * (total - done))} left" if pace else ""
    return f"{text}, {note}" if note else text


def _span(seconds: float) -> str:
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes == 0:
        return f"{rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"
