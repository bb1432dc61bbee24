"""Rules on the data: what was listed, split and made."""

from __future__ import annotations

from leukreg_plugins.audits.data.copies import (
    CopiesAcrossSplit,
    CopiesDisagree,
    CopiesDropped,
    RepeatedPixels,
    SegmentedTwinsApart,
)
from leukreg_plugins.audits.data.listing import (
    AbsentClass,
    ClassCountsMoved,
    ClassesAlike,
    FilesPassedOver,
    ListedWrongly,
)
from leukreg_plugins.audits.data.patients import (
    ConcentratedClass,
    PatientAcrossSplit,
    PatientsUnknown,
)
from leukreg_plugins.audits.data.reading import FilesRead
from leukreg_plugins.audits.data.shortcut import Shortcut
from leukreg_plugins.audits.data.split import ScoredTrainingRows, ValidationIsTest, WholeSetScored
from leukreg_plugins.audits.data.synthetic import (
    ParentOfOtherLabel,
    ParentOutsideFold,
    SyntheticScored,
)

DATA: list[type] = [
    RepeatedPixels,
    CopiesAcrossSplit,
    CopiesDisagree,
    CopiesDropped,
    SegmentedTwinsApart,
    PatientAcrossSplit,
    PatientsUnknown,
    ConcentratedClass,
    ListedWrongly,
    FilesPassedOver,
    ClassesAlike,
    AbsentClass,
    ClassCountsMoved,
    SyntheticScored,
    ParentOutsideFold,
    ParentOfOtherLabel,
    ScoredTrainingRows,
    WholeSetScored,
    ValidationIsTest,
    Shortcut,
    FilesRead,
]
