"""The published table of the evidence, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping

from leukreg import Evidence, Examined, Problems, Reported, examine, read_reported


def published(evidence: Evidence) -> Reported | None:
    """The ``[reported]`` table; None without one, or with one that cannot be read (which the rule
    ``reported-unreadable`` says)."""
    if not isinstance(evidence.reported, Mapping) or not evidence.reported:
        return None
    try:
        return read_reported(evidence.reported)
    except Problems:
        return None


def supports(reported: Reported) -> dict[str, int]:
    """Test rows per class where all are stated or follow from the table; else empty."""
    stated = reported.test_supports()
    if reported.classes and set(stated) >= set(reported.classes):
        return {c: stated[c] for c in reported.classes}
    examined = examine(reported)
    known = {tuple(s for s, _, _ in found) for found in examined.marginals()}
    if len(known) == 1:
        return dict(zip(reported.classes, known.pop(), strict=True))
    return {}


def aside_note(examined: Examined) -> str:
    """ ", once <figure> is set aside", where what is said holds only then."""
    if examined.aside is None:
        return ""
    repair = examined.aside
    name = f"{repair.label} {repair.name}".strip().replace("_", " ")
    return f" (once the {name} of {repair.printed} is set aside)"


def shares(reported: Reported) -> dict[str, int]:
    """Rows per class to compute baselines from: the test's, else the whole set's."""
    return supports(reported) or _complete(reported, "class_counts")


def _complete(reported: Reported, name: str) -> dict[str, int]:
    tally = reported.tally(name)
    return tally if tally and set(tally) >= set(reported.classes) else {}
