"""The limits of the gate: what a class fails on, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leukreg.recipe.model import GateSpec
    from leukreg.synthesis.keep import Figures


def failed(figures: Figures, gate: GateSpec) -> list[str]:
    """Why these figures do not pass; empty where they do."""
    return [*_copies(figures, gate), *_distance(figures, gate), *_worth(figures, gate)]


def _copies(figures: Figures, gate: GateSpec) -> Iterator[str]:
    copies, drawn = figures["copies"], figures["drawn"]
    if copies > gate.copies * drawn:
        share = percent(copies / drawn)
        yield f"{copies:,} of {drawn:,} ({share}) copy training images (at most {_p(gate.copies)})"


def _distance(figures: Figures, gate: GateSpec) -> Iterator[str]:
    if figures["unjudged"]:
        if gate.unjudged == "fail":
            yield str(figures["unjudged"])
        if other := figures.get("passes_for"):
            label, ratio = other["class"], times(other["kid_ratio"])
            yield f"they pass for {label} (KID {ratio} the floor of its real images)"
        return
    ratio, coverage = figures["kid_ratio"], figures["coverage"]
    if ratio is None or ratio > gate.kid:
        yield f"KID is {times(ratio)} the floor (at most {gate.kid:g})"
    if coverage < gate.coverage:
        yield f"{percent(coverage)} of the real images are covered (at least {_p(gate.coverage)})"


def _worth(figures: Figures, gate: GateSpec) -> Iterator[str]:
    taught: Mapping[str, Any] | None = figures.get("fakes_only")
    if taught is None:
        return
    score, chance, real = taught["score"], taught["chance"], taught.get("real")
    if score <= chance:
        yield f"they teach no more than chance ({score:.3f} where chance is {chance:.3f})"
    elif real is not None and score < gate.teaches * real:
        yield (
            f"they teach {score:.3f} where real images teach {real:.3f}"
            f" (at least {_p(gate.teaches)} of it)"
        )


def in_words(figures: Figures) -> str:
    """The figures on one line."""
    parts = []
    if (ratio := figures.get("kid_ratio")) is not None:
        parts.append(f"KID {times(ratio)} the floor")
    if (coverage := figures.get("coverage")) is not None:
        parts.append(f"{percent(coverage)} of the real images covered")
    parts.append(f"{figures['copies']:,} copies among {figures['drawn']:,}")
    if taught := figures.get("fakes_only"):
        real = "" if taught.get("real") is None else f" (real images: {taught['real']:.2f})"
        whom = "a network " if taught.get("pupil") == "network" else ""
        parts.append(f"teach {whom}{taught['score']:.2f}{real}")
    return ", ".join(parts)


def times(ratio: float | None) -> str:
    """``3.1 times``, ``240 times``; "undefined" where the floor is 0."""
    if ratio is None:
        return "an undefined multiple of"
    return f"{ratio:.1f} times" if ratio < 100 else f"{ratio:,.0f} times"


def percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _p(share: float) -> str:
    return f"{100 * share:g} %"
