"""Where a training stands, and its checkpoint: the last state and the best snapshot."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from leukreg import DataError, check_file, load_tensors, sweep, write_file
from leukreg_gan.cgan_training import Parts


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLine:
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
    lines: list[LogLine] = field(default_factory=list)
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
    return State(**{**plain, "lines": [LogLine(**line) for line in plain["lines"]]})


ANEW = "delete it to train the generator anew"
EVERY = 60.0
"""Seconds that lie between two checkpoints at least: what a kill can cost of the GAN's steps.

The teaching of the feature network before them is kept as a whole, or begins anew.
"""


@dataclass(slots=True)
class Checkpoint:
    """Reads and writes ``last.pt`` in the folder of a training."""

    path: Path
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights of the best snapshot, batch-norm statistics with them."""
    written: float = field(default_factory=time.monotonic)

    def save(self, parts: Parts, state: State, force: bool = False) -> bool:
        """Write everything into one file, unless that was done a moment ago; tells whether it did.

        Raises:
            WriteError: The disk is full.
        """
        if not force and time.monotonic() - self.written < EVERY:
            return False
        data = io.BytesIO()
        torch.save({"parts": parts.state_dict(), "state": state.plain(), "best": self.best}, data)
        self.path.parent.mkdir(parents=True, exist_ok=True)  # the cache may have been cleared
        write_file(self.path, data.getvalue(), listed=True)
        self.written = time.monotonic()
        return True

    def resume(self, parts: Parts, device: str) -> State:
        """Put the checkpoint into ``parts``; a fresh state where there is none.

        Raises:
            LeukregError: The file is damaged.
        """
        if not self.path.exists():
            return State()
        check_file(self.path, ANEW)
        try:
            content: dict[str, Any] = load_tensors(self.path, device)
            parts.load_state_dict(content["parts"])
            self.best = {name: value.cpu() for name, value in content["best"].items()}
            return state_of(content["state"])
        except DataError as error:
            raise DataError(f"{error}; {ANEW}") from error
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise DataError(f"{self.path} is damaged ({reason}); {ANEW}") from error

    def remove(self) -> None:
        """Let it go, once the trained generator is written; what kills left behind goes too."""
        self.path.unlink(missing_ok=True)
        sweep(self.path.parent)
