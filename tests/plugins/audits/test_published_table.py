"""Published tables against themselves: rules fire on small cases, not on near misses."""

from __future__ import annotations

from typing import Any

from leukreg_plugins.audits.published_table import (
    ConsistentTable,
    ImpossibleFigures,
    ReportedUnreadable,
    UndefinedPrinted,
)

from leukreg import RunRecord, Score
from tests.plugins.audits.evidence import (
    binary,
    fires,
    passes,
)

TWO: dict[str, Any] = {"classes": ["Benign", "ALL"]}

V4: dict[str, Any] = TWO | {"confusion": [[187, 18], [18, 2]], "accuracy": "84.00 %"}


def reported(**table: Any) -> RunRecord:
    return RunRecord(recipe={"reported": table})


def test_reported_unreadable() -> None:
    fires(ReportedUnreadable(), reported(precision=1.7, recall="x"), "error", "1.7", "1 more")
    passes(ReportedUnreadable(), reported(precision=0.7))


def test_a_figure_against_its_own_matrix() -> None:
    wrong = reported(**V4, recall="0.1500")
    fires(ImpossibleFigures(), wrong, "error", "recall 0.1500", "2/20 = 0.1000")
    passes(ImpossibleFigures(), reported(**V4, recall="0.1000", specificity="0.9122"))
    # 187/205 = 0.91219...: cut off instead of rounded it is 0.9121; two units off are caught.
    passes(ImpossibleFigures(), reported(**V4, specificity="0.9121"))
    cut = reported(**V4, specificity="0.9121")
    fires(ConsistentTable(), cut, "note", "consistent as truncated (specificity 0.9121)")
    fires(ImpossibleFigures(), reported(**V4, specificity="0.9120"), "error", "187/205")


def test_figures_without_a_matrix_that_cannot_be_true_together() -> None:
    table = TWO | {"test_counts": {"Benign": 205, "ALL": 20}, "recall": "0.1000"}
    fires(ImpossibleFigures(), reported(**table, accuracy="0.9500"), "error", "accuracy 95.00 %")
    passes(ImpossibleFigures(), reported(**table, accuracy="0.8400"))
    fires(ImpossibleFigures(), reported(**table | {"recall": "0.1100"}), "error", "recall 0.1100")


def test_f1_is_checked_in_a_test_of_any_size() -> None:
    row = {"precision": "0.50", "recall": "0.50", "f1": "0.60"}
    table = TWO | {"per_class": {"ALL": row}}
    fires(ImpossibleFigures(), reported(**table), "error", "F1 0.60", "cannot be true together")
    passes(ImpossibleFigures(), reported(**TWO | {"per_class": {"ALL": row | {"f1": "0.50"}}}))


def test_means_over_classes_are_checked_against_the_matrix() -> None:
    table = {"classes": list("abc"), "confusion": [[5, 0, 0], [2, 3, 0], [0, 0, 10]]}
    for text in ("0.8667", "0.9000"):  # macro recall, and the weighted one
        passes(ImpossibleFigures(), reported(**table, recall=text))
    fires(ImpossibleFigures(), reported(**table, recall="0.9500"), "error", "recall 0.9500")
    fires(ImpossibleFigures(), reported(**table, balanced_accuracy="0.80"), "error", "balanced")


def test_consistent_table() -> None:
    fires(ConsistentTable(), reported(**V4), "note", "its matrix of 225 rows")
    passes(ConsistentTable(), reported(**V4, recall="0.1500"))
    table = TWO | {"test_counts": {"Benign": 205, "ALL": 20}, "recall": "0.1000"}
    unique = reported(**table, specificity="0.9122")
    fires(ConsistentTable(), unique, "note", "one matrix", "[[187, 18], [18, 2]]")
    fires(ConsistentTable(), reported(**TWO, accuracy="0.9"), "note", "size is not stated")


def test_stratified_supports_are_named() -> None:
    table = TWO | {"class_counts": {"Benign": 100, "ALL": 50}, "test_images": 30}
    case = reported(**table, recall="0.10", precision="0.1", f1="0.1")
    fires(ConsistentTable(), case, "note", "supports 20/10")


def test_undefined_printed() -> None:
    table = {"classes": ["a", "b"], "confusion": [[5, 0], [0, 0]]}
    per_class = {"a": {"recall": "1.00", "specificity": "0.00"}, "b": {"recall": "0.00"}}
    case = reported(**table, per_class=per_class)
    fires(UndefinedPrinted(), case, "error", "2 figures", "a specificity 0.00", "b recall 0.00")
    passes(UndefinedPrinted(), reported(**table, per_class={"b": {"recall": "undefined"}}))
    passes(UndefinedPrinted(), reported(**table, per_class={"a": {"recall": "1.00"}}))


def test_undefined_measured() -> None:
    all_benign = binary([0, 0, 0], [0.1, 0.2, 0.3])
    zero = Score(name="recall", value=0.0, label="ALL")
    fires(
        UndefinedPrinted(), RunRecord(predictions=all_benign, scores=(zero,)), "error", "ALL recall"
    )
    none = Score(name="recall", value=None, label="ALL")
    passes(UndefinedPrinted(), RunRecord(predictions=all_benign, scores=(none,)))
