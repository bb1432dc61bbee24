"""What is wrong with an evaluation on another source, beside what the audit finds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leukreg.types import Finding

SHOWN = 6
"""Names in a message; more are counted."""


def findings_of(facts: Mapping[str, Any], scored: int) -> tuple[Finding, ...]:
    """Errors first: copies of training images, classes left out or missing.

    Args:
        facts: The fact ``evaluated_from``.
        scored: Rows that were scored.
    """
    return (*_copies(facts, scored), *_classes(facts))


def _copies(facts: Mapping[str, Any], scored: int) -> Iterator[Finding]:
    copies = {**facts["copies"]["exact"], **facts["copies"]["near"]}
    left_out = facts["copies_left_out"]
    if copies and not left_out:
        here, there = next(iter(copies.items()))
        yield Finding(
            rule="external-copies",
            severity="error",
            message=f"{len(copies):,} of {scored:,} images are copies of training images of "
            f"{facts['run']}, such as {here} ~ {there}",
            why="What was trained on is recognised, not classified.",
            advice="score without them (--leave-out-copies), or take images from elsewhere",
        )
    if left_out:
        yield Finding(
            rule="external-copies",
            severity="note",
            message=f"{left_out:,} copies of training images were left out",
        )
    if facts["copies_unknown"]:
        yield Finding(
            rule="external-copies",
            severity="warning",
            message=f"not all copies of training images could be looked for: "
            f"{facts['copies_unknown']}",
            advice="put the run's own images back where they were, and evaluate again",
        )


def _classes(facts: Mapping[str, Any]) -> Iterator[Finding]:
    if facts["missing"]:
        yield Finding(
            rule="external-classes",
            severity="warning",
            message=f"no image here of {_some(facts['missing'])}: figures hold for the other "
            "classes only",
            advice="compare the drops, which are made on the classes that both have",
        )
    if facts["unmapped"]:
        named = [f"{name} ({n:,})" for name, n in facts["unmapped"].items()]
        yield Finding(
            rule="external-classes",
            severity="note",
            message=f"{sum(facts['unmapped'].values()):,} images of classes that the run does not "
            f"know were left out: {_some(named)}",
            advice="map them with --map OtherName=class if they are one of the run's",
        )


def _some(names: list[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(names[:SHOWN]) + more
