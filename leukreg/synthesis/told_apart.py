"""Whether a plain classifier tells synthetic images from real ones.

Lopez-Paz and Oquab, Revisiting classifier two-sample tests, ICLR 2017.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.seeds import derive

if TYPE_CHECKING:
    from numpy.typing import NDArray

PARTS = 5
"""Each image is asked about once, by a classifier that learned from the other parts."""
MOST = 400
"""Images of a side at most; more change the answer little."""


def told_apart(real: NDArray[Any], fake: NDArray[Any], seed: int = 0) -> float:
    """Share of right answers, real or synthetic, about images that did not teach; 0.5 is ideal.

    A logistic regression on features, over as many images of one side as of the other.

    Args:
        real: Features of shape ``(n, d)``, ``n`` at least ``PARTS``; ``fake`` likewise.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    n = min(len(real), len(fake), MOST)
    rng = np.random.default_rng(derive(seed, "told apart"))
    drawn = [side[rng.permutation(len(side))[:n]] for side in (real, fake)]
    features = np.concatenate(drawn).astype(np.float64)
    made = np.repeat([0, 1], n)
    model = make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=200))
    parts = StratifiedKFold(PARTS, shuffle=True, random_state=derive(seed, "parts") % (1 << 32))
    with warnings.catch_warnings():
        # Sides that fall apart are told apart ever better; the answers have long been settled.
        warnings.simplefilter("ignore", ConvergenceWarning)
        answers = cross_val_predict(model, features, made, cv=parts)
    return float((answers == made).mean())
