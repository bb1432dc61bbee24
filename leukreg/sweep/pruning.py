"""Trials of a search stopped by their validation curves, as a pruner of Optuna decides.

Each fold under each seed has a curve of its own, validation accuracy epoch by epoch (losses of two
loss functions are none to compare), and is held against the curves of the same fold and seed in
earlier trials. A decision follows from these alone, so that whoever trains comes to the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from leukreg.errors import LeukregError, RunError
from leukreg.runs.codec import damaged, parse, read_json, write_json
from leukreg.types import EpochLog

if TYPE_CHECKING:
    from optuna import Study, Trial

Pruner = Literal["median", "halving", "none"]
FILE = "stopped.json"
"""In the folder of a fold that was stopped."""


class Stopped(LeukregError):
    """A pruner ends a training."""


@dataclass(frozen=True, slots=True)
class Curve:
    """How the training of a fold went."""

    accuracy: tuple[float, ...]
    """On validation rows, after each epoch."""
    why: str = ""
    """Why it was stopped; empty where it went to its end."""


@dataclass(frozen=True, slots=True)
class StopRule:
    """When a fold is stopped; plain values, so that they may go anywhere."""

    pruner: Pruner
    earlier: tuple[Curve, ...]
    """Of the same fold and seed, in the order of the trials."""


@dataclass(slots=True, eq=False)
class Judge:
    """Looks at trainings after each epoch, and ends one where its rule says so."""

    rules: Mapping[int, StopRule]
    """By fold."""
    folder: Path
    """The run's."""
    _trials: dict[int, Trial] = field(default_factory=dict)
    _seen: int = 0

    def __call__(self, epochs: Sequence[EpochLog]) -> None:
        """
        Raises:
            Stopped: The training is to end; the fold's folder says so from now on.
        """
        fold = epochs[-1].fold
        if fold not in self.rules:
            return
        if fold not in self._trials:
            self._trials[fold], self._seen = _begun(self.rules[fold]), 0
        curve = _accuracy(epochs)
        for epoch in range(self._seen + 1, len(curve) + 1):
            self._seen = epoch
            if _prunes(self._trials[fold], curve[epoch - 1], epoch):
                why = (
                    f"stopped after epoch {epoch} of fold {fold + 1} by its validation accuracy "
                    f"of {curve[epoch - 1]:.3f} (pruner {self.rules[fold].pruner})"
                )
                write_json(self.folder / f"fold-{fold}" / FILE, Curve(curve[:epoch], why))
                raise Stopped(why)


def _accuracy(epochs: Iterable[EpochLog]) -> tuple[float, ...]:
    """Of images: in phases with ``bags`` an accuracy is of patients, and no part of this curve."""
    own = (one.validation_accuracy for one in epochs if not one.of_patients)
    return tuple(accuracy for accuracy in own if accuracy is not None)


def _prunes(trial: Trial, accuracy: float, epoch: int) -> bool:
    trial.report(accuracy, epoch)
    return trial.should_prune()


def _begun(rule: StopRule) -> Trial:
    """A trial in a study that has seen the earlier ones."""
    from optuna.trial import TrialState

    study = _study(rule.pruner)
    for curve in rule.earlier:
        trial = study.ask()
        for epoch, accuracy in enumerate(curve.accuracy, 1):
            _prunes(trial, accuracy, epoch)  # what it says was decided then; it keeps rungs
        if curve.why:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, curve.accuracy[-1])
    return study.ask()


def _study(pruner: Pruner) -> Study:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    of = {
        "median": optuna.pruners.MedianPruner,
        "halving": optuna.pruners.SuccessiveHalvingPruner,
        "none": optuna.pruners.NopPruner,
    }
    # Nothing is proposed here.
    sampler = optuna.samplers.RandomSampler(seed=0)
    return optuna.create_study(direction="maximize", pruner=of[pruner](), sampler=sampler)


def is_stopped(place: Path) -> bool:
    """Whether a fold was stopped."""
    return (place / FILE).is_file()


def stopped(place: Path) -> Curve | None:
    """The curve of a fold that was stopped; None where it was not.

    Raises:
        RunError: It is damaged.
    """
    return parse(place / FILE, Curve) if is_stopped(place) else None


def curve_of(place: Path) -> Curve | None:
    """The curve of a fold; None while it is not done.

    Raises:
        RunError: What is kept of it is damaged.
    """
    from leukreg.engine.checkpoints import OUTCOME

    path = place / OUTCOME
    if (found := stopped(place)) is not None or not path.is_file():
        return found
    try:
        epochs = read_json(path)["epochs"]
        own = [one for one in epochs if one.get("learned_from", "images") == "images"]
        return Curve(tuple(float(one["validation_accuracy"]) for one in own))
    except (KeyError, TypeError) as error:
        raise damaged(path, f"no epochs ({error})") from error


def curves_of(runs: Iterable[tuple[Path, int]]) -> Iterator[tuple[tuple[int, int], Curve]]:
    """The curves of a trial by number of its run and fold, up to the first that was stopped: what
    workers did besides, at the same time, does not count.

    Args:
        runs: Folder and folds of each.
    """
    for number, (folder, folds) in enumerate(runs):
        for fold in range(folds):
            try:
                curve = curve_of(folder / f"fold-{fold}")
            except RunError:
                curve = None
            if curve is None:
                return
            yield (number, fold), curve
            if curve.why:
                return
