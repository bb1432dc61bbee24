"""Rules on the data: each fires on a small case, and not on its near miss."""

from __future__ import annotations

from dataclasses import replace

import pytest
from leukreg_plugins.audits.confounding import (
    ConcentratedClass,
    PatientAcrossSplit,
    PatientsUnknown,
    Shortcut,
)
from leukreg_plugins.audits.file_listing import (
    AbsentClass,
    ClassCountsMoved,
    ClassesAlike,
    FilesPassedOver,
    FilesRead,
    ListedWrongly,
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
from leukreg_plugins.audits.lineage import ParentOfOtherLabel, ParentOutsideFold, SyntheticScored

from leukreg import Notice, RunRecord
from leukreg.types import Fold, Sample, Samples
from tests.facts import from_facts
from tests.plugins.audits.evidence import (
    binary,
    evidence,
    fires,
    found,
    made,
    passes,
    rows,
    sample,
)

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


def test_patient_across_split() -> None:
    listed = [sample(f"{i}.jpg", patient=p) for i, p in enumerate("AABC")]
    fires(PatientAcrossSplit(), evidence(listed, [0, 2], [1, 3]), "error", "1 of 3 patients", "A")
    passes(PatientAcrossSplit(), evidence(listed, [0, 1], [2, 3]))
    fires(PatientAcrossSplit(), evidence(listed, [0], [3], [1]), "warning", "validation")
    passes(PatientAcrossSplit(), evidence([sample(f"{i}.jpg") for i in range(4)], [0, 1], [2, 3]))


def test_concentrated_class() -> None:
    rule = ConcentratedClass()
    one = [sample(f"b{i}.jpg", patient="Benign" if i < 7 else f"p{i}") for i in range(12)]
    fires(rule, evidence(one), "warning", "'Benign'", "7 of 12", "58.3 %")
    half = [sample(f"b{i}.jpg", patient=f"p{i % 2}") for i in range(12)]
    passes(rule, evidence(half))
    passes(rule, evidence(one[:9]))  # too few to say
    flat = [sample(f"Benign/{i}.jpg") for i in range(12)]
    passes(rule, evidence(flat))
    nested = [sample(f"Benign/{'a' if i < 10 else 'b'}/{i}.jpg") for i in range(12)]
    fires(rule, evidence(nested), "warning", "folder 'Benign/a'")


def test_listed_wrongly() -> None:
    fires(ListedWrongly(), evidence([*FOUR, *FOUR[:2]]), "error", "2 files", "6 rows are 4 files")
    passes(ListedWrongly(), evidence(FOUR))
    fewer = evidence(FOUR, **from_facts({"files_found": {"Benign": 2, "ALL": 5}}))
    fires(ListedWrongly(), fewer, "error", "ALL: 2 of 5")
    passes(ListedWrongly(), evidence(FOUR, **from_facts({"files_found": {"Benign": 2, "ALL": 2}})))


def test_absent_class() -> None:
    fires(AbsentClass(), evidence(FOUR, [0, 2], [1]), "error", "no real test image of ALL")
    synthetic = [*FOUR[:2], made("s/1.png"), *FOUR[2:]]
    fires(
        AbsentClass(), evidence(synthetic, [0, 2], [1, 3]), "error", "no real training image of ALL"
    )
    passes(AbsentClass(), evidence(FOUR, [0, 2], [1, 3]))
    rendered = [sample(f"{c}/{i}", c, origin="rendered") for c in ("Benign", "ALL") for i in "12"]
    passes(AbsentClass(), evidence(rendered, [0, 2], [1, 3]))


def test_class_counts_moved() -> None:
    rule = ClassCountsMoved()
    reported = {"class_counts": {"Benign": 1024, "ALL": 2}}
    fires(rule, evidence(FOUR, reported=reported), "warning", "Benign 1,024 -> 2")
    passes(rule, evidence(FOUR, reported={"class_counts": {"Benign": 2, "ALL": 2}}))
    notice = Notice(what="data", wanted="folder", used="demo", why="no folder")
    passes(rule, evidence(FOUR, reported=reported, notices=(notice,)))
    before = evidence(FOUR, **from_facts({"previous_counts": {"Benign": 2, "ALL": 3}}))
    fires(rule, before, "warning", "ALL 3 -> 2", "an earlier version had")
    named = {"previous_counts": {"Benign": 2, "ALL": 3}, "previous_run": "v1-x"}
    fires(rule, evidence(FOUR, **from_facts(named)), "warning", "(v1-x had -> this run)")
    passes(rule, evidence(FOUR, **from_facts({"previous_counts": {"Benign": 2, "ALL": 2}})))


def test_patients_unknown() -> None:
    nameless = [sample("Benign/1.jpg"), sample("ALL/1.jpg", "ALL")]
    fires(PatientsUnknown(), evidence(nameless), "warning", "2 of 2 images")
    fires(PatientsUnknown(), evidence([*FOUR, nameless[0]]), "warning", "1 of 5 images")
    passes(PatientsUnknown(share=0.5), evidence([*FOUR, nameless[0]]))
    passes(PatientsUnknown(), evidence([*FOUR, made("s/1.png")]))
    passes(PatientsUnknown(), RunRecord())


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


def _pictures(colour: float, size: float = 0.0, grouped: bool = False) -> RunRecord:
    """120 pictures; ``colour`` and ``size`` move with the class."""
    import numpy as np

    rng = np.random.default_rng(3)
    listed: list[Sample] = []
    statistics = {}
    for i in range(120):
        label = "ALL" if i % 2 else "Benign"
        patient = f"p{i % 4}" if grouped else f"p{i}"
        listed.append(sample(f"{label}/{i}.jpg", label, patient))
        shift = 10 * (i % 4) if grouped else colour * (i % 2)
        values = rng.normal(100, 1, 12)
        values[:3] += shift
        values[9] = 224 + size * (i % 2)
        values[10] = 224
        statistics[listed[-1].id] = tuple(values)
    samples = Samples(rows=tuple(listed), classes=("Benign", "ALL"))
    return RunRecord(samples=samples, statistics=statistics)


def test_shortcut() -> None:
    fires(Shortcut(), _pictures(colour=8), "warning", "colour statistics", "50.0 %")
    fires(Shortcut(), _pictures(colour=0, size=32), "warning", "the image size")
    passes(Shortcut(), _pictures(colour=0.5))


def test_a_shortcut_that_only_knows_patients_is_none() -> None:
    passes(Shortcut(), _pictures(colour=0, grouped=True))


def test_a_shortcut_that_only_knows_patients_is_none_where_one_patient_is_unknown() -> None:
    case = _pictures(colour=0, grouped=True)
    assert case.samples is not None
    first, *others = case.samples.rows
    listed = [replace(first, patient=None), *others]
    passes(Shortcut(), evidence(listed, statistics=case.statistics))


def test_a_copy_with_another_patient_is_no_neighbour_in_the_probe() -> None:
    case = _pictures(colour=0)
    assert case.samples is not None
    rows = case.samples.rows
    copies = [replace(row, id=f"copy/{row.id}", patient=f"copy {row.patient}") for row in rows]
    statistics = {**case.statistics, **{c.id: case.statistics[c.id[5:]] for c in copies}}
    pixels = {row.id: row.id.removeprefix("copy/") for row in (*rows, *copies)}
    listed = evidence([*rows, *copies], statistics=statistics, pixels=pixels)
    passes(Shortcut(neighbours=1), listed)


def test_shortcut_by_file_format() -> None:
    case = _pictures(colour=0)
    assert case.samples is not None
    suffix = {"ALL": ".png", "Benign": ".jpg"}
    changed = [
        sample(row.id.replace(".jpg", suffix[row.label]), row.label, row.patient)
        for row in case.samples.rows
    ]
    numbers = dict(zip((row.id for row in changed), case.statistics.values(), strict=True))
    fires(Shortcut(), evidence(changed, statistics=numbers), "warning", "the file format")


def test_choices_in_reading_files() -> None:
    one = {"files": 1, "what": "transparent parts", "doubtful": False}
    fires(
        FilesRead(),
        evidence(FOUR, **from_facts({"readings": [one]})),
        "note",
        "1 file: transparent",
    )
    two = {"files": 1_200, "what": "16 bits", "doubtful": True}
    fires(
        FilesRead(),
        evidence(FOUR, **from_facts({"readings": [two]})),
        "warning",
        "1,200 files: 16 bits",
    )
    passes(FilesRead(), evidence(FOUR, **from_facts({"readings": []})))
    listed = {"assumed_of_list": ["t.csv: it is UTF-16"]}
    fires(FilesRead(), evidence(FOUR, **from_facts(listed)), "note", "t.csv: it is UTF-16")


def test_files_that_may_hold_images_are_pointed_out() -> None:
    svs = {"what": ".svs", "files": 1_200, "example": "a/x.svs", "reason": "a slide"}
    svs |= {"images": True}
    text = {"what": ".txt", "files": 3, "example": "a.txt", "reason": "no image", "images": False}
    both = evidence(FOUR, **from_facts({"passed_over": [svs, text]}))
    [one] = found(FilesPassedOver(), both)
    assert one.message == "files passed over: 1,200 .svs, such as a/x.svs: a slide"
    passes(FilesPassedOver(), evidence(FOUR, **from_facts({"passed_over": [text]})))


def test_classes_written_nearly_alike() -> None:
    two = [sample("1.png", "Lymphocyte", "p"), sample("2.png", "lymphocyte ", "p")]
    samples = Samples(rows=tuple(two), classes=("Lymphocyte", "lymphocyte "))
    fires(ClassesAlike(), RunRecord(samples=samples), "warning", "'Lymphocyte', 'lymphocyte '")
    passes(ClassesAlike(), evidence(FOUR))


@pytest.mark.parametrize(
    "rule",
    [RepeatedPixels, CopiesAcrossSplit, CopiesDisagree, SegmentedTwinsApart, PatientAcrossSplit,
     ConcentratedClass, ListedWrongly, AbsentClass, ClassCountsMoved, SyntheticScored,
     ParentOutsideFold, ParentOfOtherLabel, ScoredTrainingRows, WholeSetScored, ValidationIsTest,
     Shortcut, FilesRead, FilesPassedOver, ClassesAlike,
     CopiesDropped],
)  # fmt: skip
def test_nothing_is_said_without_evidence(rule: type) -> None:
    assert found(rule(), RunRecord()) == []
