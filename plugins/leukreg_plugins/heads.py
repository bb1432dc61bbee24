"""Heads: from the last feature map to logits, as one ordered ``nn.Sequential``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from annotated_types import Ge, Lt, MinLen

from leukreg import Labels, plugin

if TYPE_CHECKING:
    from torch import nn


@plugin("linear")
class Linear:
    """Global average pooling, dropout and one linear layer."""

    dropout: Annotated[float, Ge(0), Lt(1)] = 0.0
    """Probability of dropping a pooled feature; 0 leaves the dropout layer out."""

    def build(self, channels: int, labels: Labels) -> nn.Module:
        """A sequence from ``(b, channels, h, w)`` to logits ``(b, len(labels))``."""
        from leukreg_plugins.nn.heads import mlp

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
        from leukreg_plugins.nn.heads import mlp

        return mlp(
            channels, self.widths, len(labels), dropout=self.dropout, batch_norm=self.batch_norm
        )


HEADS: list[type] = [Linear, Mlp]
