"""Where a training stands: everything that must survive a kill, besides the networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line of the log: mean losses over some steps, and at a snapshot its quality."""

    step: int
    images: int
    """Real images seen so far."""
    seconds: float
    """Training time so far, as :class:`State` counts it."""
    discriminator: float
    generator: float
    real: float
    fake: float
    kid: float | None = None
    """Mean over the classes of the distance to held-out images; None where nothing was held out."""
    kid_all: float | None = None
    """The same of all classes as one heap."""
    spread: float | None = None
    """Differences among made images of a class against those among real ones; about 1 is good."""
    classes: Mapping[str, float] = field(default_factory=dict)
    """KID of each class."""
    spreads: Mapping[str, float] = field(default_factory=dict)
    """Spread of each class that can be made."""


@dataclass(slots=True)
class State:
    """Finished steps, the log, the best snapshot and what hints at a collapse."""

    step: int = 0
    seconds: float = 0.0
    """What the steps took, those that taught the feature network with them; neither snapshots nor
    checkpoints, nor steps that a kill undid."""
    pretrained: bool = False
    """Whether the feature network was taught."""
    lines: list[Line] = field(default_factory=list)
    best: float | None = None
    best_step: int = 0
    idle: int = 0
    """Steps in a row in which the discriminator had nothing left to learn."""
    flat: int = 0
    """Snapshots in a row whose images were nearly all alike."""
    sums: list[float] = field(default_factory=lambda: [0.0] * 4)
    """Losses since the last line of the log, summed."""
    summed: int = 0
    stopped: str = ""
    """Why the training ended early, if it did."""

    def plain(self) -> dict[str, Any]:
        """As values that ``torch.load(weights_only=True)`` reads back."""
        return asdict(self)


def state_of(plain: Mapping[str, Any]) -> State:
    """The state that :meth:`State.plain` wrote."""
    return State(**{**plain, "lines": [Line(**line) for line in plain["lines"]]})
