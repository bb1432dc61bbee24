"""What synthetic images teach: a classifier is taught with them and asked about real ones.

Ravuri and Vinyals, Classification accuracy score for conditional generative models, NeurIPS 2019.
There the classifier is a network. Here it may be one, or a logistic regression on the extractor's
features: that takes a second, but is taken in by traces which please every network that was taught
on such cells.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from leukreg.progress import SILENT, Progress
from leukreg.synthesis.pupil import pupil_of
from leukreg.synthesis.reference import Reference, spread

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from leukreg.synthesis.extractors import OpenExtractor
    from leukreg.synthesis.pupil import Pupil, Seen

    Pixels = NDArray[np.uint8]

MOST = 400
"""Images of a class that are taught or asked about; more change the answer little."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """Right answers about real images of some classes."""

    right: int
    """Right answers when the made classes were taught by synthetic images."""
    real: int | None
    """Right answers when they were taught by real training images; None where there are none."""
    of: int
    """Real images asked about."""
    chance: float
    """Share of right answers without looking."""
    pupil: str
    """Who was taught."""

    @classmethod
    def together(cls, parts: Sequence[Lesson]) -> Lesson | None:
        """Several classes as one; chance is to answer the largest of them always."""
        if not parts:
            return None
        real = [part.real for part in parts if part.real is not None]
        of = sum(part.of for part in parts)
        return cls(
            right=sum(part.right for part in parts),
            real=sum(real) if len(real) == len(parts) else None,
            of=of,
            chance=max(parts[0].chance, max(part.of for part in parts) / of),
            pupil=parts[0].pupil,
        )

    def table(self) -> dict[str, Any]:
        """Shares, with the 95 % interval of Wilson (JASA 1927) of what the synthetic ones teach."""
        from scipy.stats import binomtest

        bounds = binomtest(self.right, self.of).proportion_ci(method="wilson")
        return {
            "score": self.right / self.of,
            "low": float(bounds.low),
            "high": float(bounds.high),
            "chance": self.chance,
            "real": None if self.real is None else self.real / self.of,
            "asked": self.of,
            "pupil": self.pupil,
        }


def lessons(
    reference: Reference,
    made: Mapping[str, Pixels],
    eye: OpenExtractor,
    who: str,
    progress: Progress = SILENT,
) -> dict[str, Lesson | None]:
    """What the made classes teach; None for a class without real images to ask about.

    Classes that are not made are taught by their real training images. Nobody is asked about
    images that taught.

    Args:
        who: The pupil: "regression" or "network".
    """
    classes = reference.fitted.samples.classes
    pupil = pupil_of(who, eye, progress)
    real = {label: pupil.real(reference.taught(label, MOST, label in made)) for label in classes}
    fake = {label: pupil.made(_thinned(pixels)) for label, pixels in made.items()}
    asked = {label: pupil.real(reference.asked(label, MOST)) for label in made}
    by_fakes = _right(pupil, real | fake, asked)
    by_real = _right(pupil, real, asked)
    taught = sum(len(rows) > 0 for rows in (real | fake).values())
    return {
        label: Lesson(
            right=by_fakes[label],
            real=by_real[label] if len(real[label]) else None,
            of=len(asked[label]),
            chance=1 / taught,
            pupil=who,
        )
        if len(asked[label])
        else None
        for label in made
    }


def _right(pupil: Pupil, taught: Mapping[str, Seen], asked: Mapping[str, Seen]) -> dict[str, int]:
    """Right answers per class asked about; classes without rows are never answered."""
    there = {label: rows for label, rows in taught.items() if len(rows)}
    if len(there) < 2:  # nothing to tell apart: always the same answer
        return {label: len(rows) * (label in there) for label, rows in asked.items()}
    told = np.concatenate([np.full(len(rows), n) for n, rows in enumerate(there.values())])
    model = pupil.taught(np.concatenate([*there.values()]), told)
    names = [*there]
    right = {}
    for label, rows in asked.items():
        answers = model.predict(rows).tolist() if len(rows) else []
        right[label] = sum(names[answer] == label for answer in answers)
    return right


def _thinned(pixels: Pixels) -> Pixels:
    return pixels[spread(range(len(pixels)), MOST)]
