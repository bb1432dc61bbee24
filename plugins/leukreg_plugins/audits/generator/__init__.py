"""Rules on generators and what they make."""

from __future__ import annotations

from leukreg_plugins.audits.generator.distance import (
    DistancesDiffer,
    LowCoverage,
    TooFewForDistance,
)
from leukreg_plugins.audits.generator.worth import (
    FakesCopyTraining,
    FakesTeachNothing,
    GainIncludesZero,
    ToldApart,
)

GENERATOR: list[type] = [
    TooFewForDistance,
    DistancesDiffer,
    LowCoverage,
    FakesCopyTraining,
    ToldApart,
    FakesTeachNothing,
    GainIncludesZero,
]
