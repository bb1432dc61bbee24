"""What data a run had: counts per class, origin, side and patient, and sample images."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING

from leukreg import STYLE, Picture, RunRecord, Sample, Section, Table, plugin
from leukreg_plugins.audits.finding import counted
from leukreg_plugins.reporting.format import BLUE, INK, PINK, RED, WIDTH, cells_have_labels

if TYPE_CHECKING:
    from matplotlib.figure import Figure


LOOKS = {"real": (BLUE, ""), "rendered": (RED, "//"), "synthetic": (PINK, "xx")}
"""Colour and hatching of an origin."""
SIDES = ("train", "validation", "test")
PICTURES = 48
"""Sample images, all classes together."""
FEW_CLASSES = 12
MOST = 12
"""Pictures of mistakes, and of uncertain answers."""


@plugin("page-data")
class PageData:
    """What data the run had, counted and in pictures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        yield Section(
            title="Data",
            text=lines(result),
            tables=tuple(table for table in tables(result) if table.rows),
            figure=partial(counts_figure, result),
            caption="Images of each class, by origin; hatched where they are not real.",
            order=10,
            console=False,
        )
        pictures = sample_pictures(result)
        yield Section(title="Sample images", pictures=pictures, order=11, console=False)


@plugin("page-pictures")
class PagePictures:
    """The surest mistakes and the least certain answers, as pictures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        if not cells_have_labels(result):
            return
        wrong, doubtful = mistakes(result), uncertain(result)
        text = f"{len(wrong):,} images were answered wrongly; shown are those with the most "
        yield Section(
            title="The surest mistakes",
            text=(f"{text}confidence." if wrong else "No image was answered wrongly.",),
            pictures=pictures(result, wrong[:MOST]),
            order=62,
            console=False,
        )
        yield Section(
            title="The least certain answers",
            text=("The images of the highest predictive entropy.",),
            pictures=pictures(result, doubtful[:MOST]),
            order=64,
            console=False,
        )


def lines(result: RunRecord) -> tuple[str, ...]:
    """Files listed more than once, fields, files that could not be read, patients."""
    rows = result.samples.rows
    files = len({row.id for row in rows})
    said = [f"{counted(len(rows), 'row')} of {counted(files, 'file')}."]
    if files < len(rows):
        said = [f"! {counted(len(rows), 'row')} list {counted(files, 'file')}: some stand twice."]
    fields = {row.field for row in rows} - {None}
    if fields:
        cells = counted(sum(row.field is not None for row in rows), "cell")
        said.append(f"{cells} cropped from {counted(len(fields), 'field')} with boxes.")
    broken = len(result.samples.broken)
    said += [f"! {counted(broken, 'file')} could not be read and were left out."] if broken else []
    patients = {row.patient for row in rows if row.patient is not None}
    unknown = sum(row.patient is None for row in rows)
    if patients:
        known = f"{counted(len(patients), 'patient')}"
        said.append(f"{known}; {unknown:,} rows without one." if unknown else f"{known}.")
    else:
        said.append("Patients are not known.")
    if result.samples.weak:
        said.append("Only patients have labels; each cell has its patient's.")
    return tuple(said)


def counts_figure(result: RunRecord) -> Figure:
    """A bar per class, parted by origin; hatched where images are not real."""
    from matplotlib.figure import Figure

    classes = result.samples.classes
    count = _count(result)
    figure = Figure(figsize=(WIDTH, 1.0 + 0.32 * len(classes)))
    axes = figure.subplots()
    start = [0] * len(classes)
    for origin, (colour, hatch) in LOOKS.items():
        sizes = [count[label, origin] for label in classes]
        if any(sizes):
            axes.barh(range(len(classes)), sizes, left=start, color=colour, hatch=hatch,
                      edgecolor=INK, linewidth=0.6, label=origin, height=0.7)  # fmt: skip
        start = [a + b for a, b in zip(start, sizes, strict=True)]
    for place, total in enumerate(start):
        axes.annotate(f"{total:,}", (total, place), (4, 0), textcoords="offset points", va="center")
    axes.set_yticks(range(len(classes)), STYLE.names(classes))
    axes.set_ylim(len(classes) - 0.5, -0.5)
    axes.margins(x=0.14)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel("images")
    figure.legend(loc="outside upper left", ncols=3)
    return figure


def _count(result: RunRecord) -> Counter[tuple[str, str]]:
    return Counter((row.label, str(row.origin)) for row in result.samples.rows)


def tables(result: RunRecord) -> Iterator[Table]:
    """By class, by the labels of patients where cells have their own, and by fold and side."""
    yield counts_table(result)
    samples = result.samples
    if samples.patient_labels and not samples.weak:
        of = [(row, samples.patient_labels.get(row.patient or "")) for row in samples.rows]
        yield Table(
            columns=("patients' label", "patients", "images of a patient"),
            rows=tuple(
                (label, *_patients([row for row, whose in of if whose == label]))
                for label in samples.patient_classes
            ),
        )
    yield folds_table(result)


def counts_table(result: RunRecord) -> Table:
    """A row per class: images by origin, and patients."""
    rows = result.samples.rows
    origins = [origin for origin in LOOKS if any(row.origin == origin for row in rows)]
    count = _count(result)
    known = any(row.patient is not None for row in rows)
    lines = []
    for label in result.samples.classes:
        cells = [f"{count[label, origin]:,}" for origin in origins]
        if known:
            cells += _patients([row for row in rows if row.label == label])
        lines.append((label, *cells))
    patients = ("patients", "images of a patient") if known else ()
    return Table(columns=("class", *origins, *patients), rows=tuple(lines))


def _patients(rows: list[Sample]) -> list[str]:
    each = sorted(Counter(row.patient for row in rows if row.patient is not None).values())
    if not each:
        return ["0", "-"]
    middle = each[len(each) // 2]
    return [f"{len(each):,}", f"{middle:,} ({each[0]:,}–{each[-1]:,})"]


def folds_table(result: RunRecord) -> Table:
    """A row per fold and side: images of each class, and patients."""
    samples, classes = result.samples, result.samples.classes
    few = len(classes) <= FEW_CLASSES
    lines = []
    for fold in result.folds:
        for side in SIDES:
            rows = [samples.rows[row] for row in getattr(fold, side)]
            if not rows:
                continue
            count = Counter(row.label for row in rows)
            patients = {row.patient for row in rows if row.patient is not None}
            own = [f"{count[label]:,}" for label in classes] if few else []
            cells = (f"{len(rows):,}", *own, f"{len(patients):,}" if patients else "unknown")
            lines.append((f"{fold.index + 1} {side}", *cells))
    columns = ("fold and side", "images", *(classes if few else ()), "patients")
    return Table(columns=columns, rows=tuple(lines))


def sample_pictures(result: RunRecord) -> tuple[Picture, ...]:
    """The same number of each class, evenly spread over its files, every origin among them."""
    classes = result.samples.classes
    each = max(2, min(6, PICTURES // max(1, len(classes))))
    found: list[Picture] = []
    for label in classes[: PICTURES // 2]:
        files = {row.id: row for row in result.samples.rows if row.label == label}
        found += [_picture(row) for row in _spread(list(files.values()), each)]
    return tuple(found)


def _spread(rows: list[Sample], n: int) -> list[Sample]:
    by_origin = sorted(rows, key=lambda row: list(LOOKS).index(row.origin))
    if len(by_origin) <= n:
        return by_origin
    step = (len(by_origin) - 1) / (n - 1)
    return [by_origin[round(place * step)] for place in range(n)]


def _picture(row: Sample) -> Picture:
    patient = () if row.patient is None else (f"patient {row.patient}",)
    made = () if row.lineage is None else (f"made by {row.lineage.generator}",)
    return Picture(
        id=row.id,
        path=row.path,
        box=row.box,
        origin=row.origin,
        caption=(row.label, *made, *patient, row.id.rpartition("/")[2]),
    )


def mistakes(result: RunRecord) -> list[int]:
    """Places of wrong answers, the most probable first; a file once."""
    import numpy as np

    rows = result.predictions
    answer = rows.answers
    sure = rows.probabilities[np.arange(len(rows)), answer]
    wrong = np.flatnonzero(answer != rows.label)
    return _once(result, wrong[np.argsort(-sure[wrong], kind="stable")].tolist())


def uncertain(result: RunRecord) -> list[int]:
    """Places of all answers, the most uncertain first; a file once."""
    import numpy as np

    order = np.argsort(-result.predictions.uncertainty, kind="stable")
    return _once(result, order.tolist())


def _once(result: RunRecord, places: Iterable[int]) -> list[int]:
    first: dict[str, int] = {}
    for place in places:
        first.setdefault(result.predictions.id[place], place)
    return list(first.values())


def pictures(result: RunRecord, places: Iterable[int]) -> tuple[Picture, ...]:
    """The rows as pictures, with what they are, what was answered, and how sure."""
    rows, answer = result.predictions, result.predictions.answers
    return tuple(
        Picture(
            id=rows.id[place],
            path=rows.path[place],
            box=result.samples.rows[rows.row[place]].box,
            origin=rows.origin[place],
            caption=_caption(result, place, int(answer[place])),
            row=place,
        )
        for place in places
    )


def _caption(result: RunRecord, place: int, answer: int) -> tuple[str, ...]:
    rows = result.predictions
    label = int(rows.label[place])
    p = rows.probabilities[place]
    first = f"right: {rows.classes[label]}"
    if answer != label:
        first = f"is {rows.classes[label]}, taken for {rows.classes[answer]}"
    sure = (f"p = {p[answer]:.3f}", f"entropy {rows.uncertainty[place]:.3f}")
    patient = rows.patient[place]
    who = () if patient is None else (f"patient {patient}",)
    return first, *sure, *who, rows.id[place].rpartition("/")[2]
