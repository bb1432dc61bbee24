"""Published results against the register: only what no subset and no stated copies explain."""

from __future__ import annotations

from typing import Any

from leukreg_plugins.audits.public_datasets import (
    AboveItsShare,
    AugmentedBeforeSplit,
    BalancedUnlikeSet,
    ClassTooSmall,
    MoreThanExists,
    PatientsParted,
)

from leukreg import RunRecord
from tests.plugins.audits.evidence import fires, passes


def reported(**table: Any) -> RunRecord:
    return RunRecord(recipe={"reported": table})


def test_more_than_exists() -> None:
    rule = MoreThanExists()
    fires(rule, reported(dataset="all-idb2", test_images=520), "error", "520", "260")
    passes(rule, reported(dataset="all-idb2", test_images=260))
    passes(rule, reported(dataset="all-idb2", test_images=520, runs=2))
    passes(rule, reported(dataset="all-idb2", test_images=520, synthetic_counts={"ALL": 260}))
    passes(rule, reported(dataset="our own", test_images=520))
    counts = {"Benign": 505, "Early": 100}
    fires(rule, reported(dataset="all-taleqani", test_counts=counts), "warning", "not confirmed")
    counts = {"basophil": 3, "monocyte": 21}
    fires(rule, reported(dataset="bccd-cropped", test_counts=counts), "error", "21 (it has 20)")
    stated = {"benign": 1008, "Early": 985}
    fires(rule, reported(dataset="all-taleqani", class_counts=stated), "warning", "1,008")
    passes(rule, reported(dataset="all-taleqani", class_counts={"Benign": 504, "Other": 9000}))


def test_patients_on_both_sides() -> None:
    fires(PatientsParted(), reported(dataset="C-NMC 2019", split="image"), "warning", "118")
    passes(PatientsParted(), reported(dataset="c-nmc-2019", split="patient"))
    passes(PatientsParted(), reported(dataset="c-nmc-2019", split="unknown"))
    passes(PatientsParted(), reported(dataset="pbc", split="image"))


def test_augmented_before_split() -> None:
    rule = AugmentedBeforeSplit()
    fires(rule, reported(dataset="bccd-kaggle", test_images=1495), "warning", "1,495", "410")
    passes(rule, reported(dataset="bccd-kaggle", split="original"))
    passes(rule, reported(dataset="bccd", test_images=70))


def test_equal_counts_of_a_set_of_unequal_classes() -> None:
    rule, four = BalancedUnlikeSet(), ("Benign", "Early", "Pre", "Pro")
    equal = {"class_counts": dict.fromkeys(four, 500)}
    fires(rule, reported(dataset="all-taleqani", **equal), "note", "500 images", "504 to 985")
    stated: dict[str, Any] = {"class_counts": {"HEM": 3389, "ALL": 7272}}
    test = {"test_counts": {"HEM": 500, "ALL": 501}}
    fires(rule, reported(**stated, **test), "note", "500 to 501 images of each class tested")
    passes(rule, reported(**stated, test_counts={"HEM": 678, "ALL": 1455}))
    passes(rule, reported(class_counts={"HEM": 130, "ALL": 130}, **test))
    passes(rule, reported(dataset="all-idb2", class_counts={"normal": 130, "ALL": 130}))
    passes(rule, reported(**test))


def test_a_test_that_grew_with_its_training_rows() -> None:
    rule = AboveItsShare()
    grown: dict[str, Any] = {"images": 3256, "train_counts": {"a": 8000}, "test_images": 2000}
    fires(rule, reported(**grown), "warning", "2,000 of 3,256", "20 % of all rows")
    passes(rule, reported(**grown | {"test_images": 651}))
    passes(rule, reported(**grown, runs=3))
    passes(rule, reported(**grown, synthetic_counts={"a": 8000}))
    passes(rule, reported(**grown | {"train_counts": {"a": 1256}}))
    passes(rule, reported(images=3256, test_images=3256))  # all of another set


def test_a_row_that_needs_more_images_than_its_class_has() -> None:
    row = {"precision": "0.987", "recall": "0.993", "f1": "0.989"}
    table: dict[str, Any] = {"classes": ["Benign", "Early"], "per_class": {"Early": row}}
    few = table | {"class_counts": {"Early": 979}}
    fires(ClassTooSmall(), reported(**few), "note", "need 2,136 images", "979", "cut off, 148")
    passes(ClassTooSmall(), reported(**few | {"class_counts": {"Early": 9000}}))
    passes(ClassTooSmall(), reported(**few, folds=5))
    lone = {"Early": {"recall": "0.9871"}}
    small = table | {"per_class": lone, "class_counts": {"Early": 50}}
    fires(ClassTooSmall(), reported(**small), "error", "recall 0.9871 of Early", "50 images")
    passes(ClassTooSmall(), reported(**small | {"per_class": {"Early": {"recall": "0.98"}}}))


def test_no_error_rests_on_counts_that_were_not_confirmed() -> None:
    row = {"per_class": {"KSC": {"recall": "0.9871"}}, "classes": ["KSC", "MON"]}
    munich = row | {"dataset": "aml-cytomorphology-lmu"}
    fires(ClassTooSmall(), reported(**munich), "warning", "15 images", "not confirmed")
    fires(ClassTooSmall(), reported(**munich, class_counts={"KSC": 16}), "error", "16 images")
