"""The recipe of an evaluation: the run's own, with another source and nothing left to fit."""

from __future__ import annotations

import dataclasses
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from leukreg.errors import PluginError, Problem, Problems
from leukreg.paths import expanded
from leukreg.recipe import checked
from leukreg.recipe.extends import with_overrides
from leukreg.recipe.mistakes import Document
from leukreg.recipe.model import Recipe
from leukreg.recipe.schema import without_none
from leukreg.record import RunRecord
from leukreg.registry import Registry
from leukreg.text import did_you_mean, file_stem
from leukreg.types import Samples

WHERE = ("root", "path")
"""Options of a source that say where its images are."""
DROPPED = ("synthesis", "reported", "assumed", "audit")
"""Tables that speak of the run's own data and figures."""


def elsewhere(
    result: RunRecord, source: str, data: Path, options: Sequence[str], registry: Registry
) -> Recipe:
    """The recipe that scores a run's models on other images.

    Args:
        result: The run.
        source: Name of the source plugin.
        data: What its option ``root`` or ``path`` gets.
        options: Further options of the source, ``KEY=VALUE`` each.
        registry: Where plugins are found.

    Raises:
        Problems: The source refuses its options.
        PluginError: There is no such source, or it takes no place.
    """
    plain = {key: value for key, value in without_none(result.recipe).items() if key not in DROPPED}
    name = re.sub(r"[^\w.-]+", "_", data.name) or "elsewhere"
    plain["name"] = file_stem(f"{plain['name']}-on-{name}")
    plain["title"] = f"{plain.get('title') or result.recipe['name']}, evaluated on {data.name}"
    placed = source_at(source, data, registry)
    plain["data"] = {**placed, "broken": "skip", "folds": {"validation": 0}}
    plain["evaluate"] = _evaluate(plain.get("evaluate", {}), result)
    document, wrong = with_overrides(Document(plain), [f"data.{option}" for option in options])
    if wrong:
        raise Problems(wrong)
    for phase in document.tree["phase"]:
        phase.pop("monitor", None)  # nothing is trained, so nothing is watched
    return checked(document, "the evaluation", plain["name"], registry, complete=True)


def source_at(source: str, data: Path, registry: Registry) -> dict[str, str]:
    """The table of a source that lists what lies in a place.

    Raises:
        PluginError: There is no such source, or it takes no place.
    """
    entry = registry.get("source", source)
    fields = {field.name for field in dataclasses.fields(entry.cls)}
    where = next((key for key in WHERE if key in fields), None)
    if where is None:
        raise PluginError(f"source {source!r} has neither a root nor a path: it cannot take {data}")
    return {"use": source, where: str(expanded(data).absolute())}


def _evaluate(table: Mapping[str, Any], result: RunRecord) -> dict[str, Any]:
    """``[evaluate]`` with the run's threshold fixed: the rows that are scored decide nothing."""
    fitted = ("threshold", "calibration", "conformal", "on")
    kept = {key: value for key, value in table.items() if key not in fitted}
    told = result.about_patients if result.samples.weak else result
    if told.threshold is not None:
        kept["threshold"] = {"rule": "fixed", "value": told.threshold}
        positive = result.positive
        kept["positive"] = positive.name if positive else None  # a run of before may have guessed
    return kept


CLOSING = "nothing was evaluated."


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapped:
    """The other source's images under the run's class names."""

    samples: Samples
    """Rows of the run's classes only; ``classes`` are the run's, in its order."""
    taken: Mapping[str, str]
    """The other's class to the run's."""
    unmapped: Mapping[str, int]
    """The other's classes that are none of the run's, with their number of images (left out)."""
    missing: tuple[str, ...]
    """Classes of the run of which the other source has no image."""


def parse_mapping(texts: Sequence[str]) -> dict[str, str]:
    """``OtherName=class``, each from the command line; the last ``=`` divides.

    Raises:
        Problems: One is not of this form, or a name is mapped twice.
    """
    found: dict[str, str] = {}
    problems = []
    for text in texts:
        other, sign, own = (part.strip() for part in text.rpartition("="))
        if not sign or not other or not own:
            problems.append(Problem(f"--map {text!r} is not of the form OtherName=class"))
        elif found.get(other, own) != own:
            problems.append(Problem(f"--map names {other!r} twice"))
        found[other] = own
    if problems:
        raise Problems(problems, closing=CLOSING)
    return found


def map_classes(
    samples: Samples,
    classes: tuple[str, ...],
    mapping: Mapping[str, str],
    of_patients: tuple[str, ...] = (),
) -> Mapped:
    """Rename the classes that are mapped; equal names need no mapping, others are left out.

    Args:
        samples: The other source's.
        classes: The run's.
        mapping: Names of the other to names of the run.
        of_patients: The classes of patients that the run answers about; the mapping is of their
            names too, and no patient is left out here.

    Raises:
        Problems: A mapping names a class that is not there, or not one image is left; all of them.
    """
    counts = Counter(row.label for row in samples.rows)
    there = dict.fromkeys((*counts, *samples.patient_classes))
    problems = []
    for side, known in (("other source", list(there)), ("run", [*classes, *of_patients])):
        for other, own in mapping.items():
            name = own if side == "run" else other
            if name not in known:
                hint = did_you_mean(name, known)
                said = f"--map {other}={own}: the {side} has no class {name!r}; {hint}"
                problems.append(Problem(said))
    taken = {other: mapping.get(other, other) for other in counts}
    taken = {other: own for other, own in taken.items() if own in classes}
    rows = tuple(
        replace(row, label=taken[row.label], split=None)
        for row in samples.rows
        if row.label in taken
    )
    if not rows and not problems:
        others, own = ", ".join(map(repr, counts)), ", ".join(map(repr, classes))
        problems.append(
            Problem(f"no class is shared: there are {others}, the run has {own}; say which is "
                    "which with --map OtherName=class")
        )  # fmt: skip
    if problems:
        raise Problems(problems, closing=CLOSING)
    present = {row.label for row in rows}
    renamed = replace(samples, rows=rows, classes=classes)
    if samples.weak:  # what cells are called, their patients are called too
        labels = {p: taken[label] for p, label in samples.patient_labels.items() if label in taken}
        renamed = replace(renamed, patient_labels=labels, patient_classes=classes)
    elif of_patients and samples.patient_labels:
        labels = {p: mapping.get(label, label) for p, label in samples.patient_labels.items()}
        names = tuple(dict.fromkeys((*of_patients, *labels.values())))
        renamed = replace(renamed, patient_labels=labels, patient_classes=names)
    return Mapped(
        samples=renamed,
        taken=taken,
        unmapped={other: n for other, n in counts.items() if other not in taken},
        missing=tuple(name for name in classes if name not in present),
    )
