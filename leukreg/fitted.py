"""What is fitted on validation rows before anything is scored: thresholds, temperatures, limits."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class FoldThreshold:
    """From which probability of the positive class on a fold's rows are called positive."""

    fold: int
    threshold: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature:
    """What the log-probabilities of one fold's model are divided by; above 1 it was too sure."""

    fold: int
    temperature: float
    rows: int
    """Validation rows it was fitted on."""
    low: float | None = None
    high: float | None = None
    """95 % interval, over patients where they are known, and pictures."""
    by: str = ""
    """How the interval was made."""
    why: str = ""
    """Why it was not fitted, or is at a bound; empty where all is well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """Temperatures, fold by fold."""

    method: str
    folds: tuple[Temperature, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ConformalFold:
    """How badly each class may conform and still be in a set of this fold."""

    fold: int
    rows: tuple[int, ...]
    """The validation rows behind each class's limit."""
    groups: tuple[int, ...] = ()
    """What these are as evidence (see ``units_of``); empty in old runs, which counted rows."""
    limits: tuple[float, ...]
    """The largest score of each class; all equal unless ``by_class``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Conformal:
    """Fitted conformal sets."""

    method: str
    coverage: float
    by_class: bool
    seed: int
    folds: tuple[ConformalFold, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """What was fitted on validation rows before anything was scored."""

    thresholds: tuple[FoldThreshold, ...] = ()
    calibration: Calibration | None = None
    conformal: Conformal | None = None

    @property
    def temperatures(self) -> tuple[Temperature, ...]:
        """Those of the folds; none where nothing was calibrated."""
        return () if self.calibration is None else self.calibration.folds

    def temperature_by_fold(self) -> dict[int, float]:
        return {one.fold: one.temperature for one in self.temperatures}
