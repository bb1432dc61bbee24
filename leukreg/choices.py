"""What is chosen between predictions and figures, in words: nothing of it goes unseen.

The positive class of a task of two among it: the one that thresholds and some losses are about.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

KEY = "evaluate.positive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Positive:
    """Which of two classes is the positive one, and whether anybody said so."""

    name: str
    other: str
    stated: bool
    """False: it is the second name, a guess."""

    def says(self) -> str:
        """One line for whoever looks at the figures."""
        if self.stated:
            return f"{self.name} (the recipe says so)"
        return (
            f"{self.name}, a guess (the second by name); "
            f"the recipe should say it: {line(self.other, self.name)}"
        )


def line(*names: str) -> str:
    """What to write in a recipe: ``evaluate.positive = "ALL"``, or the other."""
    quoted = [f'"{name}"' for name in names]
    return f"{KEY} = {quoted[0]}" + "".join(f" or {KEY} = {name}" for name in quoted[1:])


def positive_of(classes: Sequence[str], named: str | None) -> Positive | None:
    """The positive class; None unless there are two classes."""
    if len(classes) != 2:
        return None
    stated = named in classes
    name = str(named) if stated else classes[1]
    other = classes[1] if name == classes[0] else classes[0]
    return Positive(name=name, other=other, stated=stated)


def positive_in(recipe: Mapping[str, Any], classes: Sequence[str]) -> Positive | None:
    """The same from a recipe as plain data, as a run keeps it."""
    return positive_of(classes, _table(recipe, "evaluate").get("positive"))


RULES = {"f1": "with the best F1", "youden": "with the best Youden's J"}


def choices(recipe: Mapping[str, Any], classes: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """What is chosen, and how, for a recipe as plain data and the classes of its task."""
    return tuple(_choices(recipe, classes))


def _choices(recipe: Mapping[str, Any], classes: Sequence[str]) -> Iterator[tuple[str, str]]:
    evaluate = _table(recipe, "evaluate")
    positive = positive_in(recipe, classes)
    if positive is not None:
        yield "positive class", positive.says()
    yield "answer", _answer(_table(evaluate, "threshold"), positive.name if positive else "")
    folds = _table(_table(recipe, "data"), "folds")
    yield "validation images", _validation(folds)
    yield from _steps(_table(recipe, "training"), recipe.get("phase"))
    yield "epoch kept", _epoch(recipe.get("phase"))
    yield "probabilities", _probabilities(evaluate)
    count = evaluate.get("bootstrap")
    yield "intervals", f"{count:,} resamples" if count else "none asked for"


def _answer(threshold: Mapping[str, Any], positive: str) -> str:
    if not threshold:
        return "the most probable class (of equals the first)"
    if threshold.get("rule") == "fixed":
        return (
            f"{positive} from a probability of {threshold.get('value'):.4g}, which the recipe fixes"
        )
    rows = "the scored images" if threshold.get("fitted_on") == "scored" else "validation images"
    return f"{positive} from the probability {RULES[str(threshold.get('rule'))]} on {rows}"


def _validation(folds: Mapping[str, Any]) -> str:
    if folds.get("validation_is_test"):
        return "the test images themselves"
    share = folds.get("validation")
    if folds.get("use") == "given":
        drawn = f"; without such, {100 * share:g} % of its training images" if share else ""
        return f"those that the source names{drawn}"
    return f"{100 * share:g} % of what is not tested, drawn anew in each fold" if share else "none"


FINE_TUNING = {
    "bags": (
        "learned from patients",
        "at most {:,} cells of one a step, drawn anew every epoch; batch norm keeps its"
        " statistics, the head waits, and the aggregator is not that of the answers, which learns"
        " afterwards",
    ),
    "mixup": ("mixed images", "mixup, alpha {:g}"),
    "cutmix": ("mixed images", "cutmix, alpha {:g}"),
    "layer_decay": ("learning rates", "each stage {:g} times that of the one behind it"),
    "ema": ("weights kept", "their moving average, decay {:g}; it is validated too"),
}
"""Keys of phases: what they decide, and how it is told."""


def _steps(training: Mapping[str, Any], phases: object) -> Iterator[tuple[str, str]]:
    """How steps differ from one batch, one rate and the weights under way, where they do."""
    size, batches = training.get("batch_size", 0), training.get("accumulate") or 1
    if batches > 1:
        yield "images a step", f"{size * batches:,}: {batches} batches of {size}"
    told: dict[str, list[str]] = {}
    for phase in phases if isinstance(phases, Sequence) else ():
        for key, (what, words) in FINE_TUNING.items():
            if phase.get(key) is not None:
                said = f"phase {phase.get('name')}: {words.format(phase[key])}"
                told.setdefault(what, []).append(said)
    yield from ((what, "; ".join(said)) for what, said in told.items())


def devices_told(recipe: Mapping[str, Any], folds: Sequence[Sequence[int]]) -> str:
    """What training on several devices means; empty where there was but one.

    Args:
        folds: On how many devices each was trained, one number after the other.
    """
    counts = {tuple(fold) for fold in folds}
    if all(count == 1 for fold in counts for count in fold):
        return ""
    said = " or ".join(sorted(", then ".join(map(str, fold)) for fold in counts))
    norm = (
        "batch norm sees the whole batch"
        if _table(recipe, "training").get("sync_batchnorm")
        else "batch norm sees a device's part, and keeps the mean of their statistics"
    )
    return (
        f"{said}; a batch's images are divided among them and their gradients added up; {norm}; "
        "figures differ from one device's in the last digits, and dropout has other masks"
    )


def _epoch(phases: object) -> str:
    said = []
    for phase in phases if isinstance(phases, Sequence) else ():
        watched = str(phase.get("monitor") or "validation_loss").replace("_", " ")
        if phase.get("restore_best"):
            best = "highest" if "accuracy" in watched else "lowest"
            said.append(
                f"that of the {best} {watched} (of the lowest training loss where there are"
                " no validation images)"
            )
        else:
            said.append("the last")
    if len(set(said)) == 1:
        return said[0]
    names = [str(phase.get("name")) for phase in phases] if isinstance(phases, Sequence) else []
    return "; ".join(f"{name}: {text}" for name, text in zip(names, said, strict=True)) or "none"


def _probabilities(evaluate: Mapping[str, Any]) -> str:
    parts = []
    if evaluate.get("mc_dropout"):
        parts.append(f"means over {evaluate['mc_dropout'].get('passes')} passes of MC dropout")
    if evaluate.get("tta"):
        parts.append(f"means over {evaluate['tta'].get('views')} views")
    calibrated = bool(evaluate.get("calibration"))
    parts.append("calibrated on validation images" if calibrated else "as the network gives them")
    return ", ".join(parts)


def _table(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    inner = data.get(key)
    return inner if isinstance(inner, Mapping) else {}
