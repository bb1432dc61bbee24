"""Runs side by side: figures, and what differs between them."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leukreg.report.paired import paired_difference
from leukreg.types import RunResult, Score, Section, Table

FIRST = {
    "accuracy": "accuracy",
    "majority_baseline": "majority baseline",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "mcc": "MCC",
    "auc": "AUC",
    "average_precision": "average precision",
    "brier": "Brier score",
    "ece": "calibration error",
    "threshold": "threshold",
}
PER_CLASS = ("precision", "recall", "f1", "specificity")
NAMES = {"precision": "precision", "recall": "recall", "f1": "F1", "specificity": "specificity"}
MOST_KEYS = 20
_NOT_SETTINGS = ("reported", "assumed", "name", "title", "audit")


def comparison(results: Sequence[RunResult]) -> tuple[Section, ...]:
    """Sections: which runs, whether they are comparable, figures, differences of the recipes."""
    sections = [
        _legend(results),
        Section(title="Figures", text=tuple(_paired(results)), tables=(_figures(results),)),
    ]
    classes = _per_class(results)
    if classes.rows:
        sections.append(Section(title="Each class", tables=(classes,)))
    return (*sections, _settings(results))


def _legend(results: Sequence[RunResult]) -> Section:
    rows = tuple(
        (letter, result.name, f"{len(result.predictions):,}", _origins(result), _open(result))
        for letter, result in zip(_letters(results), results, strict=True)
    )
    columns = ("", "run", "scored", "of which", "findings")
    warnings = tuple(f"! {line}" for line in differences(results))
    text = warnings or ("Same data, same scored images, same classes.",)
    return Section(title="Runs", text=text, tables=(Table(columns=columns, rows=rows),))


def _letters(results: Sequence[RunResult]) -> list[str]:
    return [string.ascii_uppercase[i] if i < 26 else str(i + 1) for i in range(len(results))]


def _origins(result: RunResult) -> str:
    origins = result.predictions.origin
    return " + ".join(f"{origins.count(o):,} {o}" for o in sorted(set(origins)))


def _open(result: RunResult) -> str:
    open_ones = [finding for finding in result.findings if finding.waived is None]
    errors = sum(finding.severity == "error" for finding in open_ones)
    if not errors:
        return str(len(open_ones))
    return f"{len(open_ones)} ({errors} error{'' if errors == 1 else 's'})"


def differences(results: Sequence[RunResult]) -> Iterator[str]:
    """What makes the figures of these runs incomparable."""
    if len({tuple(sorted(result.predictions.classes)) for result in results}) > 1:
        yield "The runs tell different classes apart."
    digests = [_digest(result) for result in results]
    if None in digests:
        yield "Not every run has recorded a digest of its data."
    if len(set(digests) - {None}) > 1:
        yield f"The data differ: {_grouped(results, digests)}."
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


def _grouped(results: Sequence[RunResult], values: Sequence[object]) -> str:
    groups: dict[object, list[str]] = {}
    for letter, value in zip(_letters(results), values, strict=True):
        groups.setdefault(value, []).append(letter)
    return " against ".join(" and ".join(group) for group in groups.values())


def _paired(results: Sequence[RunResult]) -> Iterator[str]:
    for letter, result in list(zip(_letters(results), results, strict=True))[1:]:
        difference = paired_difference(results[0], result)
        if difference is not None:
            yield f"{letter} against A on the same images, {difference}"


def _figures(results: Sequence[RunResult]) -> Table:
    columns, reported = ["figure"], _with_reported(results)
    for letter, published in zip(_letters(results), reported, strict=True):
        columns += [letter, f"{letter} reported"] if published else [letter]
    published_keys = {key for published in reported for key in published}
    asked = [*FIRST, *(name for name in PER_CLASS if name in published_keys)]
    rows = []
    for name in asked:
        cells = []
        for result, published in zip(results, reported, strict=True):
            cells.append(_cell(_whole(result, name)))
            cells += [str(published.get(name, ""))] if published else []
        if any(cells):
            rows.append((FIRST.get(name, NAMES.get(name, name)), *cells))
    return Table(columns=tuple(columns), rows=tuple(rows))


def _whole(result: RunResult, name: str) -> Score | None:
    """A figure of the whole; precision and its like are the positive class's, else means."""
    label = None
    if name in PER_CLASS:
        classes = result.predictions.classes
        evaluate = result.recipe.get("evaluate")
        named = evaluate.get("positive") if isinstance(evaluate, Mapping) else None
        label = (named if named in classes else classes[1]) if len(classes) == 2 else None
        name = name if label is not None else f"macro_{name}"
    return next((s for s in result.scores if (s.name, s.label) == (name, label)), None)


def _with_reported(results: Sequence[RunResult]) -> list[Mapping[str, Any]]:
    tables = [result.recipe.get("reported") for result in results]
    return [table if isinstance(table, Mapping) else {} for table in tables]


def _per_class(results: Sequence[RunResult]) -> Table:
    labels = dict.fromkeys(name for result in results for name in result.predictions.classes)
    found = [{(s.name, s.label): s for s in result.scores} for result in results]
    rows = []
    for label in labels:
        for name in PER_CLASS:
            cells = [_cell(scores.get((name, label))) for scores in found]
            if any(cells):
                rows.append((label if name == PER_CLASS[0] else "", NAMES[name], *cells))
    return Table(columns=("class", "figure", *_letters(results)), rows=tuple(rows))


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    if score.value is None:
        return "undefined"
    if score.low is None or score.high is None:
        return f"{score.value:.3f}"
    return f"{score.value:.3f}\n{score.low:.2f}–{score.high:.2f}"


def _settings(results: Sequence[RunResult]) -> Section:
    leaves = [dict(_leaves(result.recipe)) for result in results]
    keys = dict.fromkeys(key for one in leaves for key in one)
    rows = []
    for key in keys:
        values = [_shown(one[key]) if key in one else "-" for one in leaves]
        if len(set(values)) > 1 and key.partition(".")[0] not in _NOT_SETTINGS:
            rows.append((key, *values))
    title = "Settings that differ"
    if not rows:
        return Section(title=title, text=("None.",))
    more = len(rows) - MOST_KEYS
    caption = f"and {more} more" if more > 0 else ""
    table = Table(columns=("key", *_letters(results)), rows=tuple(rows[:MOST_KEYS]))
    table = Table(columns=table.columns, rows=table.rows, caption=caption)
    return Section(title=title, tables=(table,))


def _leaves(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _leaves(inner, f"{key}.{name}" if key else str(name))
    elif isinstance(value, list | tuple) and any(isinstance(inner, Mapping) for inner in value):
        for index, inner in enumerate(value):
            yield from _leaves(inner, f"{key}.{index}")
    elif value is not None:
        yield key, value


def _shown(value: Any) -> str:
    text = "yes" if value is True else "no" if value is False else str(value)
    return text if len(text) <= 30 else text[:27] + "..."
