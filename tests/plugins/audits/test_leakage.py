"""Copies, splits and images from elsewhere: rules fire on small cases, not on near misses."""

from __future__ import annotations

from dataclasses import replace

from leukreg_plugins.audits.confounding import (
    PatientAcrossSplit,
)
from leukreg_plugins.audits.leakage import (
    CopiesAcrossSplit,
    CopiesDisagree,
    CopiesDropped,
    RepeatedPixels,
    ScoredTrainingRows,
    SegmentedTwinsApart,
    ValidationIsTest,
    WholeSetScored,
)

from leukreg import RunRecord
from leukreg.types import Fold
from tests.facts import from_facts
from tests.plugins.audits.evidence import binary, evidence, fires, passes, rows, sample

FOUR = rows(2, 2)

IDS = [row.id for row in FOUR]


def test_repeated_pixels() -> None:
    same = dict.fromkeys(IDS[:2], "aa") | {IDS[2]: "bb", IDS[3]: "cc"}
    fires(RepeatedPixels(), evidence(FOUR, pixels=same), "warning", "1 file", "Benign/000.jpg")
    passes(RepeatedPixels(), evidence(FOUR, pixels={i: i for i in IDS}))
    # One file listed twice is another rule's.
    passes(RepeatedPixels(), evidence([FOUR[0], FOUR[0]], pixels={IDS[0]: "aa"}))


def test_many_copies_are_counted_as_the_pictures_they_are() -> None:
    many = rows(4, 4)
    ids = [row.id for row in many]
    quarter = {name: f"p{place // 4}" for place, name in enumerate(ids)}
    fires(RepeatedPixels(), evidence(many, pixels=quarter), "warning", "8 files are 2 pictures")
    near = tuple((ids[place], ids[place + 1]) for place in range(0, 8, 2))
    case = evidence(many, pixels={name: name for name in ids}, near_duplicates=near)
    fires(RepeatedPixels(), case, "warning", "near duplicates", "8 files show 4 pictures")
    passes(RepeatedPixels(many=0.6), case)


def test_copies_left_out_are_named() -> None:
    one = {"id": "a/2.png", "label": "a", "kept": "a/1.png"}
    other = {"id": "b/3.png", "label": "b", "kept": None}
    fires(
        CopiesDropped(),
        evidence(FOUR, **from_facts({"dropped": [one]})),
        "note",
        "a/2.png",
        "a/1.png",
    )
    case = evidence(FOUR, **from_facts({"dropped": [other]}))
    fires(CopiesDropped(), case, "warning", "1 file", "b/3.png")
    passes(CopiesDropped(), evidence(FOUR, **from_facts({"dropped": []})))


def test_copies_across_split_by_pixels_twins_and_listing() -> None:
    same = {IDS[0]: "aa", IDS[1]: "aa"}
    rule = CopiesAcrossSplit()
    fires(rule, evidence(FOUR, [0, 2], [1, 3], pixels=same), "error", "1 of 2 test rows", "50.0 %")
    passes(rule, evidence(FOUR, [0, 1], [2, 3], pixels=same))
    pairs = ((IDS[0], IDS[1]), (IDS[1], IDS[2]))
    fires(
        rule,
        evidence(FOUR, [0], [2, 3], near_duplicates=pairs),
        "error",
        "1 of 2",
        f"{IDS[2]} ~ {IDS[0]}",
    )
    twice = [*FOUR, FOUR[0]]
    fires(rule, evidence(twice, [0, 2], [4, 3]), "error", "1 of 2")
    passes(rule, evidence(twice, [0, 4], [1, 3]))


def test_copies_in_validation_are_a_warning() -> None:
    case = evidence(FOUR, [0], [3], [1], pixels={IDS[0]: "aa", IDS[1]: "aa"})
    fires(CopiesAcrossSplit(), case, "warning", "1 of 1 validation rows")


def test_what_a_generator_alone_learned_from_is_trained_on_too() -> None:
    listed = [
        sample(f"{tree}/Pro/{i}.jpg", "ALL", patient=i)
        for tree in ("Original", "Segmented")
        for i in "12"
    ]
    replacing = Fold(index=0, train=(1,), validation=(), test=(2,), replaced=(0,))
    same = {listed[0].id: "aa", listed[2].id: "aa"}
    case = evidence(listed, folds=(replacing,), pixels=same)
    fires(CopiesAcrossSplit(), case, "error", "1 of 1 test rows")
    fires(PatientAcrossSplit(), case, "error", "1 of 2 patients")
    fires(SegmentedTwinsApart(), case, "error", "1 held-out")
    apart = evidence(listed, folds=(replace(replacing, replaced=()),), pixels=same)
    for rule in (CopiesAcrossSplit(), PatientAcrossSplit(), SegmentedTwinsApart()):
        passes(rule, apart)


def test_copies_disagree() -> None:
    fires(
        CopiesDisagree(),
        evidence(FOUR, near_duplicates=((IDS[0], IDS[2]),)),
        "warning",
        "(Benign)",
        "(ALL)",
    )
    passes(CopiesDisagree(), evidence(FOUR, near_duplicates=((IDS[0], IDS[1]),)))


def test_segmented_twins_apart() -> None:
    listed = [
        sample(f"{tree}/Pro/{i}.jpg", "ALL") for tree in ("Original", "Segmented") for i in "12"
    ]
    fires(SegmentedTwinsApart(), evidence(listed, [0, 1], [2, 3]), "error", "2 held-out")
    passes(SegmentedTwinsApart(), evidence(listed, [0, 2], [1, 3]))
    passes(SegmentedTwinsApart(), evidence(FOUR, [0, 1], [2, 3]))


def test_scored_training_rows() -> None:
    scored = binary([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])
    case = evidence(FOUR, [0, 2], [1, 3], predictions=scored)
    fires(ScoredTrainingRows(), case, "error", "2 of 4 scored rows", "50.0 %")
    honest = binary([0, 1], [0.2, 0.9], row=[1, 3])
    passes(ScoredTrainingRows(), evidence(FOUR, [0, 2], [1, 3], predictions=honest))
    # In another fold the same rows may well be trained on.
    other = binary([0, 1], [0.2, 0.9], row=[0, 2], fold=[1, 1])
    passes(ScoredTrainingRows(), evidence(FOUR, [0, 2], [1, 3], predictions=other))
    fires(ScoredTrainingRows(), RunRecord(recipe={"evaluate": {"on": "all"}}), "error", "all rows")


def test_whole_set_scored() -> None:
    table = {"classes": ["Benign", "ALL"], "confusion": [[852, 172], [100, 309]], "images": 1433}
    fires(WholeSetScored(), RunRecord(recipe={"reported": table}), "error", "1,433")
    passes(WholeSetScored(), RunRecord(recipe={"reported": table | {"images": 7165}}))
    passes(WholeSetScored(), RunRecord(recipe={"reported": table | {"folds": 5}}))
    folded = {"reported": table, "data": {"folds": {"k": 5}}}
    passes(WholeSetScored(), RunRecord(recipe=folded))


def test_validation_is_test() -> None:
    fires(ValidationIsTest(), evidence(FOUR, [0, 2], [1, 3], [1, 3]), "error", "is the test")
    fires(ValidationIsTest(), evidence(FOUR, [0], [1, 3], [2, 3]), "error", "overlaps", "1 of 2")
    passes(ValidationIsTest(), evidence(FOUR, [0], [1, 3], [2]))
    asked = RunRecord(recipe={"data": {"folds": {"validation_is_test": True}}})
    fires(ValidationIsTest(), asked, "error", "watches")
