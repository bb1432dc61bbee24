"""An evaluation on other images beside the figures of the run whose models it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from leukreg import RunRecord, Section, Table, plugin, record, rounded
from leukreg_plugins.audits.finding import counted
from leukreg_plugins.reporting.format import listed, number
from leukreg_plugins.reporting.scores import NAMES

LOWER_IS_BETTER = ("brier", "nll", "ece")


@plugin("elsewhere")
class Elsewhere:
    """A run's models on other images, beside the figures of the run itself."""

    def build(self, result: RunRecord) -> Iterable[Section]:
        origin = result.evaluated_from
        if origin is not None:
            tables = [table(origin)] if origin.drops else []
            tables += [table(origin, of_patients=True)] if origin.patient_drops else []
            text, title = tuple(lines(result, origin)), "Against the original"
            yield Section(title=title, text=text, tables=tuple(tables), order=5, page=7)


def lines(result: RunRecord, origin: record.External) -> Iterator[str]:
    """Whose models these are, which classes were taken, and what was left out."""
    folds = origin.folds
    models = f"the mean of its {folds} models" if folds > 1 else "its model"
    yield f"The models of {origin.run} on other images: {models}; nothing was fitted here."
    if folds > 1:
        yield (
            "The original's figures are those of each fold's model on rows it had not seen; here "
            "the models answer together, which alone may do a little better."
        )
    renamed = [f"{other} as {own}" for other, own in origin.taken.items() if other != own]
    if renamed:
        yield f"Taken: {listed(renamed)}."
    copies = len({**origin.copies.exact, **origin.copies.near})
    if copies and not origin.copies_left_out:
        yield f"! {copies:,} of {len(result.predictions):,} are copies of training images."
    if origin.missing:
        yield f"! Without images of {listed(list(origin.missing))}."
    if origin.unmapped:
        named = [f"{name} ({n:,})" for name, n in origin.unmapped.items()]
        yield f"Left out, not known to the run: {listed(named)}."
    if origin.patients_left_out:
        named = [f"{name} ({n:,})" for name, n in origin.patients_left_out.items()]
        yield f"Patients left out, whose label the run does not know: {listed(named)}."
    if origin.patients_unknown:
        yield f"! No answers about patients: {origin.patients_unknown}."
    for n, why in ((origin.broken, "cannot be read"), (origin.copies_left_out, "are copies")):
        if n:
            yield f"{counted(n, 'image')} left out: they {why}."


def table(origin: record.External, of_patients: bool = False) -> Table:
    """Every figure on both sides, and the drop with its interval."""
    drops, how, what = origin.drops, origin.how, "figure"
    if of_patients:
        drops, how, what = origin.patient_drops, origin.patient_how, "figure of patients"
    rows = tuple(
        (_name(drop), number(drop.original), number(drop.here), _signed(drop.drop),
         _interval(drop), _reading(drop))
        for drop in drops
    )  # fmt: skip
    # Figures of other classes than the original's own stand in no other place of a report.
    original = "original, these classes only" if origin.missing else "original"
    return Table(
        columns=(what, original, "here", "drop", "95 % interval", ""),
        rows=rows,
        caption=f"Drop: original less here. {how}.",
    )


def _name(drop: record.Drop) -> str:
    name = NAMES.get(drop.name, drop.name)
    return name if drop.label is None else f"{name} of {drop.label}"


def _signed(value: float | None) -> str:
    return "undefined" if value is None else rounded(value, 3, signed=True)


def _interval(drop: record.Drop) -> str:
    if drop.low is None or drop.high is None:
        return ""
    return f"{_signed(drop.low)} to {_signed(drop.high)}"


def _reading(drop: record.Drop) -> str:
    """Better or worse here, where the interval leaves 0 out."""
    if drop.low is None or drop.high is None or drop.low <= 0 <= drop.high:
        return ""
    worse = drop.low > 0
    if drop.name in LOWER_IS_BETTER:
        worse = not worse
    return "worse here" if worse else "better here"
