"""What was listed and how it was read: rules fire on small cases, not on near misses."""

from __future__ import annotations

from leukreg_plugins.audits.file_listing import (
    AbsentClass,
    ClassCountsMoved,
    ClassesAlike,
    FilesPassedOver,
    FilesRead,
    ListedWrongly,
)

from leukreg import RunRecord
from leukreg.types import Notice, Samples
from tests.facts import from_facts
from tests.plugins.audits.evidence import evidence, fires, found, made, passes, rows, sample

FOUR = rows(2, 2)


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
