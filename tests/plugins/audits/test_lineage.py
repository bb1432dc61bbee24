"""Where synthetic images come from: rules fire on small cases, not on near misses."""

from __future__ import annotations

from dataclasses import replace

from leukreg_plugins.audits.lineage import ParentOfOtherLabel, ParentOutsideFold, SyntheticScored

from leukreg import RunRecord
from leukreg.types import Fold
from tests.plugins.audits.evidence import evidence, fires, made, passes, rows

FOUR = rows(2, 2)

IDS = [row.id for row in FOUR]


def test_synthetic_scored() -> None:
    listed = [*FOUR, made("s/1.png")]
    fires(SyntheticScored(), evidence(listed, [0, 2], [1, 4]), "error", "1 of 2 test rows", "1 ALL")
    fires(SyntheticScored(), evidence(listed, [0, 2], [1], [4]), "error", "validation")
    passes(SyntheticScored(), evidence(listed, [0, 2, 4], [1, 3]))
    asked = RunRecord(recipe={"synthesis": {"place": "before-split"}})
    fires(SyntheticScored(), asked, "error", "before the split")
    passes(SyntheticScored(), RunRecord(recipe={"synthesis": {"place": "training-fold"}}))


def test_parent_outside_fold() -> None:
    child = made("s/1.png", parent=IDS[1], parent_label="Benign", fold=0)
    listed = [*FOUR, child]
    fires(ParentOutsideFold(), evidence(listed, [0, 2, 4], [1, 3]), "error", IDS[1])
    passes(ParentOutsideFold(), evidence(listed, [1, 2, 4], [0, 3]))
    unknown = [*FOUR, made("s/1.png", parent="elsewhere.jpg")]
    fires(ParentOutsideFold(), evidence(unknown, [0, 2, 4], [1, 3]), "error", "elsewhere.jpg")
    stranger = [*FOUR, made("s/1.png", fold=3)]
    fires(ParentOutsideFold(), evidence(stranger, [0, 2, 4], [1, 3]), "error", "another fold")
    # Rows that synthetic ones took the place of are trained on through these.
    replacing = Fold(index=0, train=(2, 4), validation=(), test=(0, 3), replaced=(1,))
    passes(ParentOutsideFold(), evidence(listed, folds=(replacing,)))
    fires(ParentOutsideFold(), evidence(listed, [2, 4], [0, 3]), "error", IDS[1])
    tested = replace(replacing, test=(0, 1, 3))
    fires(ParentOutsideFold(), evidence(listed, folds=(tested,)), "error", IDS[1])
    # A file that is listed on both sides leaks through its other row.
    twice = [*FOUR, child, FOUR[1]]
    fires(ParentOutsideFold(), evidence(twice, [1, 2, 4], [5, 3]), "error", IDS[1])


def test_parent_of_other_label() -> None:
    benign = made("s/1.png", parent=IDS[0])
    fires(ParentOfOtherLabel(), evidence([*FOUR, benign]), "error", "1 ALL from Benign")
    passes(ParentOfOtherLabel(), evidence([*FOUR, made("s/1.png", parent=IDS[2])]))
    said = made("s/1.png", parent="x", parent_label="Benign")
    fires(ParentOfOtherLabel(), evidence([*FOUR, said]), "error", "1 ALL from Benign")
