"""The names of published figures: one for each, and what papers call it."""

from __future__ import annotations

import re
import unicodedata

SYNONYMS: dict[str, tuple[str, ...]] = {
    "accuracy": ("acc", "overall_accuracy", "classification_accuracy", "test_accuracy", "top_1"),
    "error_rate": ("error", "classification_error", "misclassification_rate"),
    "precision": ("prec", "ppv", "positive_predictive_value"),
    "recall": ("rec", "sensitivity", "sens", "tpr", "true_positive_rate", "detection_rate"),
    "specificity": ("spec", "tnr", "true_negative_rate", "selectivity"),
    "npv": ("negative_predictive_value",),
    "fpr": ("false_positive_rate", "fall_out"),
    "fnr": ("false_negative_rate", "miss_rate"),
    "fdr": ("false_discovery_rate",),
    "f1": ("f", "f_1", "f_measure", "f1_measure", "dice", "dice_coefficient", "dsc"),
    "jaccard": ("jaccard_index", "jaccard_coefficient", "iou"),
    "balanced_accuracy": ("bacc", "bal_acc", "balanced_acc", "bac"),
    "g_mean": ("gmean", "geometric_mean"),
    "mcc": ("matthews", "matthews_correlation", "matthews_correlation_coefficient"),
    "kappa": ("cohen_kappa", "cohen_s_kappa", "cohens_kappa", "kappa_coefficient"),
    "auc": ("auroc", "roc_auc", "auc_roc", "roc", "area_under_the_curve"),
    "average_precision": ("auprc", "aupr", "pr_auc", "auc_pr"),
    "brier": (),
    "ece": ("expected_calibration_error",),
    "threshold": (),
    "validation_accuracy": ("val_accuracy", "val_acc"),
    "baseline_claimed": (),
}
"""Figures between 0 and 1 (``SIGNED`` ones between -1 and 1) and their other names, in the spelling
of ``spelled``. The area under precision and recall is no "average precision" of classes: where a
table says that, it is not checked against a matrix."""
SIGNED = frozenset({"mcc", "kappa"})
OF_CLASSES = (
    "precision", "recall", "f1", "specificity", "npv", "fpr", "fnr", "fdr", "jaccard", "accuracy",
    "balanced_accuracy", "g_mean", "mcc", "kappa", "auc", "average_precision",
)  # fmt: skip
"""What may be printed of one class."""
AVERAGES = ("macro", "weighted", "micro")
AVERAGED = (
    "precision", "recall", "f1", "specificity", "npv", "fpr", "fnr", "fdr", "jaccard", "auc",
)  # fmt: skip
"""What may be printed as a mean over the classes, with its kind (``macro_f1``) or without one."""
LABELLED = tuple(f"{kind}_{name}" for kind in AVERAGES for name in AVERAGED)
RATES = (*SYNONYMS, *LABELLED)
"""Figures of the whole; ``top_2`` to ``top_99`` besides."""
TOP_K = re.compile(r"(?:top|rank)_?([1-9]\d?)(?:_acc(?:uracy)?)?")

_MEANT = {other: name for name, others in SYNONYMS.items() for other in (name, *others)}


def spelled(text: str) -> str:
    """Small letters and digits, whatever else between them one underscore: "F1-score" is
    ``f1_score``."""
    plain = unicodedata.normalize("NFKC", text).lower().replace("κ", "kappa")
    return re.sub(r"[^a-z0-9]+", "_", plain).strip("_")


def figure_named(text: str) -> str | None:
    """The figure of the whole that a heading or a key means; None where it means none.

    Spaces, hyphens and capitals do not matter: "Sensitivity (%)" is ``recall``, "Macro F1-score"
    and "f1_macro" are ``macro_f1``, "Top-3 accuracy" is ``top_3``.
    """
    words = [word for word in spelled(text).split("_") if word not in ("score", "scores")]
    kinds = [word for word in words if word in AVERAGES]
    if kinds:
        words = [word for word in words if word not in (*AVERAGES, "avg", "average", "averaged")]
    name = _MEANT.get("_".join(words))
    if len(kinds) == 1:
        return f"{kinds[0]}_{name}" if name in AVERAGED else None
    if kinds:
        return None
    top = TOP_K.fullmatch("_".join(words))
    if top is not None and int(top[1]) > 1:
        return f"top_{top[1]}"
    return "accuracy" if top is not None else name


def class_figure_named(text: str) -> str | None:
    """As ``figure_named``, of the figures of one class; ``support`` is none of them."""
    name = figure_named(text)
    return name if name in OF_CLASSES else None


def parts_of(name: str) -> tuple[str | None, str]:
    """The kind of average of a name and what it averages: ``macro_f1`` is macro, f1."""
    kind, _, rest = name.partition("_")
    return (kind, rest) if kind in AVERAGES else (None, name)


def least(name: str) -> int:
    """The least value a figure can have."""
    return -1 if name in SIGNED else 0


def said(name: str, label: str = "") -> str:
    """A figure in words: "ALL recall", "macro F1"."""
    words = name.replace("_", " ")
    for word in ("f1", "npv", "fpr", "fnr", "fdr", "mcc", "auc", "ece"):
        words = re.sub(rf"\b{word}\b", word.upper(), words)
    return f"{label} {words}".strip()
