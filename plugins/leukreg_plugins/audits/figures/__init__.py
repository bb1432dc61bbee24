"""Rules on figures, a run's own and published ones."""

from __future__ import annotations

from leukreg_plugins.audits.figures.amount import (
    FewerFolds,
    FewPositives,
    ImbalancedAnswers,
    LooksAtTest,
    OneClassTested,
)
from leukreg_plugins.audits.figures.baseline import (
    AucNearHalf,
    BaselineMisquoted,
    BrierNoBetter,
    MajorityBaseline,
)
from leukreg_plugins.audits.figures.calibration import (
    CalibratedOnScored,
    CoverageMissed,
    TemperatureNotFitted,
)
from leukreg_plugins.audits.figures.folds import TemperaturesDiffer, ThresholdsDiffer
from leukreg_plugins.audits.figures.probabilities import (
    PoorCalibration,
    ThresholdNeverCrossed,
    ThresholdOnScored,
    UniformPredictions,
)
from leukreg_plugins.audits.figures.table import (
    ConsistentTable,
    ImpossibleFigures,
    ReportedUnreadable,
    UndefinedPrinted,
)

FIGURES: list[type] = [
    ReportedUnreadable,
    ImpossibleFigures,
    ConsistentTable,
    UndefinedPrinted,
    OneClassTested,
    MajorityBaseline,
    BaselineMisquoted,
    AucNearHalf,
    BrierNoBetter,
    FewPositives,
    ImbalancedAnswers,
    ThresholdOnScored,
    ThresholdNeverCrossed,
    ThresholdsDiffer,
    PoorCalibration,
    UniformPredictions,
    CalibratedOnScored,
    TemperatureNotFitted,
    TemperaturesDiffer,
    CoverageMissed,
    FewerFolds,
    LooksAtTest,
]
