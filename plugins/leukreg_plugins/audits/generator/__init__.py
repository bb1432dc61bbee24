"""Rules on generators and what they make."""

from __future__ import annotations

from leukreg_plugins.audits.generator.distance import (
    DistancesDiffer,
    FarFromReal,
    LowCoverage,
    TooFewForDistance,
)
from leukreg_plugins.audits.generator.gate import (
    FailedGateTrained,
    HeldAgainstTraining,
    LeftOutByGate,
    RealReplaced,
    UnmeasuredSynthetic,
)
from leukreg_plugins.audits.generator.origin import TrainedElsewhere
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
    FarFromReal,
    FailedGateTrained,
    LeftOutByGate,
    UnmeasuredSynthetic,
    HeldAgainstTraining,
    TrainedElsewhere,
    RealReplaced,
]
