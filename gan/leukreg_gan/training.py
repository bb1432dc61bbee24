"""The loop that all generators share: from wherever a kill left a training to its best snapshot."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch

from leukreg import (
    DataError,
    LeukregError,
    Progress,
    TrainingError,
    derive,
    load_tensors,
    torch_session,
    write_file,
)
from leukreg_gan.snapshots import LogLine, Quality, Snapshots
from leukreg_gan.training_set import RealBatch, training_set

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from leukreg_gan.conditions import Conditions
    from leukreg_gan.learned_generator import LearnedGenerator
    from leukreg_gan.snapshots import Features, ImageMaker
    from leukreg_gan.training_set import TrainingSet

CHECKPOINT = "last.pt"
"""The last state and the best snapshot, in the folder of a training."""
ANEW = "delete it to train the generator anew"
EVERY = 60.0
"""Seconds that lie between two checkpoints at least: what a kill can cost of the steps.

What is taught before the first step is kept as a whole, or begins anew.
"""
LOG_EVERY = 50
"""Steps that one line of the log stands for; at a snapshot, and at the end, there is one more."""
PAUSE = 0.5
"""Seconds between two reports of progress at least."""
IDLE = 500
"""Steps in a row that teach nothing and end a training."""
ALIKE = 0.15
"""Spread of the made images, against that of the real ones, under which they are nearly alike."""
FLAT = 3
"""Snapshots in a row with such a spread that end a training."""


class Networks(Protocol):
    """All that a training changes, and how a step changes it: what a family of generators brings.

    Whatever a step draws comes from torch's global generator, which is seeded for each step, so
    that a training goes on after a kill as if nothing had happened.
    """

    def pretrain(
        self, data: TrainingSet, asked: TrainingSet, groups: Mapping[str, int],
        seed: int, progress: Progress,
    ) -> str:  # fmt: skip
        """Teach what must be taught before the first step, and say how it answers for ``asked``.

        Nothing is said, and nothing kept, where there is no such thing. ``groups`` are name and
        length of each block of a condition vector.
        """

    def step(self, number: int, real: RealBatch) -> dict[str, float]:
        """One step (from 1); its losses by name, which become columns of the log.

        Raises:
            TrainingError: One is no number.
        """

    def stuck(self, losses: Mapping[str, float], steps: int) -> str:
        """Why so many steps in a row with such losses taught nothing; no word where they did."""

    def note(self, losses: Mapping[str, float]) -> str:
        """The losses in a few words."""

    def image_maker(self, data: TrainingSet) -> ImageMaker:
        """What the networks make images with as they stand, in eval mode."""

    def state_dict(self) -> dict[str, Any]: ...

    def load_state_dict(self, state: Mapping[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training: its images with their conditions, what it is judged by, and where it lies."""

    options: LearnedGenerator
    size: int
    pixels: NDArray[np.uint8]
    """All rows that ``conditions`` has, ``(n + m, size, size, 3)``."""
    conditions: Conditions
    names: tuple[str, ...]
    """Class names, by class index."""
    held: NDArray[np.int64]
    """Rows that are judged by and not trained on."""
    features: Features | None
    extractor: str = ""
    """Name and digest of what gives ``features``."""
    seed: int
    folder: Path
    shown: Path | None = None
    """Where log and sample grids are shown as well."""
    device: str = "cpu"

    def rows(self, which: NDArray[np.int64]) -> TrainingSet:
        """These rows as they are trained on."""
        told = self.conditions
        return training_set(self.pixels[which], told.vectors[which], told.labels[which])


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


def train(job: Job, progress: Progress) -> tuple[dict[str, Tensor], State]:
    """Train to the last step, or until nothing can be learned any more.

    Called again after a kill it goes on from the last checkpoint, on a CPU to the same last bit.

    Returns:
        The weights of the best snapshot, and where the training ended.

    Raises:
        TrainingError: A loss is no number.
        DataError: The folder cannot be written, or holds a damaged checkpoint.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    with torch_session(job.device, job.options.threads):
        return _Training(job, progress).run()


class _Training:
    """A training under way."""

    def __init__(self, job: Job, progress: Progress) -> None:
        self.job, self.options, self.progress = job, job.options, progress
        self.data = job.rows(np.setdiff1d(np.arange(len(job.pixels)), job.held))
        width = job.conditions.plan.width
        self.networks = job.options.networks(job.size, width, job.seed, job.device)
        self.path, self.saved = job.folder / CHECKPOINT, time.monotonic()
        self.best: dict[str, Tensor] = {}
        """Weights of the best snapshot, batch-norm statistics with them."""
        self.state = self._resumed() if self.path.exists() else State()
        self.snapshots = Snapshots(job, self.networks, self.data)
        self.untold, self.told = 0, 0.0
        """Steps since progress was reported, and when that was."""

    def run(self) -> tuple[dict[str, Tensor], State]:
        state, steps = self.state, self.options.steps
        if not state.pretrained:
            self._pretrain()
        self._say(f": {self.snapshots.basis()}")
        with self.progress.task(f"Training {self.options.family}", steps) as advance:
            advance(state.step)
            while state.step < steps and not state.stopped:
                number = state.step + 1
                try:
                    self._go_on(number, advance)
                except LeukregError:
                    raise
                except Exception as error:
                    what = f"{type(error).__name__}: {error}"
                    raise TrainingError(f"{self.options.family}, step {number}: {what}") from error
        if not self.best or (state.step % self.options.snapshot_every and not state.stopped):
            self._take_snapshot()
        self.snapshots.write_log(state.lines)
        self._save()
        return self.best, state

    def _save(self) -> None:
        """Write everything into one file."""
        data = io.BytesIO()
        # Plain values, so that torch.load(weights_only=True) reads them back.
        parts = self.networks.state_dict()
        torch.save({"parts": parts, "state": asdict(self.state), "best": self.best}, data)
        self.path.parent.mkdir(parents=True, exist_ok=True)  # the cache may have been cleared
        write_file(self.path, data.getvalue(), listed=True)
        self.saved = time.monotonic()

    def _resumed(self) -> State:
        """The checkpoint's state, its weights put into the networks."""
        try:
            content: dict[str, Any] = load_tensors(self.path, self.job.device, ANEW)
            self.networks.load_state_dict(content["parts"])
            self.best = {name: value.cpu() for name, value in content["best"].items()}
            return state_of(content["state"])
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise DataError(f"{self.path} is damaged ({reason}); {ANEW}") from error

    def _say(self, text: str) -> None:
        self.progress.say(f"{self.options.family}{text}")

    def _pretrain(self) -> None:
        job, began = self.job, time.monotonic()
        groups = {group.name: len(group.values) for group in job.conditions.plan.groups}
        asked = job.rows(job.held) if len(job.held) else self.data
        said = self.networks.pretrain(self.data, asked, groups, job.seed, self.progress)
        if said:
            self.state.seconds += time.monotonic() - began
            self.state.pretrained = True
            whom = "held-out images"
            if not len(job.held):
                whom = "of its training images (none are held out)"
            self._say(f": {said} {whom}")
            self._save()

    def _go_on(self, number: int, advance: Callable[[int, str], None]) -> None:
        """One step, and what is looked at, kept and told after it."""
        state, every, began = self.state, self.options.snapshot_every, time.monotonic()
        losses = one_step(self.job, self.networks, self.data, number)
        why = self.networks.stuck(losses, IDLE)
        state.idle = state.idle + 1 if why else 0
        last = number == self.options.steps
        close = last or state.idle >= IDLE or number % LOG_EVERY == 0 or number % every == 0
        state.step, state.seconds = number, state.seconds + time.monotonic() - began
        before = state.sums or [0.0] * len(losses)
        state.sums = [total + new for total, new in zip(before, losses.values(), strict=True)]
        state.summed += 1
        if close:
            means = dict(zip(losses, (total / state.summed for total in state.sums), strict=True))
            images = number * self.options.batch
            line = LogLine(step=number, images=images, seconds=state.seconds, losses=means)
            state.lines.append(line)
            state.sums, state.summed = [], 0
        if state.idle >= IDLE:
            self._stop(why)
        if number % every == 0:
            self._look_at(self._take_snapshot())
        # A snapshot is worth a checkpoint.
        if number % every == 0 or time.monotonic() - self.saved >= EVERY:
            self._save()
        self.untold += 1
        if time.monotonic() - self.told >= PAUSE or last:
            advance(self.untold, f"{self.networks.note(losses)}{self._quality_so_far()}")
            self.untold, self.told = 0, time.monotonic()

    def _look_at(self, quality: Quality) -> None:
        """Stop after too many snapshots of nearly the same picture, in the mean over the classes.

        A collapse of some classes alone is said and logged, not stopped at: the others may still
        learn, and the best snapshot is judged by all.
        """
        self.state.flat = self.state.flat + 1 if quality.spread < ALIKE else 0
        if self.state.flat >= FLAT:
            self._stop(
                f"the made images of a class differ {quality.spread:.2f} times as much as real "
                f"ones (under {ALIKE} in {FLAT} snapshots): the generator has collapsed to a few "
                "pictures"
            )

    def _stop(self, why: str) -> None:
        self.state.stopped = why
        best = self.state.best_step
        kept = f"; the snapshot of step {best} is kept" if best else ""
        self._say(f" stopped at step {self.state.step}: {why}{kept}")

    def _take_snapshot(self) -> Quality:
        """Judge what is made as it stands; remember it where it is the best so far."""
        state = self.state
        weights, quality = self.snapshots.take(state.step)
        if self._is_better(quality):
            state.best, state.best_step = quality.kid, state.step
            self.best = weights
        if state.lines and state.lines[-1].step == state.step:
            state.lines[-1] = replace(state.lines[-1], quality=quality)
        self.snapshots.write_log(state.lines)
        self._say(f", step {state.step}:{self._in_words(quality)}")
        return quality

    def _is_better(self, quality: Quality) -> bool:
        """By KID; but what is taken while the learning rates fall beats all from before.

        A young generator first finds what pleases classifiers, such as the one that gives the KID:
        its images can have the lower KID and no red cell that deserves the name.
        """
        state, pace = self.state, self.options.pace
        if not self.best:
            return True
        first = pace(state.step) < 1 and pace(state.best_step) == 1
        if first or quality.kid is None:
            return quality.spread >= ALIKE
        return state.best is None or quality.kid < state.best

    def _in_words(self, quality: Quality) -> str:
        # The mean spread may hide classes that have collapsed.
        found = [f"{name} ({x:.2f})" for name, x in quality.spreads.items() if x < ALIKE]
        alike = f"; nearly alike are the images of {', '.join(found)}" if found else ""
        if quality.kid is None:
            return f" nothing held out to judge by, spread {quality.spread:.2f}{alike}"
        worst = max(quality.classes, key=lambda name: quality.classes[name])
        state = self.state
        best = "best so far" if state.best_step == state.step else f"best {state.best:.4f}"
        return (
            f" KID {quality.kid:.4f} ({best}), overall {quality.kid_all:.4f}, "
            f"worst {worst} {quality.classes[worst]:.4f}, spread {quality.spread:.2f}{alike}"
        )

    def _quality_so_far(self) -> str:
        kids = [line.quality.kid for line in self.state.lines if line.quality is not None]
        if not kids or kids[-1] is None:
            return ""
        best = "" if self.state.best is None else f", best {self.state.best:.3f}"
        return f", KID {kids[-1]:.3f}{best}"


def one_step(job: Job, networks: Networks, data: TrainingSet, number: int) -> dict[str, float]:
    """All that a step draws comes from a seed of its own."""
    torch.manual_seed(derive(job.seed, "step", number))
    real = data.batch(job.options.batch, job.options.balance)
    return networks.step(
        number, RealBatch(real.images.to(job.device), real.conditions.to(job.device))
    )
