"""A rule's docstring is its documentation, and what its findings say.

Its first line is the listing, the paragraphs up to ``Do:`` say why it matters, ``Do:`` what to do
and ``Reference:`` where it comes from.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Iterable

from leukreg import Finding, Severity


def found(rule: object, severity: Severity, message: str) -> Finding:
    """A finding of ``rule`` with what its docstring says of it."""
    why, advice, reference = sections(inspect.getdoc(rule) or "")
    name = str(getattr(type(rule), "leukreg_name", type(rule).__name__))
    return Finding(
        rule=name,
        severity=severity,
        message=message,
        why=why,
        advice=advice,
        reference=reference,
    )


@functools.cache
def sections(doc: str) -> tuple[str, str, str]:
    """Why, advice and reference from a rule's docstring."""
    paragraphs = [" ".join(p.split()) for p in doc.split("\n\n")]
    parts = {"": list[str](), "Do:": list[str](), "Reference:": list[str]()}
    for paragraph in paragraphs[1:]:
        head = next((h for h in ("Do:", "Reference:") if paragraph.startswith(h)), "")
        parts[head].append(paragraph.removeprefix(head).strip())
    why, advice, reference = (" ".join(texts) for texts in parts.values())
    return why, advice, reference


def some(names: Iterable[str], most: int = 3) -> str:
    """A few names for a message: "a, b, c and 4 more"."""
    listed = list(names)
    head = ", ".join(listed[:most])
    return f"{head} and {len(listed) - most:,} more" if len(listed) > most else head


def brief(reason: str) -> str:
    """The first clause of a reason that was said in full elsewhere."""
    return re.split(r"; | \(|[.:] ", reason, maxsplit=1)[0].rstrip(".")


def plural(count: int, noun: str, nouns: str = "") -> str:
    return f"{count:,} {noun if count == 1 else nouns or noun + 's'}"
