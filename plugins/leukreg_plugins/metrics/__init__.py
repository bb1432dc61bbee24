"""Metrics, by what of the predictions they look at."""

from __future__ import annotations

from leukreg_plugins.metrics.answers import Accuracy, Macro, Mcc, PerClass
from leukreg_plugins.metrics.probabilities import Brier, Ece, Nll
from leukreg_plugins.metrics.ranking import Auc, AveragePrecision, SensitivityAtSpecificity

METRICS: list[type] = [
    Accuracy,
    PerClass,
    Macro,
    Mcc,
    Auc,
    AveragePrecision,
    SensitivityAtSpecificity,
    Nll,
    Brier,
    Ece,
]
