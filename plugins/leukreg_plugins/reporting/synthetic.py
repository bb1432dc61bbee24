"""What was made, what the gate measured of it, and what became of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from leukreg import RunResult, Table
from leukreg_plugins.reporting.words import counted, listed

Figures = Mapping[str, Any]


def figures(result: RunResult) -> list[Figures]:
    """The gate's tables, one per class and fold and one over the classes of a fold."""
    kept = result.facts.get("fidelity")
    if not isinstance(kept, Sequence) or isinstance(kept, str):
        return []
    return [table for table in kept if isinstance(table, Mapping)]


def lines(result: RunResult) -> Iterator[str]:
    """What a reader must know of the synthetic images, loudest first."""
    tables = figures(result)
    for table in tables:
        if table.get("passed") is False:
            why = "; ".join(str(line) for line in table.get("why", ()))
            yield f"! {_name(table)}: {_fate(table)}: {why}."
    trained = _trained(result)
    if trained and not tables:
        yield (
            f"! {counted(trained, 'synthetic image')} trained on, and nothing measured of them: the"
            " recipe has no gate."
        )
    for extractor, size in dict.fromkeys((t.get("extractor"), t.get("size")) for t in tables):
        if extractor:
            yield f"Seen by {extractor} at {size} px; the floor is two halves of the real images."
    yield from dict.fromkeys(str(note) for table in tables for note in table.get("notes", ()))
    gain = result.facts.get("gain")
    if isinstance(gain, Mapping):
        value, low, high = (100 * float(gain[key]) for key in ("value", "low", "high"))
        yield (
            f"Accuracy with synthetic images less without them: {value:+.1f} points ({low:+.1f} to"
            f" {high:+.1f}; {counted(gain['images'], 'image')}, one training each): {gain['with']}"
            f" against {gain['without']}."
        )


def table(result: RunResult) -> Table | None:
    """A row per class and fold."""
    tables = figures(result)
    if not tables:
        return None
    folds = len({each.get("fold") for each in tables}) > 1
    rows = []
    for each in tables:
        fold = (str(each["fold"] + 1) if "fold" in each else "",) if folds else ()
        rows.append((*fold, *_row(each)))
    by_network = any(_taught(each).get("pupil") == "network" for each in tables)
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


def _row(each: Figures) -> tuple[str, ...]:
    taught = _taught(each)
    return (
        str(each.get("class", "together")),
        f"{each.get('fake', 0):,}/{each.get('real', 0):,}",
        f"{_number(each, 'kid', 1, 1000)}/{_number(each, 'floor_kid', 1, 1000)}"
        if "kid" in each
        else "-",
        _number(each, "kid_ratio", 1),
        _number(each, "coverage", 2),
        f"{each.get('copies', 0):,}",
        f"{_number(taught, 'score', 2)}/{_number(taught, 'real', 2)}" if taught else "-",
        "pass" if each.get("passed") else "FAIL",
    )


def _taught(each: Figures) -> Mapping[str, Any]:
    taught = each.get("fakes_only")
    return taught if isinstance(taught, Mapping) else {}


def _fate(each: Figures) -> str:
    return "FAILED, trained on" if each.get("entered") else "FAILED, left out"


def _number(each: Figures, key: str, digits: int, scale: int = 1) -> str:
    value = each.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return "-"
    return f"{scale * value:.{digits}f}"


def _name(each: Figures) -> str:
    fold = f" (fold {each['fold'] + 1})" if "fold" in each else ""
    classes = [str(label) for label in each.get("classes", ())]
    return f"{each.get('class') or listed(classes)}{fold}"


def _trained(result: RunResult) -> int:
    """Synthetic rows in any training side."""
    rows = {row for fold in result.folds for row in fold.train}
    return sum(result.samples.rows[row].origin == "synthetic" for row in rows)
