"""What makes compared results incomparable: other data, other scored images, other settings."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from leukreg.audit.published_table import Reported
from leukreg.record import RunRecord

_NOT_SETTINGS = frozenset({"reported", "assumed", "name", "title", "audit", "fallback"})
"""A fallback that was taken stands in the place of what it replaced."""


def remarks(runs: Mapping[str, RunRecord], papers: Mapping[str, Reported]) -> Iterator[str]:
    """Lines above a comparison; one that begins with "! " says what cannot be compared.

    Args:
        runs: By their letters.
        papers: Published tables by theirs.
    """
    apart = [*differences(runs)] if len(runs) > 1 else []
    yield from (f"! {line}" for line in apart)
    if papers and len(papers) + len(runs) > 1:
        yield "! Published figures are of other images: no difference from them is tested here."
    told = {tuple(sorted(reported.classes)) for reported in papers.values() if reported.classes}
    told_by_runs = {tuple(sorted(result.predictions.classes)) for result in runs.values()}
    if len(told | told_by_runs) > 1 and len(told_by_runs) < 2:
        yield "! Not all tell the same classes apart."
    listed = {name: _listed(result) for name, result in runs.items()}
    printed = {name: reported.tally("class_counts") for name, reported in papers.items()}
    yield from _counts_moved(listed, "runs")
    yield from _counts_moved(printed, "published tables")
    if not apart and len(runs) > 1:
        yield "Same data, same scored images, same classes."


def differences(runs: Mapping[str, RunRecord]) -> Iterator[str]:
    """What makes the figures of these runs, by their letters, incomparable."""
    if len({tuple(sorted(result.predictions.classes)) for result in runs.values()}) > 1:
        yield "The runs tell different classes apart."
    digests = {name: result.digests.data or None for name, result in runs.items()}
    if None in digests.values():
        yield "Not every run has recorded a digest of its data."
    if len({*digests.values()} - {None}) > 1:
        yield f"The data differ: {_grouped(digests, runs)}."
    scored = [tuple(sorted(result.predictions.id)) for result in runs.values()]
    if len(set(scored)) > 1:
        shared = set(scored[0]).intersection(*scored[1:])
        yield (
            f"The scored images differ: {len(shared):,} are scored in every run, "
            f"{len(set().union(*scored)):,} in any."
        )


def _grouped(digests: Mapping[str, str | None], runs: Mapping[str, RunRecord]) -> str:
    """Which runs have which data, and whether already the number of images tells."""
    groups: dict[str | None, list[str]] = {}
    images: dict[str | None, int] = {}
    for name, digest in digests.items():
        groups.setdefault(digest, []).append(name)
        images[digest] = len(runs[name].samples)
    said = [f"{images[key]:,} images in {' and '.join(group)}" for key, group in groups.items()]
    alike = len(set(images.values())) == 1
    return ", ".join(said) + (", but other files, labels or pixels" if alike else "")


def _counts_moved(counts: Mapping[str, Mapping[str, int]], what: str) -> Iterator[str]:
    """Classes whose number of images differs from one column to the next that has it."""
    known = [(name, of) for name, of in counts.items() if of]
    for (one, before), (other, after) in itertools.pairwise(known):
        moved = [
            f"{label} {before[label]:,} -> {after[label]:,}"
            for label in before
            if label in after and before[label] != after[label]
        ]
        if moved:
            yield f"! Class counts of the {what} moved from {one} to {other}: {', '.join(moved)}."


def _listed(result: RunRecord) -> dict[str, int]:
    """Real images of each class of a run."""
    counts = Counter(row.label for row in result.samples.rows if row.lineage is None)
    return {label: counts[label] for label in result.samples.classes}


def settings_that_differ(
    recipes: Mapping[str, Mapping[str, Any]],
) -> Iterator[tuple[str, ...]]:
    """Each key whose values differ between the resolved recipes, and what each of them has."""
    known = [dict(leaves(recipe)) for recipe in recipes.values()]
    for key in dict.fromkeys(key for one in known for key in one):
        values = [_shown(one[key]) if key in one else "-" for one in known]
        if len(set(values)) > 1 and not _NOT_SETTINGS.intersection(key.split(".")):
            yield key, *values


def _shown(value: Any) -> str:
    return "yes" if value is True else "no" if value is False else str(value)


def leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """The values of a recipe by their dotted keys; one that is None is left out."""
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from leaves(inner, f"{key}.{index}")
    elif value is not None:
        yield key, value
