"""Networks over the cells of one patient: from ``(n, width)`` to logits ``(k,)``."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn


class MeanPool(nn.Module):
    """The logarithm of the mean of the cells' probabilities."""

    def forward(self, cells: Tensor) -> Tensor:
        return cells.mean(0).log()

    def weights(self, cells: Tensor) -> Tensor:
        return torch.full((len(cells),), 1 / len(cells), dtype=torch.float64)


class VotePool(MeanPool):
    """The logarithm of each class's share of the cells' most probable classes."""

    def forward(self, cells: Tensor) -> Tensor:
        votes = nn.functional.one_hot(cells.argmax(1), cells.shape[1])
        return super().forward(votes.to(cells.dtype))


class RankPool(nn.Module):
    """Of each class a mean of its probabilities that follows their ranks, then of sum 1.

    Of two classes the positive one's, and the other has the rest.
    """

    def __init__(self, positive: int | None) -> None:
        super().__init__()
        self.positive = positive

    def by_rank(self, n: int) -> Tensor:
        """Weights ``(n,)`` of the highest probability, the second and so on; of sum 1."""
        raise NotImplementedError

    def _means(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        """Of each class its mean ``(k,)``, and the cells' weights in it ``(n, k)``."""
        order = cells.argsort(stable=True, dim=0, descending=True)
        by_rank = self.by_rank(len(cells)).to(cells.dtype)
        weights = torch.zeros_like(cells).scatter(0, order, by_rank[:, None].expand_as(cells))
        return (weights * cells).sum(0), weights

    def forward(self, cells: Tensor) -> Tensor:
        means, _ = self._means(cells)
        if self.positive is not None:
            p = means[self.positive].clamp(0, 1)
            means = torch.stack([p, 1 - p] if self.positive == 0 else [1 - p, p])
        # A low quantile of sure cells is 0 for every class: then all are as probable.
        means = means.clamp(min=torch.finfo(means.dtype).tiny)
        return (means / means.sum()).log()

    def weights(self, cells: Tensor) -> Tensor:
        means, weights = self._means(cells)
        return weights[:, self.positive if self.positive is not None else int(means.argmax())]


class TopPool(RankPool):
    """The mean of the highest share of the probabilities, of one cell at least."""

    def __init__(self, positive: int | None, share: float) -> None:
        super().__init__(positive)
        self.share = share

    def by_rank(self, n: int) -> Tensor:
        most = max(1, math.ceil(self.share * n - 1e-9))
        return (torch.arange(n) < most).double() / most


class QuantilePool(RankPool):
    """A quantile of the probabilities, between two of them where it falls between."""

    def __init__(self, positive: int | None, at: float) -> None:
        super().__init__(positive)
        self.at = at

    def by_rank(self, n: int) -> Tensor:
        place = (1 - self.at) * (n - 1)
        return (1 - (torch.arange(n, dtype=torch.float64) - place).abs()).clamp(min=0)


class AttentionPool(nn.Module):
    """Gated attention over cells (Ilse et al., 2018, equation 9), then one linear layer.

    A cell's features are first brought to mean 0 and deviation 1 over their channels.
    """

    def __init__(self, width: int, hidden: int, classes: int, dropout: float) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, elementwise_affine=False)
        self.dropout = nn.Dropout(dropout)
        self.signal = nn.Linear(width, hidden)
        self.gate = nn.Linear(width, hidden)
        self.score = nn.Linear(hidden, 1, bias=False)
        self.logits = nn.Linear(width, classes)

    def _attention(self, cells: Tensor) -> Tensor:
        gated = self.signal(cells).tanh() * self.gate(cells).sigmoid()
        return torch.softmax(self.score(gated)[:, 0], dim=0)

    def forward(self, cells: Tensor) -> Tensor:
        seen = self.norm(cells)
        pooled = self._attention(seen) @ seen
        logits: Tensor = self.logits(self.dropout(pooled))
        return logits

    def weights(self, cells: Tensor) -> Tensor:
        return self._attention(self.norm(cells))
