"""An evaluation on other images beside the figures of the run whose models it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from leukreg import RunResult, Table, rounded
from leukreg_plugins.reporting.figures import NAMES
from leukreg_plugins.reporting.words import counted, listed, number

FACT = "evaluated_from"
LOWER_IS_BETTER = ("brier", "nll", "ece")


def origin(result: RunResult) -> Mapping[str, Any] | None:
    """What the run folder keeps of the original; None for a run of its own."""
    facts = result.facts.get(FACT)
    return facts if isinstance(facts, Mapping) else None


def lines(result: RunResult, facts: Mapping[str, Any]) -> Iterator[str]:
    """Whose models these are, which classes were taken, and what was left out."""
    folds = facts["folds"]
    models = f"the mean of its {folds} models" if folds > 1 else "its model"
    yield f"The models of {facts['run']} on other images: {models}; nothing was fitted here."
    if folds > 1:
        yield (
            "The original's figures are those of each fold's model on rows it had not seen; here "
            "the models answer together, which alone may do a little better."
        )
    renamed = [f"{other} as {own}" for other, own in facts["taken"].items() if other != own]
    if renamed:
        yield f"Taken: {listed(renamed)}."
    copies = len({**facts["copies"]["exact"], **facts["copies"]["near"]})
    if copies and not facts["copies_left_out"]:
        yield f"! {copies:,} of {len(result.predictions):,} are copies of training images."
    if facts["missing"]:
        yield f"! Without images of {listed(list(facts['missing']))}."
    if facts["unmapped"]:
        yield f"Left out, not known to the run: {listed(_counted(facts['unmapped']))}."
    for name, why in (("broken", "cannot be read"), ("copies_left_out", "are copies")):
        if facts[name]:
            yield f"{counted(facts[name], 'image')} left out: they {why}."


def table(facts: Mapping[str, Any]) -> Table:
    """Every figure on both sides, and the drop with its interval."""
    rows = tuple(
        (_name(drop), number(drop["original"]), number(drop["here"]), _signed(drop["drop"]),
         _interval(drop), _reading(drop))
        for drop in facts["drops"]
    )  # fmt: skip
    # Figures of other classes than the original's own stand in no other place of a report.
    original = "original, these classes only" if facts["missing"] else "original"
    return Table(
        columns=("figure", original, "here", "drop", "95 % interval", ""),
        rows=rows,
        caption=f"Drop: original less here. {facts['how']}.",
    )


def _counted(counts: Mapping[str, int]) -> list[str]:
    return [f"{name} ({n:,})" for name, n in counts.items()]


def _name(drop: Mapping[str, Any]) -> str:
    name = NAMES.get(drop["name"], drop["name"])
    return name if drop["label"] is None else f"{name} of {drop['label']}"


def _signed(value: float | None) -> str:
    return "undefined" if value is None else rounded(value, 3, signed=True)


def _interval(drop: Mapping[str, Any]) -> str:
    if drop["low"] is None or drop["high"] is None:
        return ""
    low, high = (rounded(drop[bound], 3, signed=True) for bound in ("low", "high"))
    return f"{low} to {high}"


def _reading(drop: Mapping[str, Any]) -> str:
    """Better or worse here, where the interval leaves 0 out."""
    if drop["low"] is None or drop["high"] is None or drop["low"] <= 0 <= drop["high"]:
        return ""
    worse = drop["low"] > 0
    if drop["name"] in LOWER_IS_BETTER:
        worse = not worse
    return "worse here" if worse else "better here"
