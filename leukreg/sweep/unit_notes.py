"""How far the units of a sweep are, read from the notes that they leave."""

from __future__ import annotations

import threading
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from leukreg.progress import Advance, Progress

LOOK = 0.5
"""Seconds between two looks at the notes."""


@dataclass(slots=True, eq=False)
class _Watched:
    note: Path
    advance: Advance
    task: ExitStack
    said: str = ""


@dataclass(slots=True, eq=False)
class Watch:
    """Shows a sweep's units, and each one under way, while workers do them; a context manager.

    It looks in a thread of its own: where units are done in this process, nobody else can.
    """

    progress: Progress
    title: str
    total: int
    already: int
    _units: dict[str, _Watched] = field(default_factory=dict)
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _every: ExitStack = field(default_factory=ExitStack)
    _advance: Advance | None = None

    def __enter__(self) -> Watch:
        self._advance = self._every.enter_context(self.progress.task(self.title, self.total))
        self._advance(self.already)
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *raised: object) -> None:
        self._over.set()
        assert self._thread is not None
        self._thread.join()
        for label in [*self._units]:
            self.end(label)
        self._every.__exit__(*raised)  # type: ignore[arg-type]

    def begin(self, label: str, note: Path) -> None:
        """A unit is handed to a worker."""
        note.unlink(missing_ok=True)
        task = ExitStack()
        advance = task.enter_context(self.progress.task(label))
        self._units[label] = _Watched(note, advance, task)

    def end(self, label: str) -> None:
        """It is there again."""
        if (unit := self._units.pop(label, None)) is not None:
            unit.task.close()
            unit.note.unlink(missing_ok=True)

    def done(self, label: str) -> None:
        """It is there again, and needs no more work."""
        self.end(label)
        assert self._advance is not None
        self._advance(1)

    def _look(self) -> None:
        while not self._over.wait(LOOK):
            for unit in [*self._units.values()]:
                with suppress(OSError):
                    text = unit.note.read_text(encoding="utf-8")
                    if text != unit.said:
                        unit.said = text
                        unit.advance(0, text)
