"""Heads: layers in the order that MC dropout relies on."""

from __future__ import annotations

import torch
from leukreg_plugins.heads import Linear, Mlp
from torch import nn

from leukreg import Labels

LABELS = Labels(names=("a", "b", "c"), counts=(1, 1, 1))


def _kinds(head: nn.Module) -> list[str]:
    return [type(layer).__name__ for layer in head.children()]


def test_v1_head() -> None:
    head = Mlp(widths=(512, 256), dropout=0.5).build(2048, LABELS)
    hidden = ["Linear", "ReLU", "Dropout"]
    assert _kinds(head) == ["AdaptiveAvgPool2d", "Flatten", *hidden, *hidden, "Linear"]
    widths = [each.out_features for each in head.children() if isinstance(each, nn.Linear)]
    assert widths == [512, 256, 3]
    assert {each.p for each in head.children() if isinstance(each, nn.Dropout)} == {0.5}


def test_v5_head() -> None:
    head = Mlp(widths=(256, 128), batch_norm=True).build(1280, LABELS)
    hidden = ["Linear", "BatchNorm1d", "ReLU", "Dropout"]
    start = ["AdaptiveAvgPool2d", "Flatten", "BatchNorm1d"]
    assert _kinds(head) == [*start, *hidden, *hidden, "Linear"]


def test_linear_head_with_and_without_dropout() -> None:
    assert _kinds(Linear().build(8, LABELS)) == ["AdaptiveAvgPool2d", "Flatten", "Linear"]
    assert "Dropout" in _kinds(Linear(dropout=0.2).build(8, LABELS))
    assert "Dropout" not in _kinds(Mlp(dropout=0.0).build(8, LABELS))


def test_what_lies_before_the_first_dropout_can_run_once() -> None:
    torch.manual_seed(0)
    head = Mlp(widths=(16, 8)).build(8, LABELS).eval()
    assert isinstance(head, nn.Sequential)
    first = _kinds(head).index("Dropout")
    features = torch.randn(4, 8, 3, 3)
    assert torch.equal(head[first:](head[:first](features)), head(features))


def test_features_of_any_size_become_logits() -> None:
    head = Mlp(widths=(16,), batch_norm=True).build(8, LABELS)
    for side in (1, 2, 7):
        assert head(torch.randn(4, 8, side, side)).shape == (4, 3)
