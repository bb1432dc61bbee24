"""Attentions keep shapes, take their options and attenuate, never amplify."""

from __future__ import annotations

from typing import Any, get_args, get_type_hints

import pytest
import torch
from leukreg_plugins.attentions import (
    Cbam,
    EfficientChannelAttention,
    SqueezeExcitation,
    TimmAttention,
)
from torch import nn


def _convolutions(module: nn.Module) -> list[Any]:
    return [each for each in module.modules() if isinstance(each, nn.Conv1d | nn.Conv2d)]


@pytest.mark.parametrize("plugin", [Cbam, SqueezeExcitation, EfficientChannelAttention])
@pytest.mark.parametrize("shape", [(2, 40, 7, 7), (3, 8, 2, 5), (1, 24, 1, 1)])
def test_gates_between_nothing_and_all(plugin: Any, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    features = torch.rand(shape) + 0.1
    out = plugin().build(shape[1]).eval()(features)
    assert out.shape == features.shape
    gate = out / features
    assert gate.min() > 0
    assert gate.max() < 1


def test_options_arrive() -> None:
    cbam = Cbam(reduction=8, kernel=3).build(64)
    assert [each.out_channels for each in _convolutions(cbam)] == [8, 64, 1]
    assert _convolutions(cbam)[-1].kernel_size == (3, 3)
    squeeze = SqueezeExcitation(reduction=4).build(64)
    assert [each.out_channels for each in _convolutions(squeeze)] == [16, 64]
    assert _convolutions(EfficientChannelAttention(kernel=9).build(64))[0].kernel_size == (9,)


def test_a_bottleneck_keeps_at_least_one_channel() -> None:
    assert _convolutions(Cbam(reduction=100).build(8))[0].out_channels == 1
    assert _convolutions(SqueezeExcitation(reduction=100).build(8))[0].out_channels == 1


@pytest.mark.parametrize(("channels", "kernel"), [(64, 3), (512, 5), (2048, 7)])
def test_eca_derives_its_kernel_from_the_width(channels: int, kernel: int) -> None:
    # Nearest odd number at or above (log2(channels) + 1) / 2, cut down, as in the paper's code.
    module = EfficientChannelAttention().build(channels)
    assert _convolutions(module)[0].kernel_size == (kernel,)


@pytest.mark.parametrize("name", get_args(get_type_hints(TimmAttention)["name"]))
@pytest.mark.parametrize("shape", [(2, 64, 7, 7), (2, 512, 4, 4), (2, 1280, 2, 3)])
def test_timms_attentions_keep_shapes_and_learn(name: Any, shape: tuple[int, ...]) -> None:
    module = TimmAttention(name=name).build(shape[1])
    out = module(torch.rand(shape))
    assert out.shape == shape
    out.mean().backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in module.parameters())
