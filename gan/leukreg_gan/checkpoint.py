"""Where a training stands, and its checkpoint: the last state and the best snapshot."""

from __future__ import annotations

import io
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from leukreg import DataError, check_file, load_tensors, sweep, write_file

if TYPE_CHECKING:
    from leukreg_gan.training import Networks

ANEW = "delete it to train the generator anew"
EVERY = 60.0
"""Seconds that lie between two checkpoints at least: what a kill can cost of the steps.

What is taught before the first step is kept as a whole, or begins anew.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """Figures of one snapshot."""

    kid: float | None
    """Mean over the classes of the distance to held-out images; None where nothing was held out."""
    kid_all: float | None
    """The same of all classes as one heap."""
    spread: float
    """Differences among made images of a class against those among real ones, the mean over the
    classes with real images; about 1 is good."""
    classes: Mapping[str, float] = field(default_factory=dict)
    """KID of each class."""
    spreads: Mapping[str, float] = field(default_factory=dict)
    """Spread of each class that can be made."""


@dataclass(slots=True, kw_only=True)
class LogLine:
    """One line of the log: mean losses over some steps, and at a snapshot its quality."""

    step: int
    images: int
    """Real images seen so far."""
    seconds: float
    """Training time so far, as :class:`State` counts it."""
    losses: Mapping[str, float]
    """What a step of the family came to, by name."""
    quality: Quality | None = None


@dataclass(slots=True)
class State:
    """Finished steps, the log, the best snapshot and what hints at a collapse."""

    step: int = 0
    seconds: float = 0.0
    """What the steps took, those that taught the feature network with them; neither snapshots nor
    checkpoints, nor steps that a kill undid."""
    pretrained: bool = False
    """Whether what is taught before the first step was taught."""
    lines: list[LogLine] = field(default_factory=list)
    best: float | None = None
    best_step: int = 0
    idle: int = 0
    """Steps in a row in which nothing was left to learn."""
    flat: int = 0
    """Snapshots in a row whose images were nearly all alike."""
    sums: list[float] = field(default_factory=list)
    """Losses since the last line of the log, summed."""
    summed: int = 0
    stopped: str = ""
    """Why the training ended early, if it did."""

    def add(self, losses: Mapping[str, float], seconds: float, batch: int, close: bool) -> None:
        """Count one step more; ``close`` ends a line of the log."""
        self.step += 1
        self.seconds += seconds
        before = self.sums or [0.0] * len(losses)
        self.sums = [total + new for total, new in zip(before, losses.values(), strict=True)]
        self.summed += 1
        if close:
            means = [total / self.summed for total in self.sums]
            line = LogLine(
                step=self.step,
                images=self.step * batch,
                seconds=self.seconds,
                losses=dict(zip(losses, means, strict=True)),
            )
            self.lines.append(line)
            self.sums, self.summed = [], 0


def state_of(plain: Mapping[str, Any]) -> State:
    """The state that was written, plain."""
    return State(**{**plain, "lines": [_line(line) for line in plain["lines"]]})


def _line(plain: Mapping[str, Any]) -> LogLine:
    own = dict(plain)
    if "losses" not in own:  # leukreg 0.1 had losses and quality in the line itself
        own["losses"] = {n: own.pop(n) for n in ("discriminator", "generator", "real", "fake")}
        names = ("kid", "kid_all", "spread", "classes", "spreads")
        quality = {name: own.pop(name) for name in names}
        own["quality"] = None if quality["spread"] is None else quality
    quality = own["quality"]
    return LogLine(**{**own, "quality": None if quality is None else Quality(**quality)})


@dataclass(slots=True)
class Checkpoint:
    """Reads and writes ``last.pt`` in the folder of a training."""

    path: Path
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights of the best snapshot, batch-norm statistics with them."""
    written: float = field(default_factory=time.monotonic)

    def save(self, networks: Networks, state: State, force: bool = False) -> None:
        """Write everything into one file, unless that was done a moment ago.

        Raises:
            WriteError: The disk is full.
        """
        if not force and time.monotonic() - self.written < EVERY:
            return
        data = io.BytesIO()
        # Plain values, so that torch.load(weights_only=True) reads them back.
        content = {"parts": networks.state_dict(), "state": asdict(state), "best": self.best}
        torch.save(content, data)
        self.path.parent.mkdir(parents=True, exist_ok=True)  # the cache may have been cleared
        write_file(self.path, data.getvalue(), listed=True)
        self.written = time.monotonic()

    def resume(self, networks: Networks, device: str) -> State:
        """Put the checkpoint into ``networks``; a fresh state where there is none.

        Raises:
            LeukregError: The file is damaged.
        """
        if not self.path.exists():
            return State()
        check_file(self.path, ANEW)
        try:
            content: dict[str, Any] = load_tensors(self.path, device)
            networks.load_state_dict(content["parts"])
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
