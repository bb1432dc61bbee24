"""Heads: from the last feature map to logits, as one ordered ``nn.Sequential``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt, MinLen

from leukreg import Labels, plugin

if TYPE_CHECKING:
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
    from torch import nn

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


@plugin("linear")
class Linear:
    """Global average pooling, dropout and one linear layer."""

    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Probability of dropping a pooled feature; 0 leaves the dropout layer out."""

    def build(self, channels: int, labels: Labels) -> nn.Module:
        """A sequence from ``(b, channels, h, w)`` to logits ``(b, len(labels))``."""

        return mlp(channels, (), len(labels), dropout=self.dropout, batch_norm=False)


@plugin("mlp")
class Mlp:
    """Global average pooling and fully connected layers with dropout; the head of V1 and V5.

    Every hidden layer is linear, batch norm (on request), ReLU, dropout.
    """

    widths: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (512, 256)
    """Neurons of each hidden layer, from the feature map to the logits."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.5
    """Probability of dropping a hidden neuron; 0 leaves the dropout layers out."""
    batch_norm: bool = False
    """Normalise the pooled features and every hidden layer over the batch. In training a batch
    must then hold at least two images."""

    def build(self, channels: int, labels: Labels) -> nn.Module:
        """A sequence from ``(b, channels, h, w)`` to logits ``(b, len(labels))``."""

        return mlp(
            channels, self.widths, len(labels), dropout=self.dropout, batch_norm=self.batch_norm
        )
