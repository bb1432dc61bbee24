"""A figure is known by whatever name a paper gives it."""

from __future__ import annotations

import pytest

from leukreg.audit.figures import RATES, SYNONYMS, class_figure_named, figure_named, said, spelled


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Sensitivity (%)", "recall"),
        ("TPR", "recall"),
        ("PPV", "precision"),
        ("F1-score", "f1"),
        ("F₁", "f1"),
        ("f1_macro", "macro_f1"),
        ("Weighted avg. precision", "weighted_precision"),
        ("Top-3 accuracy", "top_3"),
        ("Rank-1", "accuracy"),
        ("Cohen’s κ", "kappa"),
        ("ROC AUC", "auc"),
        ("support", None),
        ("macro micro f1", None),
        ("Average precision", "average_precision"),
    ],
)
def test_headings_of_papers(text: str, name: str | None) -> None:
    assert figure_named(text) == name


def test_no_name_means_two_figures_and_each_means_itself() -> None:
    every = [other for name, others in SYNONYMS.items() for other in (name, *others)]
    assert len(set(every)) == len(every)
    assert all(spelled(one) == one and figure_named(one) for one in every)
    assert all(figure_named(name) == name for name in RATES)


def test_of_a_class_only_what_a_class_can_have() -> None:
    assert class_figure_named("Sensitivity") == "recall"
    assert class_figure_named("macro_f1") is None
    assert class_figure_named("brier") is None


def test_in_words() -> None:
    assert said("recall", "ALL") == "ALL recall"
    assert said("macro_f1") == "macro F1"
