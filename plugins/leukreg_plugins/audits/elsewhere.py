"""Rules on evaluations of a run's models on other images (fact ``evaluated_from``)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from leukreg import Evidence, Finding, plugin
from leukreg_plugins.audits.told import found, plural, some


def origin(evidence: Evidence) -> Mapping[str, Any]:
    """What is kept of the original run; empty for a run of its own."""
    facts = evidence.facts.get("evaluated_from")
    return facts if isinstance(facts, Mapping) else {}


@plugin("external-copies")
class ExternalCopies:
    """Images from elsewhere that are copies of training images.

    What was trained on is recognised, not classified: elsewhere is then no elsewhere.

    Do: score without them (`leukreg evaluate --leave-out-copies`), or take other images.

    Reference: Barz and Denzler, Do we train on test data?, J. Imaging 2020.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        facts = origin(evidence)
        kept = facts.get("copies") or {}
        copies = {**kept.get("exact", {}), **kept.get("near", {})}
        left_out = int(facts.get("copies_left_out") or 0)
        if copies and not left_out:
            here, there = next(iter(copies.items()))
            total = len(evidence.predictions) if evidence.predictions is not None else len(copies)
            yield found(
                self,
                "error",
                f"{len(copies):,} of {plural(total, 'image')} copy training images of"
                f" {facts.get('run')}, such as {here} ~ {there}",
            )
        if left_out:
            yield found(
                self, "note", f"{plural(left_out, 'copy', 'copies')} of training images left out"
            )
        if facts.get("copies_unknown"):
            yield found(
                self,
                "warning",
                f"not all copies of training images could be looked for: {facts['copies_unknown']}",
            )


@plugin("external-classes")
class ExternalClasses:
    """Classes that the run and the images from elsewhere do not share.

    Figures over classes of which there is no image say nothing of them.

    Do: map names with `--map OtherName=class`; compare the drops, which are on shared classes.
    """

    def build(self, evidence: Evidence) -> Iterable[Finding]:
        facts = origin(evidence)
        missing = facts.get("missing") or ()
        if missing:
            yield found(self, "warning", f"no image from elsewhere shows {some(missing, 6)}")
        unmapped = facts.get("unmapped") or {}
        if unmapped:
            named = [f"{name} ({count:,})" for name, count in unmapped.items()]
            total = plural(sum(unmapped.values()), "image")
            yield found(
                self,
                "note",
                f"{total} of classes that the run does not know left out: {some(named, 6)}",
            )


ELSEWHERE: list[type] = [ExternalCopies, ExternalClasses]
