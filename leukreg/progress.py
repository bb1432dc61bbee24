"""How long work says how far it is, without knowing who listens."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Advance(Protocol):
    def __call__(self, steps: int = 1, note: str = "") -> None:
        """``steps`` more are done; ``note`` replaces the text beside the bar ("loss 0.31")."""
        ...


class Progress(Protocol):
    """Whatever takes over two seconds reports to one of these."""

    def task(self, title: str, total: int | None = None) -> AbstractContextManager[Advance]:
        """A piece of work of ``total`` steps (None: unknown)."""
        ...

    def say(self, text: str) -> None:
        """One line worth keeping, such as the end of a phase."""
        ...


class Silent:
    """Listens to nothing: the default of library functions and tests."""

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[Advance]:
        yield lambda steps=1, note="": None

    def say(self, text: str) -> None:
        return None


SILENT = Silent()


@contextmanager
def quiet(*loggers: str) -> Iterator[None]:
    """Without warnings, and without what these loggers remark below an error."""
    known = [logging.getLogger(name) for name in loggers]
    levels = [logger.level for logger in known]
    for logger in known:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(known, levels, strict=True):
            logger.setLevel(level)
