"""Whose image a file is, from its path. What is not found is unknown, never guessed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from leukreg.errors import DataError


class PatientFinder:
    """From a path to a patient id, by a regular expression or by a folder.

    Raises:
        DataError: Both are given, or the expression is wrong.
    """

    def __init__(self, pattern: str | None, level: int | None) -> None:
        if pattern and level:
            raise DataError("patient and patient_level exclude each other; give one of them")
        self._pattern = patient_pattern(pattern) if pattern else None
        self._level = level

    def __call__(self, path: str, inside: Sequence[str]) -> str | None:
        """The patient of a file, or None.

        Args:
            path: POSIX path below the root.
            inside: Parts of the path below the class folder, the file name last.
        """
        if self._pattern:
            match = self._pattern.search(path)
            return match.group(1) if match else None
        if self._level and self._level < len(inside):
            return unicodedata.normalize("NFC", inside[self._level - 1])
        return None

    def missed(self, path: str) -> str:
        """What to say when not one file has a patient; ``path`` is an example."""
        if self._pattern:
            return f"patient = {self._pattern.pattern!r} matches no path; a path reads {path!r}"
        return f"no image lies {self._level} folders deep in its class folder, as {path!r} shows"


def patient_pattern(text: str) -> re.Pattern[str]:
    """The compiled expression.

    Raises:
        DataError: It is no regular expression, or has not exactly one group.
    """
    try:
        pattern = re.compile(text)
    except re.error as error:
        raise DataError(f"patient = {text!r} is no regular expression: {error}") from error
    if pattern.groups != 1:
        raise DataError(
            f"patient = {text!r} has {pattern.groups} groups; it needs exactly one, round the "
            r"patient id, such as '(p\d+)_'"
        )
    return pattern
