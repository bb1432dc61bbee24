"""Runs, reproductions and published figures side by side."""

from __future__ import annotations

import itertools
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.audit.published_table import Reported
from leukreg.evaluate.bootstrap import paired
from leukreg.evaluate.scoring import Figures, declared, main_ones, mean_of, of_classes
from leukreg.record import AccuracyGain, RunRecord
from leukreg.registry import Registry
from leukreg.report.comparability import remarks, settings_that_differ
from leukreg.report.plot import STYLE
from leukreg.section import Section, Table
from leukreg.text import counted, percents, rounded
from leukreg.types import Finding, Score

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One side of a comparison: a run, or published figures."""

    name: str
    """The run's, or who published them."""
    result: RunRecord | None = None
    reported: Reported | None = None
    findings: tuple[Finding, ...] = ()
    """What the audit finds in it."""
    letter: str = ""
    """That of its subject, once the subjects stand side by side; numbered, A2, where needed."""
    head: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """A run, published figures, or both: a reproduction beside what it reproduces."""

    name: str
    columns: tuple[Column, ...]
    recipe: Mapping[str, Any] | None = None
    """The resolved recipe as plain data; None for a paper."""
    remark: str = ""
    """What a reader should know of it, such as that there is no run of this recipe."""


def letter(place: int) -> str:
    return string.ascii_uppercase[place] if place < 26 else str(place + 1)


def columns_of(subjects: Sequence[Subject]) -> tuple[Column, ...]:
    """The runs and published tables of all subjects, by the subjects' letters; several tables of
    one are A1, A2."""
    columns = []
    for place, subject in enumerate(subjects):
        tables = sum(column.reported is not None for column in subject.columns)
        numbers = itertools.count(1)
        for column in subject.columns:
            number = next(numbers) if column.reported is not None and tables > 1 else ""
            own = f"{letter(place)}{number}"
            beside = column.reported is not None and tables < len(subject.columns)
            head = f"{own} reported" if beside else own
            columns.append(replace(column, letter=own, head=head))
    return tuple(columns)


def comparison(subjects: Sequence[Subject], registry: Registry) -> tuple[Section, ...]:
    """Sections: what is compared and whether it can be, figures, findings, settings that differ.

    Args:
        registry: Whose metrics say what their figures are called.
    """
    columns, known = columns_of(subjects), declared(registry)
    heads = tuple(column.head for column in columns)
    rows = tuple(figure_rows(columns, known))
    starred = any(cell.endswith("*") for row in rows for cell in row)
    runs = {column.letter: column.result for column in columns if column.result is not None}
    papers = {column.letter: column.reported for column in columns if column.reported is not None}
    remarked: dict[str, list[str]] = {}  # what is the same of several subjects is said once
    for place, subject in enumerate(subjects):
        remarked.setdefault(subject.remark, []).append(letter(place))
    notes = (f"{', '.join(names)}: {text}" for text, names in remarked.items() if text)
    sections = [
        Section(
            title="Compared",
            text=(*remarks(runs, papers), *notes),
            tables=_tables(("", "what", "scored", "findings"), map(_legend, columns)),
        ),
        Section(
            title="Figures",
            text=tuple(against_first(columns)),
            tables=_tables(("figure", *heads), rows, COUNTED if starred else ""),
            figure=lambda: side_by_side(columns, known),
            caption="Each figure of each run with its 95 % interval (filled), and as published "
            "(open diamond, without an interval).",
        ),
        Section(
            title="Each class",
            tables=_tables(("class", "figure", *heads), class_rows(columns, known)),
        ),
        of_patients(columns, known),
        Section(title="Findings", tables=_tables(("rule", *heads), finding_rows(columns))),
        Section(title="Errors", tables=_tables(("", ""), errors(columns))),
        _settings(subjects),
    ]
    return tuple(section for section in sections if section.text or section.tables)


def _tables(
    columns: tuple[str, ...], rows: Iterable[tuple[str, ...]], caption: str = ""
) -> tuple[Table, ...]:
    """One table, or none where it would be empty."""
    kept = tuple(rows)
    return (Table(columns=columns, rows=kept, caption=caption),) if kept else ()


def _settings(subjects: Sequence[Subject]) -> Section:
    """One line per key whose values differ between the recipes; empty with fewer than two."""
    recipes = {
        letter(place): subject.recipe
        for place, subject in enumerate(subjects)
        if subject.recipe is not None
    }
    rows = list(settings_that_differ(recipes))
    more = len(rows) - MOST_KEYS
    return Section(
        title="Settings that differ",
        text=("None.",) if len(recipes) > 1 and not rows else (),
        tables=_tables(("key", *recipes), rows[:MOST_KEYS], f"and {more} more" if more > 0 else ""),
    )


def _legend(column: Column) -> tuple[str, ...]:
    """What a column is, what was scored, how many findings."""
    if column.result is not None:
        origins = Counter(column.result.predictions.origin)
        scored = " + ".join(f"{count:,} {origin}" for origin, count in sorted(origins.items()))
        of = column.result.patients
        scored += f" of {counted(len(set(of.predictions.id)), 'patient')}" if of else ""
    else:
        total = column.reported.test_total() if column.reported is not None else None
        scored = "published" if total is None else f"{total:,} published"
    standing = [finding for finding in column.findings if finding.waived is None]
    errors = sum(finding.severity == "error" for finding in standing)
    loud = f" ({errors} error{'' if errors == 1 else 's'})" if errors else ""
    return column.head, column.name, scored, f"{len(standing)}{loud}"


MOST_KEYS = 20
"""Settings that are shown; more are counted."""
NO_METRICS = {
    "baseline_claimed": "baseline claimed",
    "threshold": "threshold",
    "best_validation_loss": "best val. loss",
    "final_validation_loss": "final val. loss",
}
"""Figures that papers print, or runs have, and no metric gives."""

COUNTED = "* not published: counted from the published test rows."


def against_first(columns: Sequence[Column]) -> Iterator[str]:
    """The accuracy of each run less that of the first, on the images both scored."""
    runs = [(column.letter, column.result) for column in columns
            if column.result is not None and column.result.scores]  # fmt: skip
    for name, result in runs[1:]:
        first, before = runs[0]
        found = paired(before.predictions, result.predictions)
        if found is not None:  # else they share too few images
            yield _gain(found, name, first, "image")


def _gain(found: AccuracyGain, name: str, first: str, what: str) -> str:
    text = f"accuracy differs by {percents(found.value, signed=True)} points"
    rows = counted(found.images, what)
    if found.low is not None and found.high is not None:
        bounds = (percents(bound, signed=True) for bound in (found.low, found.high))
        rows = f"{' to '.join(bounds)}; {rows}, {found.how}, paired"
    return f"{name} against {first} on the same {what}s, {text} ({rows})."


def of_patients(columns: Sequence[Column], known: Figures) -> Section:
    """Figures of patients side by side; empty where no run answers about any."""
    runs = [(column, column.result) for column in columns
            if column.result is not None and column.result.patients]  # fmt: skip
    # Losses are of the cells that were trained on.
    shown = [replace(one, result=replace(run.about_patients, epochs=())) for one, run in runs]
    heads = tuple(column.head for column in shown)
    return Section(
        title="Patients",
        text=tuple(_against_first_on_patients(runs)),
        tables=(
            *_tables(("figure", *heads), figure_rows(shown, known)),
            *_tables(("class", "figure", *heads), class_rows(shown, known)),
        ),
        figure=(lambda: side_by_side(shown, known)) if shown else None,
        caption="Figures over patients with their 95 % intervals.",
    )


def _against_first_on_patients(runs: Sequence[tuple[Column, RunRecord]]) -> Iterator[str]:
    """The same of patients; two are one where they have a name and a picture in common."""
    pictures = [_pictures(run) for _, run in runs]
    for (column, run), theirs in zip(runs[1:], pictures[1:], strict=True):
        (first, before), own = runs[0], pictures[0]
        assert before.patients is not None
        assert run.patients is not None
        rows = before.patients.predictions
        same = [at for at, one in enumerate(rows.id) if own[one] & theirs.get(one, set())]
        found = paired(rows.take(np.array(same, dtype=np.int64)), run.patients.predictions)
        if found is not None:
            yield _gain(found, column.letter, first.letter, "patient")


def _pictures(run: RunRecord) -> dict[str, set[str]]:
    """The pictures of each patient."""
    found: dict[str, set[str]] = {}
    for row in run.samples.rows:
        if row.patient is not None:
            found.setdefault(row.patient, set()).add(run.pixels.get(row.id, row.id))
    return found


def figure_rows(columns: Sequence[Column], known: Figures) -> Iterator[tuple[str, ...]]:
    """Figures of the whole; precision and its like are the positive class's, else means."""
    published = {name for c in columns if c.reported for name, _ in c.reported.figures}
    single = {figure.name: figure.title for figure in of_classes(known)}
    asked = {one.name: one.title for one in main_ones(known) if one.name not in single}
    asked |= NO_METRICS | {name: text for name, text in single.items() if name in published}
    for name, text in asked.items():
        cells = [_whole(column, name, known) for column in columns]
        if any(cells):
            yield text, *cells


def class_rows(columns: Sequence[Column], known: Figures) -> Iterator[tuple[str, ...]]:
    """Figures of each class, as they were printed or as the run has them."""
    labels: dict[str, None] = {}
    for column in columns:
        of = column.result.predictions if column.result is not None else column.reported
        labels |= dict.fromkeys(of.classes if of is not None else ())
    for label in labels:
        head = label
        for one in of_classes(known):
            cells = [_cell(column, one.name, label) for column in columns]
            if any(cells):
                yield head, one.title, *cells
                head = ""


def _whole(column: Column, name: str, known: Figures) -> str:
    if column.reported is not None:
        counts, classes = column.reported.test_supports(), column.reported.classes
        if name == "majority_baseline":  # follows from the test counts, where all are stated
            if not classes or set(counts) < set(classes) or not sum(counts.values()):
                return ""
            return f"{rounded(max(counts.values()) / sum(counts.values()))}*"
        printed = column.reported.figure(name)
        return "" if printed is None else printed.text
    assert column.result is not None
    positive = column.result.positive
    mean, label = mean_of(known, name), positive.name if positive else None
    if mean is not None:
        return _cell(column, name if label else mean, label)
    # Of two classes the positive one's: a mean over both is no point of any curve.
    return _cell(column, name, label if _score(column, name, label) else None)


def _score(column: Column, name: str, label: str | None = None) -> Score | None:
    """A run's score."""
    scores = () if column.result is None else column.result.scores
    return next((one for one in scores if (one.name, one.label) == (name, label)), None)


def _cell(column: Column, name: str, label: str | None) -> str:
    if column.reported is not None:
        printed = column.reported.of(label or "").get(name)
        return "" if printed is None else printed.text
    result, score = column.result, _score(column, name, label)
    assert result is not None
    if name == "best_validation_loss":
        losses = result.validation_losses
        score = Score(name=name, value=min(losses)) if losses else None
    told = result.scores or not result.samples.weak
    if name == "threshold" and score is None and result.threshold is not None and told:
        score = Score(name=name, value=result.threshold)
    if score is None:
        return ""
    if score.value is None:
        return "undefined"
    if score.low is None or score.high is None:
        return rounded(score.value)
    return f"{rounded(score.value)}\n{rounded(score.low, 2)}–{rounded(score.high, 2)}"


_RANK = ("error", "warning", "note", "waived", "")


def finding_rows(columns: Sequence[Column]) -> list[tuple[str, ...]]:
    """The severest thing that each rule finds in each column, severe rules first."""
    rules = dict.fromkeys(finding.rule for column in columns for finding in column.findings)
    worst: dict[str, list[int]] = {rule: [len(_RANK) - 1] * len(columns) for rule in rules}
    for place, column in enumerate(columns):
        for finding in column.findings:
            ranks = worst[finding.rule]
            ranks[place] = min(ranks[place], _RANK.index(finding.lines()[0]))
    order = sorted(rules, key=lambda rule: (min(worst[rule]), worst[rule]))
    return [(rule, *(_RANK[rank] for rank in worst[rule])) for rule in order]


def errors(columns: Sequence[Column]) -> Iterator[tuple[str, str]]:
    """Errors that no recipe waives, in words, by the letter of what they are of."""
    for column in columns:
        for finding in column.findings:
            if finding.severity == "error" and finding.waived is None:
                yield column.letter, f"{finding.message}\n{finding.lines()[2]}"


def side_by_side(columns: Sequence[Column], known: Figures) -> Figure | None:
    """A panel per figure, a row per column of the comparison; all between 0 and 1.

    None where no column has such a figure.
    """
    from matplotlib.figure import Figure

    shown = [
        one
        for one in main_ones(known)
        if one.higher_is_better
        and (one.low, one.high) == (0.0, 1.0)
        and any(
            _score(c, one.name) or (c.reported and c.reported.figure(one.name)) for c in columns
        )
    ]
    if not shown:
        return None
    lines = (len(shown) + 1) // 2
    figure = Figure(figsize=(STYLE.width, lines * (0.9 + 0.3 * len(columns))))
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


def _point(axes: Axes, place: int, column: Column, name: str) -> None:
    if column.reported is not None:
        printed = column.reported.figure(name)
        if printed is not None and printed.value is not None:
            axes.plot(float(printed), place, marker="D", mfc="none", mec=STYLE.colours[1], ls="")
        return
    score = _score(column, name)
    if score is None or score.value is None:
        axes.text(0, place, "undefined" if score else "-", va="center", color=STYLE.faint)
        return
    if score.low is not None and score.high is not None:
        axes.plot([score.low, score.high], [place, place], color=STYLE.colours[0], ls="-")
    axes.plot(score.value, place, marker="o", color=STYLE.colours[0], ls="", clip_on=False)
