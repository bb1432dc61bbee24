"""Aggregators: from the cells of a patient to one answer about the patient."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from annotated_types import Ge, Gt, Le, Lt

from leukreg import Labels, plugin

if TYPE_CHECKING:
    from torch import nn


@plugin("mean")
class Mean:
    """The mean of the cells' probabilities; as DeepAPL does (Sidhom et al., 2021)."""

    reads: ClassVar[str] = "probabilities"

    def build(self, width: int, labels: Labels) -> nn.Module:
        from leukreg_plugins.nn.pooling import MeanPool

        return MeanPool()


@plugin("vote")
class Vote:
    """Each class's share of the cells, by their most probable class."""

    reads: ClassVar[str] = "probabilities"

    def build(self, width: int, labels: Labels) -> nn.Module:
        from leukreg_plugins.nn.pooling import VotePool

        return VotePool()


@plugin("top-share")
class TopShare:
    """The mean of the highest share of the cells' probabilities: a few cells may decide.

    Of n cells the ceil(share x n) highest. Of two classes that of the positive one; of more, each
    class's own, then brought to sum 1.
    """

    reads: ClassVar[str] = "probabilities"
    needs_positive: ClassVar[bool] = True
    share: Annotated[float, Gt(0), Le(1)] = 0.1
    """Share of the cells, at least one."""

    def build(self, width: int, labels: Labels) -> nn.Module:
        from leukreg_plugins.nn.pooling import TopPool

        return TopPool(_positive(labels), self.share)


@plugin("quantile")
class Quantile:
    """A quantile of the cells' probabilities, of the positive class or of each of several."""

    reads: ClassVar[str] = "probabilities"
    needs_positive: ClassVar[bool] = True
    at: Annotated[float, Ge(0), Le(1)] = 0.9
    """0.5 is the median, 1 the highest."""

    def build(self, width: int, labels: Labels) -> nn.Module:
        from leukreg_plugins.nn.pooling import QuantilePool

        return QuantilePool(_positive(labels), self.at)


@plugin("attention")
class GatedAttention:
    """Gated attention over the cells' features, learned on patients (Ilse et al., 2018)."""

    reads: ClassVar[str] = "features"
    hidden: Annotated[int, Ge(1)] = 128
    """Units of the attention."""
    dropout: Annotated[float, Ge(0), Lt(1)] = 0.25
    """Share of the pooled features that are dropped in training."""

    def build(self, width: int, labels: Labels) -> nn.Module:
        from leukreg_plugins.nn.pooling import AttentionPool

        return AttentionPool(width, self.hidden, len(labels), self.dropout)


def _positive(labels: Labels) -> int | None:
    return None if labels.positive is None else labels.names.index(labels.positive)
