"""Fully connected heads."""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn


def mlp(
    channels: int, widths: Sequence[int], classes: int, *, dropout: float, batch_norm: bool
) -> nn.Sequential:
    """Pool ``(b, channels, h, w)``, go through hidden layers of ``widths``, end in logits.

    Dropout follows each hidden layer, or the pooled features where there is none. Its layers are
    ``nn.Dropout`` directly below the sequence, so what lies before the first of them can run once
    under MC dropout.

    Args:
        channels: Channels of the feature map.
        widths: Neurons of the hidden layers; empty for a linear head.
        classes: Number of logits.
        dropout: Probability between 0 (no dropout layers) and 1.
        batch_norm: Normalise the pooled features and each hidden layer over the batch.
    """
    head = nn.Sequential()
    head.add_module("pool", nn.AdaptiveAvgPool2d(1))
    head.add_module("flatten", nn.Flatten())
    if batch_norm:
        head.add_module("norm", nn.BatchNorm1d(channels))
    if not widths and dropout > 0:
        head.add_module("dropout", nn.Dropout(dropout))
    width_in = channels
    for number, width in enumerate(widths, start=1):
        head.add_module(f"hidden{number}", nn.Linear(width_in, width, bias=not batch_norm))
        if batch_norm:
            head.add_module(f"norm{number}", nn.BatchNorm1d(width))
        head.add_module(f"relu{number}", nn.ReLU())
        if dropout > 0:
            head.add_module(f"dropout{number}", nn.Dropout(dropout))
        width_in = width
    head.add_module("logits", nn.Linear(width_in, classes))
    return head
