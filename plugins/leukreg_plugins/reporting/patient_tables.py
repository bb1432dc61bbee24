"""Answers about patients: figures, confusion, and the cells that decided."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial

from leukreg import Picture, RunRecord, Section, Table, plugin, record
from leukreg_plugins.audits.finding import counted, option
from leukreg_plugins.reporting import scores
from leukreg_plugins.reporting.format import find, number, percent

PATIENTS, CELLS = 8, 5
"""Patients whose cells are shown, and cells of each."""
LISTED = 40
"""Patients that the console lists."""
NOTHING = 0.0005
"""Weight below which a cell is not shown: as printed, it is 0."""


@plugin("patients")
class Patients:
    """Answers about patients: figures with intervals by patient, and the cells that decided."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        return [] if result.patients is None else sections(result, result.patients)


def sections(result: RunRecord, of: record.PatientResults) -> Iterator[Section]:
    """Figures first, then patient by patient, then the cells."""
    from leukreg_plugins.reporting import roc_curves

    run = result.about_patients
    table = scores.per_class(run)
    classes = replace(table, columns=("class", "patients", *table.columns[2:]))
    drawable = bool(roc_curves.chosen(run))
    yield Section(
        title="Patients",
        text=tuple(lines(run, of)),
        tables=(scores.whole(run), classes, scores.confusion(run)),
        figure=partial(roc_curves.figure, run, "auc") if drawable else None,
        caption="ROC over patients. The dotted line is chance.",
        order=8,
        page=19,
    )
    yield Section(title="Patient by patient", tables=(each(run, of),), order=9, page=63)
    yield Section(
        title="The cells that decided",
        text=("The cells of most weight in the surest answers; the weights of a patient's cells"
              " sum to 1.",),
        pictures=pictures(result, of),
        order=63,
        console=False,
    )  # fmt: skip


def lines(run: RunRecord, of: record.PatientResults) -> Iterator[str]:
    """What was answered, by what, and what was fitted on whom."""
    ids = dict.fromkeys(of.predictions.id)
    n, cells = len(ids), sum(of.cells.get(one, 0) for one in ids)
    rows = len(of.predictions)
    more = "" if rows == n else f", {rows} answers"
    accuracy, balanced, auc = (find(run, name) for name in ("accuracy", "balanced_accuracy", "auc"))
    yield (
        f"Of {counted(n, 'patient')} ({counted(cells, 'cell')}{more}) the aggregator"
        f" {of.aggregator!r} answers {percent(accuracy, '95 % interval ')} rightly; balanced"
        f" accuracy {percent(balanced)}, AUC {number(auc.value) if auc else 'undefined'}."
    )
    yield f"Labels of patients: {of.labels_from}."
    if run.samples.weak:
        yield "Cells have no labels of their own: there are no figures of cells."
    threshold = find(run, "threshold")
    if of.threshold is not None and threshold is not None:
        yield f"Threshold {number(of.threshold)}: {threshold.why}."
    if of.fitted.temperatures and of.validation is not None:
        held = counted(len(set(of.validation.id)), "validation patient")
        yield f"Temperature: fitted on {held}."
    if run.predictions.sets is None and option(run.recipe, "evaluate", "conformal"):
        yield "Prediction sets are of cells alone: their coverage needs many validation patients."
    for phase in option(run.recipe, "phase") or ():
        if most := option(phase, "bags"):
            yield (
                f"In phase {phase['name']!r} the backbone itself learned from training patients, by"
                f" at most {counted(most, 'cell')} of one a step; the aggregator was then trained"
                " anew, on the features that came of it."
            )
    for one in of.training:
        yield (
            f"Fold {one.fold + 1}: trained on {counted(one.patients, 'patient')}, epoch"
            f" {one.best_epoch} of {one.epochs} kept ({one.stopped}; watched:"
            f" {counted(one.validation_patients, 'validation patient')})."
        )
    how = scores.how_bounded(run)
    if how:
        yield how


def each(run: RunRecord, of: record.PatientResults) -> Table:
    """A row a patient, wrong answers first; with a threshold the probability that it is for."""
    import numpy as np

    rows = of.predictions
    answer = columns = rows.answers
    probability = "p"
    if of.threshold is not None and run.positive is not None:
        probability = f"p({run.positive.name})"
        columns = np.full(len(rows), rows.classes.index(run.positive.name))
    order = sorted(range(len(rows)), key=lambda i: (answer[i] == rows.label[i], rows.id[i]))
    body = tuple(
        (
            rows.id[i],
            f"{of.cells.get(rows.id[i], 0):,}",
            rows.classes[rows.label[i]],
            rows.classes[answer[i]],
            number(float(rows.probabilities[i, columns[i]])),
        )
        for i in order[:LISTED]
    )
    more = f"; {len(rows) - LISTED:,} more in patients.csv" if len(rows) > LISTED else ""
    return Table(
        columns=("patient", "cells", "is", "answered", probability),
        rows=body,
        caption=f"Wrong answers first{more}.",
    )


def pictures(result: RunRecord, of: record.PatientResults) -> tuple[Picture, ...]:
    """The heaviest cells of the surest patients, of each answer in turn; no cell of no weight."""
    import numpy as np

    rows = of.predictions
    answer = rows.answers
    sure = rows.probabilities[np.arange(len(rows)), answer]
    order = sorted(range(len(rows)), key=lambda i: -sure[i])
    turns: dict[int, int] = {}
    place: dict[int, tuple[int, int]] = {}  # the surest of each answer, then the second of each
    for rank, i in enumerate(order):
        turn = turns.get(int(answer[i]), 0)
        turns[int(answer[i])] = turn + 1
        place[i] = (turn, rank)
    found = []
    for i in sorted(order, key=place.__getitem__)[:PATIENTS]:
        said = f"{rows.id[i]}: {rows.classes[rows.label[i]]}, answered {rows.classes[answer[i]]}"
        own = [
            c
            for c in of.deciding
            if (c.fold, c.patient) == (int(rows.fold[i]), rows.id[i]) and c.weight >= NOTHING
        ]
        for cell in own[:CELLS]:
            sample = result.samples.rows[cell.row]
            alone = (
                ()
                if cell.probability is None
                else (f"alone p({cell.of}) = {cell.probability:.3f}",)
            )
            found.append(
                Picture(
                    id=sample.id,
                    path=sample.path,
                    box=sample.box,
                    origin=sample.origin,
                    caption=(said, f"weight {cell.weight:.3f}", *alone),
                )
            )
    return tuple(found)
