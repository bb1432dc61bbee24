"""What makes the compared figures incomparable."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from leukreg.report.compare.columns import Subject, letters
from leukreg.types import RunResult


def remarks(subjects: Sequence[Subject]) -> Iterator[str]:
    """Lines above a comparison; one that begins with "! " says what cannot be compared."""
    apart = [*_among_runs(subjects)]
    warnings = [*apart, *_with_published(subjects), *counts_moved(subjects)]
    yield from (f"! {line}" for line in warnings)
    if not apart and sum(subject.result is not None for subject in subjects) > 1:
        yield "Same data, same scored images, same classes."
    remarked: dict[str, list[str]] = {}
    for letter, subject in zip(letters(subjects), subjects, strict=True):
        remarked.setdefault(subject.remark, []).append(letter)
    yield from (f"{', '.join(of)}: {text}" for text, of in remarked.items() if text)


def _among_runs(subjects: Sequence[Subject]) -> Iterator[str]:
    named = [
        (letter, subject.result)
        for letter, subject in zip(letters(subjects), subjects, strict=True)
        if subject.result is not None
    ]
    if len(named) > 1:
        yield from differences([result for _, result in named], [letter for letter, _ in named])


def _with_published(subjects: Sequence[Subject]) -> Iterator[str]:
    published = [subject.reported for subject in subjects if subject.reported is not None]
    runs = [subject.result for subject in subjects if subject.result is not None]
    if published and len(published) + len(runs) > 1:
        yield "Published figures are of other images: no difference from them is tested here."
    told = {tuple(sorted(reported.classes)) for reported in published if reported.classes}
    apart = {tuple(sorted(result.predictions.classes)) for result in runs}
    if len(told | apart) > 1 and len(apart) < 2:
        yield "Not all tell the same classes apart."


def differences(results: Sequence[RunResult], names: Sequence[str] = ()) -> Iterator[str]:
    """What makes the figures of these runs incomparable."""
    names = names or letters(results)
    if len({tuple(sorted(result.predictions.classes)) for result in results}) > 1:
        yield "The runs tell different classes apart."
    digests = [_digest(result) for result in results]
    if None in digests:
        yield "Not every run has recorded a digest of its data."
    if len(set(digests) - {None}) > 1:
        yield f"The data differ: {_grouped(names, digests, results)}."
    scored = [tuple(sorted(result.predictions.id)) for result in results]
    if len(set(scored)) > 1:
        shared = set(scored[0]).intersection(*scored[1:])
        yield (
            f"The scored images differ: {len(shared):,} are scored in every run, "
            f"{len(set().union(*scored)):,} in any."
        )


def _digest(result: RunResult) -> str | None:
    digests = result.facts.get("digests")
    data = digests.get("data") if isinstance(digests, Mapping) else None
    return None if data is None else str(data)


def _grouped(
    names: Sequence[str], digests: Sequence[str | None], results: Sequence[RunResult]
) -> str:
    """Which runs have which data, and whether already the number of images tells."""
    groups: dict[str | None, list[str]] = {}
    images: dict[str | None, int] = {}
    for letter, digest, result in zip(names, digests, results, strict=True):
        groups.setdefault(digest, []).append(letter)
        images[digest] = len(result.samples)
    said = [f"{images[key]:,} images in {' and '.join(group)}" for key, group in groups.items()]
    alike = len(set(images.values())) == 1
    return ", ".join(said) + (", but other files, labels or pixels" if alike else "")


def counts_moved(subjects: Sequence[Subject]) -> Iterator[str]:
    """Classes whose number of images differs from one subject to the next that has it."""
    for of, what in ((_listed, "runs"), (_published, "published tables")):
        known = [
            (letter, counts)
            for letter, subject in zip(letters(subjects), subjects, strict=True)
            if (counts := of(subject))
        ]
        for (one, before), (other, after) in itertools.pairwise(known):
            moved = [
                f"{label} {before[label]:,} -> {after[label]:,}"
                for label in before
                if label in after and before[label] != after[label]
            ]
            if moved:
                yield f"Class counts of the {what} moved from {one} to {other}: {', '.join(moved)}."


def _listed(subject: Subject) -> dict[str, int]:
    """Real images of each class of a run."""
    if subject.result is None:
        return {}
    samples = subject.result.samples
    counts = Counter(row.label for row in samples.rows if row.lineage is None)
    return {label: counts[label] for label in samples.classes}


def _published(subject: Subject) -> dict[str, int]:
    return {} if subject.reported is None else subject.reported.tally("class_counts")
