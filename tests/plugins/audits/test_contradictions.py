"""What a paper states twice, or of things that bind each other; no honest reading is accused."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_plugins.audits.contradictions import (
    AucBesidePoint,
    AucBetweenFractions,
    BrierUnderEce,
    CountsDisagree,
    FigureStatedTwice,
    ModelsAlike,
    ValidationLikeTest,
)

from leukreg import RunRecord
from tests.plugins.audits.evidence import fires, found, passes

TWO: dict[str, Any] = {"classes": ["HEM", "ALL"]}
V4: dict[str, Any] = TWO | {"confusion": [[187, 18], [18, 2]], "accuracy": "84.00 %"}


def reported(*tables: dict[str, Any], **table: Any) -> RunRecord:
    return RunRecord(recipe={"reported": list(tables) or table})


def test_counts_stated_twice() -> None:
    table = V4 | {"test_counts": {"HEM": 205, "ALL": 21}}
    fires(CountsDisagree(), reported(**table), "error", "ALL 21 (matrix: 20)")
    fires(CountsDisagree(), reported(**V4, test_images=226), "error", "226", "225")
    rows = {"a": {"recall": "0.5", "support": 375}, "b": {"recall": "0.5", "support": 372}}
    other = {"per_class": rows, "test_counts": {"a": 467, "b": 372}}
    fires(CountsDisagree(), reported(**other), "error", "a 467 (table: 375)")
    passes(CountsDisagree(), reported(**other, folds=5))
    passes(CountsDisagree(), reported(**other | {"test_counts": {"a": 375}}))


def test_parts_larger_than_the_whole() -> None:
    sides: dict[str, Any] = {"class_counts": {"ALL": 100}, "train_counts": {"ALL": 81}}
    sides["test_counts"] = {"ALL": 20}
    fires(CountsDisagree(), reported(**sides), "error", "101", "100")
    passes(CountsDisagree(), reported(**sides | {"train_counts": {"ALL": 80}}))
    passes(CountsDisagree(), reported(**sides | {"train_counts": {"ALL": 800}}))  # augmented
    passes(CountsDisagree(), reported(**sides | {"synthetic_counts": {"ALL": 1}}))
    fires(CountsDisagree(), reported(images=260, test_images=520), "error", "520", "260")
    passes(CountsDisagree(), reported(images=260, test_images=520, runs=2))
    fires(CountsDisagree(), reported(images=260, class_counts={"a": 300}), "error", "300")


def test_two_values_of_one_figure() -> None:
    rule = FigureStatedTwice()
    fires(rule, reported(accuracy=["0.8958", "0.95"]), "error", "as 0.8958 and as 0.95")
    fires(rule, reported(accuracy=["0.8958", "0.89"]), "note", "cut off, not rounded")
    passes(rule, reported(accuracy=["0.8958", "0.90", "89.6 %"]))
    passes(rule, reported(accuracy="0.8958"))


def test_auc_beside_one_point_of_its_curve() -> None:
    table = TWO | {"recall": "0.95", "specificity": "0.95"}
    fires(AucBesidePoint(), reported(**table, auc="0.55"), "error", "at least 0.9025")
    # The means of classes, or of folds, may be all that is printed: 1.00 and 0.90 have 0.90.
    passes(AucBesidePoint(), reported(**table, auc="0.90"))
    low = TWO | {"recall": "0.10", "specificity": "0.20", "auc": "0.55"}
    fires(AucBesidePoint(), reported(**low), "error", "at most 0.28")
    passes(AucBesidePoint(), reported(**table | {"classes": ["a", "b", "c"]}, auc="0.55"))


SCORES = st.lists(st.tuples(st.booleans(), st.integers(0, 6)), min_size=4, max_size=25)


@settings(max_examples=200, deadline=None)
@given(SCORES, st.integers(0, 7), st.integers(2, 4))
def test_what_scores_really_give_is_never_accused(
    rows: list[tuple[bool, int]], threshold: int, digits: int
) -> None:
    label, score = (np.array(column) for column in zip(*rows, strict=True))
    positive, negative = score[label], score[~label]
    if not len(positive) or not len(negative):
        return
    ranked = (positive[:, None] > negative).mean() + (positive[:, None] == negative).mean() / 2
    figures = {
        "auc": ranked,
        "recall": (positive >= threshold).mean(),
        "specificity": (negative < threshold).mean(),
        "brier": ((score / 6 - label) ** 2).mean(),
        "ece": sum(abs((score / 6 - label)[score == k].sum()) for k in range(7)) / len(rows),
    }
    table = {name: f"{value:.{digits}f}" for name, value in figures.items()}
    run = reported(**TWO, **table, test_counts={"HEM": len(negative), "ALL": len(positive)})
    for rule in (AucBesidePoint(), AucBetweenFractions(), BrierUnderEce(), CountsDisagree()):
        passes(rule, run)


def test_auc_between_fractions() -> None:
    table = TWO | {"test_counts": {"HEM": 3, "ALL": 2}}
    fires(AucBetweenFractions(), reported(**table, auc="0.97"), "warning", "0.9167 or 1")
    for right in ("0.92", "0.91", "0.9167", "1.0"):  # 0.91 is cut off
        passes(AucBetweenFractions(), reported(**table, auc=right))
    passes(AucBetweenFractions(), reported(**table, auc="0.97", folds=5))


def test_brier_beside_ece() -> None:
    fires(BrierUnderEce(), reported(**TWO, brier="0.010", ece="0.20"), "error", "at least 0.03")
    passes(BrierUnderEce(), reported(**TWO, brier="0.040", ece="0.20"))
    three = {"classes": ["a", "b", "c"], "brier": "0.014", "ece": "0.20"}
    passes(BrierUnderEce(), reported(**three))  # divided by the classes


def test_validation_like_test() -> None:
    table = {"accuracy": "0.9845", "validation_accuracy": "0.9845"}
    fires(ValidationLikeTest(), reported(**table), "warning", "both 0.9845")
    passes(ValidationLikeTest(), reported(accuracy="0.98", validation_accuracy="0.98"))
    passes(ValidationLikeTest(), reported(accuracy="1.000", validation_accuracy="1.000"))
    counts = {"test_counts": {"a": 10, "b": 20}, "validation_counts": {"a": 10, "b": 21}}
    passes(ValidationLikeTest(), reported(**table, **counts))


def test_models_alike() -> None:
    row = {"accuracy": "0.9845", "recall": "0.973", "precision": "0.981"}
    one, other = ({"model": name} | row for name in ("VGG16", "ResNet50"))
    fires(ModelsAlike(), reported(one, other), "warning", "VGG16 and ResNet50")
    passes(ModelsAlike(), reported(one, other | {"recall": "0.974"}))
    passes(ModelsAlike(), reported(one, one))
    assert found(ModelsAlike(), reported(one | {"dataset": "x"}, one | {"dataset": "y"}))
