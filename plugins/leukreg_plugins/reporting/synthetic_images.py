"""What was made, what the gate measured of it, and what became of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from leukreg import Picture, RunRecord, Sample, Section, Table, plugin, record
from leukreg_plugins.audits.finding import counted
from leukreg_plugins.reporting.format import listed


@plugin("synthetic-cells")
class SyntheticCells:
    """What the gate measured of synthetic images, and which of them were trained on."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        text, found = tuple(lines(result)), table(result)
        if text or found is not None:
            tables = (found,) if found is not None else ()
            yield Section(title="Synthetic images", text=text, tables=tables, order=55, page=70)


@plugin("page-synthetic")
class PageSynthetic:
    """Synthetic cells beside given ones, as pictures."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        if made(result):
            yield Section(
                title="Synthetic cells beside given ones",
                text=made_lines(result),
                pictures=pictures(result),
                order=72,
                console=False,
            )


def lines(result: RunRecord) -> Iterator[str]:
    """What a reader must know of the synthetic images, loudest first."""
    tables = result.synthesis.fidelity
    for table in tables:
        if table.passed is False:
            fate = "FAILED, trained on" if table.entered else "FAILED, left out"
            yield f"! {_name(table)}: {fate}: {'; '.join(table.why)}."
    trained = _trained(result)
    if trained and not tables:
        yield (
            f"! {counted(trained, 'synthetic image')} trained on, and nothing measured of them: the"
            " recipe has no gate."
        )
    for extractor, size in dict.fromkeys((t.extractor, t.size) for t in tables):
        if extractor:
            yield f"Seen by {extractor} at {size} px; the floor is two halves of the real images."
    yield from dict.fromkeys(note for table in tables for note in table.notes)
    gain = result.synthesis.gain
    if gain is not None and gain.low is not None and gain.high is not None:
        yield (
            f"Accuracy with synthetic images less without them: {100 * gain.value:+.1f} points"
            f" ({100 * gain.low:+.1f} to {100 * gain.high:+.1f}; {counted(gain.images, 'image')},"
            f" one training each): {gain.taught} against {gain.untaught}."
        )


def table(result: RunRecord) -> Table | None:
    """A row per class and fold."""
    tables = result.synthesis.fidelity
    if not tables:
        return None
    folds = len({each.fold for each in tables}) > 1
    rows = []
    for each in tables:
        fold = ("" if each.fold is None else str(each.fold + 1),) if folds else ()
        rows.append((*fold, *_row(each)))
    by_network = any(each.fakes_only and each.fakes_only.pupil == "network" for each in tables)
    pupil = "small network" if by_network else "plain classifier"
    columns = ("class", "made/real", "KID/floor", "×", "cover", "copy", "teach", "gate")
    caption = (
        "made/real: synthetic images, and the real ones they are held against; KID in thousandths,"
        " beside its floor, × the one over the other; cover: part of the real ones with a synthetic"
        " one in their neighbourhood; copy: copies of training images; teach: recall on real images"
        f" of a {pupil} taught by synthetic ones/by real ones."
    )
    return Table(
        columns=(("fold", *columns) if folds else columns), rows=tuple(rows), caption=caption
    )


def _row(each: record.GateFigures) -> tuple[str, ...]:
    taught = each.fakes_only
    return (
        each.label or "together",
        f"{each.fake or 0:,}/{each.real or 0:,}",
        "-"
        if each.kid is None
        else f"{_number(each.kid, 1, 1000)}/{_number(each.floor_kid, 1, 1000)}",
        _number(each.kid_ratio, 1),
        _number(each.coverage, 2),
        f"{each.copies or 0:,}",
        f"{_number(taught.score, 2)}/{_number(taught.real, 2)}" if taught else "-",
        "pass" if each.passed else "FAIL",
    )


def _number(value: float | None, digits: int, scale: int = 1) -> str:
    return "-" if value is None else f"{scale * value:.{digits}f}"


def _name(each: record.GateFigures) -> str:
    fold = "" if each.fold is None else f" (fold {each.fold + 1})"
    return f"{each.label or listed(list(each.classes))}{fold}"


def _trained(result: RunRecord) -> int:
    """Synthetic rows in any training side."""
    rows = {row for fold in result.folds for row in fold.train}
    return sum(result.samples.rows[row].origin == "synthetic" for row in rows)


EACH = 6
"""Pictures of a made class, and as many that were given."""
CLASSES = 6


def made(result: RunRecord) -> list[Sample]:
    """The rows that a generator made."""
    return [row for row in result.samples.rows if row.origin == "synthetic"]


def made_lines(result: RunRecord) -> tuple[str, ...]:
    """How many of which class, by which generator, and whether any was scored."""
    count = Counter(
        (row.label, row.lineage.generator if row.lineage else "an unknown generator")
        for row in made(result)
    )
    said = [f"{n:,} of {label}, made by {generator}." for (label, generator), n in count.items()]
    scored = result.predictions.origin.count("synthetic")
    return (*said, *([f"! {scored:,} of the scored images are among them."] if scored else []))


def pictures(result: RunRecord) -> tuple[Picture, ...]:
    """Of each made class some that were given, then some that were made."""
    rows = made(result)
    found: list[Picture] = []
    for label in list(dict.fromkeys(row.label for row in rows))[:CLASSES]:
        given = [r for r in result.samples.rows if r.label == label and r.origin != "synthetic"]
        own = [row for row in rows if row.label == label]
        found += [_picture(row) for row in (*_some(given), *_some(own))]
    return tuple(found)


def _some(rows: list[Sample]) -> list[Sample]:
    step = max(1, len(rows) // EACH)
    return rows[::step][:EACH]


def _picture(row: Sample) -> Picture:
    caption = [row.label]
    if row.lineage is not None:
        caption.append(f"made by {row.lineage.generator}")
        if row.lineage.parent:
            caption.append(f"from {row.lineage.parent.rpartition('/')[2]}")
        caption += [f"{key}: {value}" for key, value in row.lineage.condition.items()]
    return Picture(id=row.id, path=row.path, box=row.box, origin=row.origin, caption=tuple(caption))
