"""The figures of synthetic images, as a run keeps them in ``facts["fidelity"]``.

One table per class and fold, and one over the classes of a fold (a list of them, or a mapping by
name); all keys optional::

    class, fold                      what it is of; over several classes: classes, a list
    generator, snapshot              who made the images, and the digest of what was trained
    extractor, dimensions, size      what saw them ("cells@0123456789ab"), features, pixels a side
    real, fake                       images that distances are of
    held_against                     which real images: "validation rows", "training rows", ...
    fid, kid, kid_std, precision, recall, density, coverage
    floor_kid, floor_coverage, ...   the same between two halves of the real images
    kid_ratio                        kid as a multiple of floor_kid
    compared_with                    run, extractor, size, real, fake: what the same class's figures
                                     rest on in the last run that differs in synthesis alone
    copies, drawn                    images that copy a training image, of so many that were drawn
    told_apart                       share of right answers, real or fake, of a plain classifier
    fakes_only                       score, chance, low, high of training on fakes alone; real: of
                                     training on real images; pupil: who was trained
    unjudged                         why there are no distances, "" where there are
    passes_for                       class, kid_ratio: another class whose real images they are like
    passed, why                      whether the gate lets them pass, and what speaks against it
    entered                          how many of them entered training
    notes                            what a reader should know of the figures
    seconds                          time it took to measure
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leukreg import Evidence


def tables(evidence: Evidence) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each table with what it is of."""
    kept = evidence.facts.get("fidelity")
    if isinstance(kept, Mapping) and kept and all(isinstance(v, Mapping) for v in kept.values()):
        yield from ((str(name), table) for name, table in kept.items())
    elif isinstance(kept, Mapping) and kept:
        yield _name(kept), kept
    elif isinstance(kept, Sequence) and not isinstance(kept, str):
        yield from ((_name(table), table) for table in kept if isinstance(table, Mapping))


def by_class(evidence: Evidence) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each table of a single class."""
    return ((name, table) for name, table in tables(evidence) if "class" in table)


def number(table: Mapping[str, Any], key: str) -> float | None:
    """A figure, or None where it is absent or no number."""
    value = table.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        return None
    return float(value)


def texts(table: Mapping[str, Any], key: str) -> list[str]:
    """Lines of text; empty where they are absent."""
    value = table.get(key)
    return [str(line) for line in value] if isinstance(value, list | tuple) else []


def _name(table: Mapping[str, Any]) -> str:
    fold = f" (fold {table['fold'] + 1})" if "fold" in table else ""
    return f"{table.get('class', 'synthetic images')}{fold}"
