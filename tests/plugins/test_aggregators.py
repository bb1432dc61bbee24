"""From cells to a patient: what each aggregator makes of given probabilities."""

from __future__ import annotations

import pytest
import torch
from leukreg_plugins.aggregators import GatedAttention, Mean, Quantile, TopShare, Vote
from torch import Tensor

from leukreg.testing import check, example_labels

LABELS = example_labels(2)
"""Of these "early-pre-b" is positive."""
CELLS = torch.tensor([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.1, 0.9]], dtype=torch.float64)


def answer(plugin: object, cells: Tensor) -> list[float]:
    module = plugin.build(cells.shape[1], LABELS).eval()  # type: ignore[attr-defined]
    return module(cells).softmax(-1).tolist()  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    "plugin", [Mean, Vote, TopShare, Quantile, GatedAttention], ids=lambda one: one.leukreg_name
)  # type: ignore[attr-defined]
def test_each_keeps_the_contract(plugin: type) -> None:
    check("aggregator", plugin)


@pytest.mark.parametrize(
    ("plugin", "positive"),
    [
        (Mean(), 0.375),
        (Vote(), 0.25),
        (TopShare(share=0.25), 0.9),
        (TopShare(share=0.5), 0.6),
        (TopShare(share=0.001), 0.9),
        (TopShare(share=1.0), 0.375),
        (Quantile(at=1.0), 0.9),
        (Quantile(at=0.5), 0.25),
        (Quantile(at=0.0), 0.1),
    ],
)
def test_the_positive_probability_of_four_cells(plugin: object, positive: float) -> None:
    assert answer(plugin, CELLS) == pytest.approx([1 - positive, positive], abs=1e-12)


@pytest.mark.parametrize("plugin", [Mean(), TopShare(), Quantile()])
def test_a_patient_of_one_cell_is_that_cell(plugin: object) -> None:
    assert answer(plugin, CELLS[:1]) == pytest.approx([0.9, 0.1], abs=1e-12)


def test_the_weights_are_those_of_the_cells_that_decide() -> None:
    assert TopShare(share=0.25).build(2, LABELS).weights(CELLS).tolist() == [0, 0, 0, 1]  # type: ignore[operator]
    assert Quantile(at=0.5).build(2, LABELS).weights(CELLS).tolist() == [0, 0.5, 0.5, 0]  # type: ignore[operator]


def test_attention_takes_ten_thousand_cells() -> None:
    torch.manual_seed(0)
    module = GatedAttention().build(64, LABELS).eval()
    cells = torch.randn(10_000, 64)
    with torch.no_grad():
        assert module(cells).shape == (2,)
        assert module.weights(cells).sum().item() == pytest.approx(1, abs=1e-4)  # type: ignore[operator]


def test_sure_cells_of_every_class_leave_a_low_quantile_undecided() -> None:
    module = Quantile(at=0.0).build(3, example_labels(3)).eval()
    assert module(torch.eye(3, dtype=torch.float64)).softmax(-1).tolist() == pytest.approx(
        [1 / 3] * 3
    )
