"""Names that differ only in how they are written: case, spaces, hyphens, Unicode form."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_BETWEEN = re.compile(r"[\s_\-\u2010-\u2015\u00ad\u200b-\u200d\ufeff]+")
"""Spaces, underscores, hyphens and dashes, and characters that nobody sees."""


def alike(names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Sets of names that a reader would take for one, in the order of the names."""
    groups: dict[str, list[str]] = {}
    for name in dict.fromkeys(names):
        groups.setdefault(_written_plainly(name), []).append(name)
    return tuple(tuple(group) for group in groups.values() if len(group) > 1)


def said_alike(names: Iterable[str]) -> str:
    """What to say of such a set of class names."""
    listed = ", ".join(map(repr, names))
    return (
        f"classes that differ only in case, spaces, hyphens or Unicode form: {listed}; if they are "
        "one class, merge them with data.classes"
    )


def same_but_for_form(one: str, other: str) -> bool:
    """Whether two different names would be taken for one."""
    return one != other and _written_plainly(one) == _written_plainly(other)


def _written_plainly(name: str) -> str:
    plain = _BETWEEN.sub("", unicodedata.normalize("NFKC", name).casefold())
    return unicodedata.normalize("NFC", plain) or name
