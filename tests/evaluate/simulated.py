"""Predictions drawn from a known truth."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from leukreg.types import Predictions

CLASSES = ("Benign", "early Pre-B", "Pre-B", "Pro-B")


def table(
    label: NDArray[np.int64],
    p: NDArray[np.float64],
    fold: NDArray[np.int64] | None = None,
    start: int = 0,
) -> Predictions:
    """Predictions of rows numbered from ``start``, patients unknown."""
    n, k = p.shape
    return Predictions(
        classes=CLASSES[:k],
        row=np.arange(start, start + n),
        id=tuple(f"{i}.jpg" for i in range(start, start + n)),
        path=tuple(f"/{i}.jpg" for i in range(start, start + n)),
        patient=(None,) * n,
        origin=("real",) * n,
        fold=np.zeros(n, dtype=np.int64) if fold is None else fold,
        label=label,
        probabilities=p,
        uncertainty=-(p * np.log(np.maximum(p, 1e-300))).sum(axis=1),
        mutual_information=np.zeros(n),
    )


def softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    p = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(p / p.sum(axis=1, keepdims=True))


def simulated(
    n: int, temperature: float, seed: int, k: int = 4, spread: float = 1.5, start: int = 0
) -> Predictions:
    """Rows whose label is drawn from true probabilities, said as if by a network that is too sure.

    At ``temperature`` the said probabilities are the true ones; at 1 they are said as they are.
    """
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, spread, (n, k))
    truth = softmax(logits).cumsum(axis=1)
    label = (rng.random((n, 1)) > truth).sum(axis=1).clip(max=k - 1)
    return table(label, softmax(logits * temperature), start=start)
