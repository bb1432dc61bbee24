"""The errors that leukreg shows a person. Each says what is wrong, where, and what to do."""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

USERS_TO_MEND = {
    errno.EACCES, errno.EPERM, errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG
}  # fmt: skip
"""Errors of the machine that are nobody's bug."""


class LeukregError(Exception):
    """Something a user can mend; printed as it is, without a traceback (exit code 2)."""

    code: int = 2
    """The program's exit code."""


class NotAvailable(LeukregError):
    """What a plugin needs is not on this machine (weights, a data folder, a network).

    A recipe may declare a ``fallback`` for it; without one this is an ordinary error.
    """


class PluginError(LeukregError):
    """A plugin is missing, broken, duplicated or breaks its contract."""


class PluginFault(PluginError):
    """A plugin's own code raised, or broke its contract: its authors must mend it (exit code 3).

    Args:
        owner: The distribution and version it comes from, where that is known.
    """

    code = 3

    def __init__(self, message: str, owner: str = "") -> None:
        super().__init__(message)
        self.owner = owner


class DataError(LeukregError):
    """The images or tables are not what the recipe needs."""


class TrainingError(LeukregError):
    """Training cannot go on, for example because the loss is not a number."""


class LostProcess(LeukregError):
    """Another process of a training on several devices ended, or answers no more."""


class GateError(LeukregError):
    """Synthetic images failed their gate, and the recipe says that this stops the run (exit code
    1)."""

    code = 1


class RunError(LeukregError):
    """A run folder is missing, incomplete, damaged or in use."""


class UnfinishedError(RunError):
    """A run has no result: it failed, was interrupted, or still runs."""


class WriteError(LeukregError):
    """A file or folder cannot be written: the disk is full, say."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a recipe or table: where it stands and what is wrong with it."""

    message: str
    where: str | None = None
    """``file:line``, or an image path, or None where there is no place to point at."""
    excerpt: str | None = None
    """The offending text with its markers, ready to print under the message."""

    def __str__(self) -> str:
        head = f"{self.where}  {self.message}" if self.where else self.message
        return f"{head}\n{self.excerpt}" if self.excerpt else head


class Problems(LeukregError):
    """All mistakes at once, before any work starts; exit code 3 where a plugin made one."""

    def __init__(
        self, problems: Sequence[Problem], closing: str = "nothing was run.", code: int = 2
    ) -> None:
        self.problems = tuple(problems)
        self.code = code
        count = len(self.problems)
        tail = f"{count} problem{'' if count == 1 else 's'}; {closing}"
        super().__init__("\n".join([*(str(p) for p in self.problems), tail]))


def refuse(messages: Iterable[str]) -> None:
    """Raise all of these as :class:`Problems`; nothing where there are none."""
    if problems := [Problem(message) for message in messages]:
        raise Problems(problems)
