"""Runs, reproductions and published figures side by side."""

from __future__ import annotations

import itertools
import string
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from leukreg.audit.published_table import Reported
from leukreg.evaluate.bootstrap import paired
from leukreg.evaluate.scoring import Figures, declared, main_ones, mean_of, of_classes
from leukreg.positive import positive_in
from leukreg.registry import Registry
from leukreg.report.plot import FAINT, OKABE_ITO, WIDTH
from leukreg.text import percents, rounded
from leukreg.types import Figure as Declared
from leukreg.types import Finding, RunResult, Score, Section, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A run, published figures, or both: a reproduction beside what it reproduces."""

    name: str
    result: RunResult | None = None
    reported: Reported | None = None
    """Published figures."""
    source: str = ""
    """Who published them."""
    recipe: Mapping[str, Any] | None = None
    """The resolved recipe as plain data; None for a paper."""
    found: tuple[Finding, ...] = ()
    """What the audit finds in the run."""
    found_reported: tuple[Finding, ...] = ()
    """What the audit finds in the published figures."""
    remark: str = ""
    """What a reader should know of it, such as that there is no run of this recipe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One side of a comparison: a run, or published figures."""

    head: str
    letter: str
    name: str
    result: RunResult | None = None
    reported: Reported | None = None
    findings: tuple[Finding, ...] = ()


def letters(subjects: Sequence[object]) -> list[str]:
    return [string.ascii_uppercase[i] if i < 26 else str(i + 1) for i in range(len(subjects))]


def columns_of(subjects: Sequence[Subject]) -> tuple[Column, ...]:
    """A column for each run and each published table; those of one subject stand together."""
    columns = []
    for letter, subject in zip(letters(subjects), subjects, strict=True):
        if subject.result is not None:
            name, found = subject.result.name, subject.found
            columns.append(
                Column(head=letter, letter=letter, name=name, result=subject.result, findings=found)
            )
        if subject.reported is not None:
            head = letter if subject.result is None else f"{letter} reported"
            name, found = subject.source or subject.name, subject.found_reported
            columns.append(
                Column(
                    head=head, letter=letter, name=name, reported=subject.reported, findings=found
                )
            )
    return tuple(columns)


def legend(columns: Sequence[Column]) -> Table:
    """One line per column: what it is, what was scored, how many findings."""
    rows = tuple((c.head, c.name, _scored(c), _open(c)) for c in columns)
    return Table(columns=("", "what", "scored", "findings"), rows=rows)


def _scored(column: Column) -> str:
    if column.result is not None:
        origins = column.result.predictions.origin
        return " + ".join(f"{origins.count(o):,} {o}" for o in sorted(set(origins)))
    total = column.reported.test_total() if column.reported is not None else None
    return "published" if total is None else f"{total:,} published"


def _open(column: Column) -> str:
    standing = [finding for finding in column.findings if finding.waived is None]
    errors = sum(finding.severity == "error" for finding in standing)
    if not errors:
        return str(len(standing))
    return f"{len(standing)} ({errors} error{'' if errors == 1 else 's'})"


NO_METRICS = {
    "baseline_claimed": "baseline claimed",
    "threshold": "threshold",
    "best_validation_loss": "best val. loss",
    "final_validation_loss": "final val. loss",
}
"""Figures that papers print, or runs have, and no metric gives."""

COUNTED = "* not published: counted from the published test rows."


def against_first(columns: Sequence[Column]) -> Iterator[str]:
    """Each run against the first one, on the images both scored."""
    runs = [(column.letter, column.result) for column in columns if column.result is not None]
    for letter, result in runs[1:]:
        first, before = runs[0]
        difference = paired_difference(before, result)
        if difference is not None:
            yield f"{letter} against {first} on the same images, {difference}"


def figures(columns: Sequence[Column], known: Figures) -> tuple[Table, ...]:
    """Figures of the whole; precision and its like are the positive class's, else means."""
    published = {name for c in columns if c.reported for name, _ in c.reported.figures}
    single = {figure.name: figure.title for figure in of_classes(known)}
    asked = {one.name: one.title for one in main_ones(known) if one.name not in single}
    asked |= NO_METRICS | {name: text for name, text in single.items() if name in published}
    rows = [
        (text, *(_whole(column, name, known) for column in columns)) for name, text in asked.items()
    ]
    kept = tuple(row for row in rows if any(row[1:]))
    caption = COUNTED if any(cell.endswith("*") for row in kept for cell in row) else ""
    heads = ("figure", *(column.head for column in columns))
    return (Table(columns=heads, rows=kept, caption=caption),) if kept else ()


def per_class(columns: Sequence[Column], known: Figures) -> tuple[Table, ...]:
    """Figures of each class, as they were printed or as the run has them."""
    rows: list[tuple[str, ...]] = []
    for label in dict.fromkeys(label for column in columns for label in _classes(column)):
        shown = [
            (one.title, *(_of_class(column, one.name, label) for column in columns))
            for one in of_classes(known)
        ]
        kept = [row for row in shown if any(row[1:])]
        rows += [("" if i else label, *row) for i, row in enumerate(kept)]
    heads = ("class", "figure", *(column.head for column in columns))
    return (Table(columns=heads, rows=tuple(rows)),) if rows else ()


def _classes(column: Column) -> tuple[str, ...]:
    if column.result is not None:
        return column.result.predictions.classes
    return column.reported.classes if column.reported is not None else ()


def _whole(column: Column, name: str, known: Figures) -> str:
    if column.reported is not None:
        if name == "majority_baseline":
            return _majority(column.reported)
        printed = column.reported.figure(name)
        return "" if printed is None else printed.text
    assert column.result is not None
    mean, label = mean_of(known, name), positive(column.result)
    if mean is not None:
        return _cell(column.result, name if label else mean, label)
    # Of two classes the positive one's: a mean over both is no point of any curve.
    own = any((score.name, score.label) == (name, label) for score in column.result.scores)
    return _cell(column.result, name, label if own else None)


def _majority(reported: Reported) -> str:
    """The baseline that follows from published test counts; nothing where they are not stated."""
    counts = reported.test_supports()
    if not reported.classes or set(counts) < set(reported.classes) or not sum(counts.values()):
        return ""
    return f"{rounded(max(counts.values()) / sum(counts.values()))}*"


def _of_class(column: Column, name: str, label: str) -> str:
    if column.reported is not None:
        printed = column.reported.of(label).get(name)
        return "" if printed is None else printed.text
    return "" if column.result is None else _cell(column.result, name, label)


def positive(result: RunResult) -> str | None:
    """The positive class of a binary run."""
    found = positive_in(result.recipe, result.predictions.classes)
    return found.name if found else None


def _cell(result: RunResult, name: str, label: str | None) -> str:
    score = next((s for s in result.scores if (s.name, s.label) == (name, label)), None)
    if name == "best_validation_loss":
        losses = [log.validation_loss for log in result.epochs if log.validation_loss is not None]
        score = Score(name=name, value=min(losses)) if losses else None
    if name == "threshold" and score is None and result.threshold is not None:
        score = Score(name=name, value=result.threshold)
    if score is None:
        return ""
    if score.value is None:
        return "undefined"
    if score.low is None or score.high is None:
        return rounded(score.value)
    return f"{rounded(score.value)}\n{rounded(score.low, 2)}–{rounded(score.high, 2)}"


def paired_difference(first: RunResult, second: RunResult) -> str | None:
    """Accuracy of ``second`` less that of ``first``; None where they share too few images."""
    found = paired(first.predictions, second.predictions)
    if found is None:
        return None
    text = f"accuracy differs by {percents(found.value, signed=True)} points"
    if found.low is None or found.high is None:
        return f"{text} ({found.images:,} images)."
    spread = " to ".join(percents(bound, signed=True) for bound in (found.low, found.high))
    return f"{text} ({spread}; {found.images:,} images, {found.how}, paired)."


_RANK = ("error", "warning", "note", "waived", "")


def findings(columns: Sequence[Column]) -> tuple[Table, ...]:
    """The severest thing that each rule finds in each column, severe rules first."""
    rules = dict.fromkeys(finding.rule for column in columns for finding in column.findings)
    order = sorted(rules, key=lambda rule: [_worst(column, rule)[0] for column in columns])
    order.sort(key=lambda rule: min(_worst(column, rule)[0] for column in columns))
    rows = [(rule, *(_worst(column, rule)[1] for column in columns)) for rule in order]
    heads = ("rule", *(column.head for column in columns))
    return (Table(columns=heads, rows=tuple(rows)),) if rows else ()


def _worst(column: Column, rule: str) -> tuple[int, str]:
    marks = [finding.lines()[0] for finding in column.findings if finding.rule == rule]
    rank = min((_RANK.index(mark) for mark in marks), default=len(_RANK) - 1)
    return rank, _RANK[rank]


def errors(columns: Sequence[Column]) -> tuple[Table, ...]:
    """Errors that no recipe waives, in words, by the letter of what they are of."""
    rows = [
        (column.letter, f"{finding.message}\n{finding.lines()[2]}")
        for column in columns
        for finding in column.findings
        if finding.severity == "error" and finding.waived is None
    ]
    return (Table(columns=("", ""), rows=tuple(rows)),) if rows else ()


MOST_KEYS = 20
_NOT_SETTINGS = frozenset({"reported", "assumed", "name", "title", "audit", "fallback"})
"""A fallback that was taken stands in the place of what it replaced."""


def settings(subjects: Sequence[Subject]) -> Section:
    """One line per key whose values differ between the recipes; empty with fewer than two."""
    named = [
        (letter, subject.recipe)
        for letter, subject in zip(letters(subjects), subjects, strict=True)
        if subject.recipe is not None
    ]
    title = "Settings that differ"
    if len(named) < 2:
        return Section(title=title)
    rows = _differing([dict(_leaves(recipe)) for _, recipe in named])
    if not rows:
        return Section(title=title, text=("None.",))
    more = len(rows) - MOST_KEYS
    table = Table(
        columns=("key", *(letter for letter, _ in named)),
        rows=tuple(rows[:MOST_KEYS]),
        caption=f"and {more} more" if more > 0 else "",
    )
    return Section(title=title, tables=(table,))


def _differing(leaves: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    rows = []
    for key in dict.fromkeys(key for one in leaves for key in one):
        values = [_shown(one[key]) if key in one else "-" for one in leaves]
        if len(set(values)) > 1 and not _NOT_SETTINGS.intersection(key.split(".")):
            rows.append((key, *values))
    return rows


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
    return "yes" if value is True else "no" if value is False else str(value)


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


def comparison(subjects: Sequence[Subject], registry: Registry) -> tuple[Section, ...]:
    """Sections: what is compared and whether it can be, figures, findings, settings that differ.

    Args:
        registry: Whose metrics say what their figures are called.
    """
    columns, known = columns_of(subjects), declared(registry)
    sections = [
        Section(title="Compared", text=tuple(remarks(subjects)), tables=(legend(columns),)),
        Section(
            title="Figures", text=tuple(against_first(columns)), tables=figures(columns, known)
        ),
        Section(title="Each class", tables=per_class(columns, known)),
        Section(title="Findings", tables=findings(columns)),
        Section(title="Errors", tables=errors(columns)),
        settings(subjects),
    ]
    return tuple(section for section in sections if section.text or section.tables)


def side_by_side(columns: Sequence[Column], known: Figures) -> Figure | None:
    """A panel per figure, a row per column of the comparison; all between 0 and 1.

    None where no column has such a figure.
    """
    from matplotlib.figure import Figure

    shown = [one for one in main_ones(known) if _fits(one) and _is_there(one.name, columns)]
    if not shown:
        return None
    lines = (len(shown) + 1) // 2
    figure = Figure(figsize=(WIDTH, lines * (0.9 + 0.3 * len(columns))))
    panels = figure.subplots(lines, 2, sharex=True, sharey=True, squeeze=False).flatten()
    for axes in panels[len(shown) :]:
        axes.set_visible(False)
    for axes, one in zip(panels, shown, strict=False):
        axes.set_title(one.title)
        for place, column in enumerate(columns):
            _point(axes, place, column, one.name)
        axes.set_yticks(range(len(columns)), [column.head for column in columns])
        axes.set_ylim(len(columns) - 0.5, -0.5)
        axes.set_xlim(-0.02, 1.02)
    if lines > 1 and len(shown) % 2:  # nothing stands below the last panel on the right
        panels[len(shown) - 2].tick_params(labelbottom=True)
    return figure


def _fits(figure: Declared) -> bool:
    return bool(figure.higher_is_better) and (figure.low, figure.high) == (0.0, 1.0)


def _is_there(name: str, columns: Sequence[Column]) -> bool:
    """Whether a column has the figure of the whole."""
    return any(
        (column.reported is not None and column.reported.figure(name) is not None)
        or (
            column.result is not None
            and any((s.name, s.label) == (name, None) for s in column.result.scores)
        )
        for column in columns
    )


def _point(axes: Axes, place: int, column: Column, name: str) -> None:
    if column.reported is not None:
        printed = column.reported.figure(name)
        if printed is not None and printed.value is not None:
            axes.plot(float(printed), place, marker="D", mfc="none", mec=OKABE_ITO[1], ls="")
        return
    scores = () if column.result is None else column.result.scores
    score = next((s for s in scores if (s.name, s.label) == (name, None)), None)
    if score is None or score.value is None:
        axes.text(0, place, "undefined" if score else "-", va="center", color=FAINT)
        return
    if score.low is not None and score.high is not None:
        axes.plot([score.low, score.high], [place, place], color=OKABE_ITO[0], ls="-")
    axes.plot(score.value, place, marker="o", color=OKABE_ITO[0], ls="", clip_on=False)
