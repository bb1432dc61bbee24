"""Losses: their formulas, their gradients, and their calm at the extremes."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from leukreg_plugins.losses import ClassBalancedLoss, CrossEntropy, Focal
from torch.nn import functional as F

from leukreg import Labels

NAMES = ("benign", "early", "pre", "pro")


def labels(k: int = 3, weights: tuple[float, ...] | None = None) -> Labels:
    return Labels(names=NAMES[:k], counts=(50, 5, 20, 9)[:k], weights=weights)


def batch(k: int = 3, n: int = 12) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    logits = torch.randn(n, k, generator=draw, dtype=torch.float64) * 3
    return logits, torch.randint(k, (n,), generator=draw)


def test_cross_entropy_is_torchs_with_weights_and_smoothing() -> None:
    logits, targets = batch()
    weights = (0.5, 2.0, 1.0)
    loss = CrossEntropy(smoothing=0.1).build(labels(weights=weights)).double()
    expected = F.cross_entropy(
        logits, targets, torch.tensor(weights, dtype=torch.float64), label_smoothing=0.1
    )
    torch.testing.assert_close(loss(logits, targets), expected)


@pytest.mark.parametrize("weights", [None, (0.5, 2.0, 1.0)])
def test_focal_is_the_papers_formula(weights: tuple[float, ...] | None) -> None:
    logits, targets = batch()
    p = logits.softmax(1)[torch.arange(12), targets]
    w = torch.ones(3, dtype=torch.float64) if weights is None else torch.tensor(weights).double()
    expected = (w[targets] * -((1 - p) ** 2) * p.log()).sum() / w[targets].sum()
    torch.testing.assert_close(
        Focal(gamma=2.0).build(labels(weights=weights))(logits, targets), expected
    )


def test_focal_on_numbers_worked_by_hand() -> None:
    # p = .75 for the target: (1 - .75)^2 * -ln .75
    logits = torch.tensor([[0.0, math.log(3.0)]])
    loss = Focal(gamma=2.0, alpha=0.25).build(labels(2))
    assert loss(logits, torch.tensor([1])).item() == pytest.approx(
        0.25 * 0.0625 * -math.log(0.75), rel=1e-5
    )
    assert loss(logits, torch.tensor([0])).item() == pytest.approx(
        0.75 * 0.5625 * -math.log(0.25), rel=1e-5
    )


def test_alpha_belongs_to_the_positive_class() -> None:
    logits, targets = torch.zeros(1, 2), torch.tensor([0])
    task = Labels(names=("all", "benign"), counts=(1, 1), positive="all")
    plain = Focal().build(task)(logits, targets)
    assert Focal(alpha=0.25).build(task)(logits, targets) == 0.25 * plain
    assert Focal(alpha=0.25).build(task)(logits, 1 - targets) == 0.75 * plain


def test_alpha_is_one_factor_for_more_than_two_classes() -> None:
    logits, targets = batch()
    plain = Focal().build(labels())(logits, targets)
    torch.testing.assert_close(Focal(alpha=0.25).build(labels())(logits, targets), 0.25 * plain)


@settings(max_examples=50, deadline=None)
@given(
    values=st.lists(st.lists(st.floats(-40, 40), min_size=3, max_size=3), min_size=1, max_size=6),
    seed=st.integers(0, 9),
)
def test_focal_without_gamma_is_cross_entropy(values: list[list[float]], seed: int) -> None:
    logits = torch.tensor(values, dtype=torch.float64)
    targets = torch.randint(3, (len(values),), generator=torch.Generator().manual_seed(seed))
    weights = (0.5, 2.0, 1.0)
    expected = F.cross_entropy(logits, targets, torch.tensor(weights).double())
    given_ = Focal(gamma=0.0).build(labels(weights=weights))(logits, targets)
    torch.testing.assert_close(given_, expected)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 5.0])
def test_gradients_are_the_derivative(gamma: float) -> None:
    logits, targets = batch(n=5)
    loss = Focal(gamma=gamma, alpha=0.3).build(labels(weights=(1.0, 3.0, 0.5))).double()
    assert torch.autograd.gradcheck(lambda x: loss(x, targets), logits.requires_grad_())


@settings(max_examples=60, deadline=None)
@given(scale=st.floats(0, 2.0**100, width=32), right=st.booleans(), gamma=st.floats(0, 10))
def test_loss_and_gradients_stay_finite_however_sure_the_network(
    scale: float, right: bool, gamma: float
) -> None:
    logits = torch.tensor([[scale, -scale, 0.0]], requires_grad=True)
    loss = Focal(gamma=gamma).build(labels())(logits, torch.tensor([0 if right else 1]))
    loss.backward()
    assert loss.isfinite()
    assert loss >= 0
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_half_precision_logits_are_scored_in_single() -> None:
    logits, targets = batch()
    loss = Focal().build(labels())(logits.half(), targets)
    assert loss.dtype == torch.float32
    assert loss.item() == pytest.approx(Focal().build(labels())(logits, targets).item(), rel=1e-2)


def test_class_balanced_weighs_by_the_papers_formula() -> None:
    logits, targets = batch()
    beta = 0.99
    w = torch.tensor([(1 - beta) / (1 - beta**n) for n in (50, 5, 20)], dtype=torch.float64)
    loss = ClassBalancedLoss(beta=beta, over="cross-entropy").build(labels())
    torch.testing.assert_close(
        loss(logits, targets), F.cross_entropy(logits, targets, w), rtol=1e-6, atol=1e-7
    )


def test_class_balanced_takes_the_recipes_weights_too_and_gamma_only_for_focal() -> None:
    logits, targets = batch()
    with_weights = labels(weights=(1.0, 9.0, 1.0))
    own = ClassBalancedLoss(over="cross-entropy", gamma=5.0)
    assert own.build(labels())(logits, targets) != own.build(with_weights)(logits, targets)
    flat = ClassBalancedLoss(beta=0.0, over="cross-entropy", gamma=5.0).build(with_weights)
    torch.testing.assert_close(
        flat(logits, targets),
        F.cross_entropy(logits, targets, torch.tensor([1.0, 9.0, 1.0]).double()),
    )
    focal = ClassBalancedLoss(beta=0.0, gamma=2.0).build(labels())
    torch.testing.assert_close(focal(logits, targets), Focal().build(labels())(logits, targets))
