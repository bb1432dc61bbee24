"""Train a generator, from wherever a kill left it, to its best snapshot."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from ignite.engine import Engine

from leukreg import LeukregError, Progress, TrainingError
from leukreg_gan.cgan import Settings
from leukreg_gan.cgan_training import Parts, fresh_parts, setup_trainer
from leukreg_gan.checkpoint import Checkpoint, State
from leukreg_gan.feature_network import learned, pretrain
from leukreg_gan.handlers import (
    KeepCheckpoint,
    LogLosses,
    ReportSteps,
    StopOnCollapse,
    StopOnNan,
    TakeSnapshot,
)
from leukreg_gan.snapshots import HeldOut, Snapshots, spread
from leukreg_gan.training_set import TrainingSet, training_set

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from torch import Tensor

    from leukreg_gan.conditions import Conditions
    from leukreg_gan.feature_network import FeatureNetwork
    from leukreg_gan.snapshots import Features


def device_for(asked: str) -> str:
    """The device that "auto" stands for here: CUDA where there is one, otherwise the CPU."""
    return ("cuda" if torch.cuda.is_available() else "cpu") if asked == "auto" else asked


@contextmanager
def session(device: str, threads: int) -> Iterator[None]:
    """Threads and, on a CPU, deterministic algorithms; afterwards all is as it was.

    The random state of torch's CPU generator is put back too. ``threads`` 0 leaves their number
    alone.
    """
    before = torch.get_num_threads()
    deterministic = torch.get_deterministic_debug_mode()
    fill = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    state = torch.get_rng_state()
    try:
        torch.set_num_threads(threads or before)
        if device == "cpu":
            # As use_deterministic_algorithms(True), which would import the compiler: seconds.
            torch.set_deterministic_debug_mode("error")
            # Filling fresh memory costs time and guards only against reading it unwritten.
            torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_deterministic_debug_mode(deterministic)
        torch.utils.deterministic.fill_uninitialized_memory = fill  # type: ignore[attr-defined]
        torch.set_rng_state(state)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One training: its images with their conditions, what it is judged by, and where it lies."""

    settings: Settings
    pixels: NDArray[np.uint8]
    """All rows that ``conditions`` has, ``(n + m, size, size, 3)``."""
    conditions: Conditions
    names: tuple[str, ...]
    """Class names, by class index."""
    targets: tuple[str, ...]
    """Classes that can be made."""
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
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Trained:
    """The best snapshot of a training and where the training ended."""

    weights: dict[str, Tensor]
    state: State


def train(job: Job, progress: Progress) -> Trained:
    """Train to the last step, or until nothing can be learned any more.

    Called again after a kill it goes on from the last checkpoint, on a CPU to the same last bit.

    Raises:
        TrainingError: A loss is no number.
        DataError: The folder cannot be written, or holds a damaged checkpoint.
    """
    job.folder.mkdir(parents=True, exist_ok=True)
    with session(job.device, job.threads):
        rows = np.setdiff1d(np.arange(len(job.pixels)), job.held)
        conditions = job.conditions
        data = training_set(job.pixels[rows], conditions.vectors[rows], conditions.labels[rows])
        parts = fresh_parts(job.settings, conditions.vectors.shape[1], job.seed, job.device)
        keeper = Checkpoint(job.folder / "last.pt")
        state = keeper.resume(parts, job.device)
        if parts.features is not None and not state.pretrained:
            state.seconds += _teach(parts.features, job, data, progress)
            state.pretrained = True
            keeper.save(parts, state, force=True)
        _run(job, data, parts, keeper, state, progress)
    return Trained(keeper.best, state)


def _teach(network: FeatureNetwork, job: Job, data: TrainingSet, progress: Progress) -> float:
    """Teach the feature network and say what it learned; seconds that the teaching took."""
    began = time.monotonic()
    conditions, held = job.conditions, job.held
    blocks = {group.name: len(group.values) for group in conditions.groups}
    steps, noise = job.settings.feature_steps, job.settings.feature_noise
    pretrain(network, data, [*blocks.values()], steps, noise, job.seed, progress)
    seconds = time.monotonic() - began
    asked = data
    if len(held):
        asked = training_set(job.pixels[held], conditions.vectors[held], conditions.labels[held])
    whom = "held-out images" if len(held) else "of its training images (none are held out)"
    progress.say(f"cgan: the feature network {learned(network, asked, blocks)} {whom}")
    return seconds


def _run(
    job: Job,
    data: TrainingSet,
    parts: Parts,
    keeper: Checkpoint,
    state: State,
    progress: Progress,
) -> None:
    settings = job.settings
    trainer = setup_trainer(parts, data, job.seed, job.device)
    collapse = StopOnCollapse(state, progress)
    snapshots = _snapshots(job, data, parts)
    progress.say(f"cgan: {snapshots.basis()}")
    snapshot = TakeSnapshot(snapshots, state, keeper, collapse, settings.snapshot_every, progress)
    with progress.task("Training cgan", settings.steps) as advance:
        advance(state.step)
        StopOnNan().attach(trainer)
        LogLosses(state, settings.batch, settings.snapshot_every).attach(trainer)
        collapse.attach(trainer)
        snapshot.attach(trainer)
        KeepCheckpoint(keeper, parts, state).attach(trainer)
        ReportSteps(advance, state).attach(trainer)
        if state.step < settings.steps and not state.stopped:
            _go(trainer, state.step, settings.steps)
    if not keeper.best or (state.step % settings.snapshot_every and not state.stopped):
        snapshot.take()
    snapshots.write_log(state.lines)
    keeper.save(parts, state, force=True)


def _go(trainer: Engine, done: int, steps: int) -> None:
    # One epoch of all steps: where it stands is told by the number of the step alone.
    if done:
        trainer.load_state_dict({"iteration": done, "max_epochs": 1, "epoch_length": steps})
    try:
        trainer.run(None, max_epochs=1, epoch_length=steps)
    except LeukregError:
        raise
    except Exception as error:
        raise TrainingError(
            f"cgan, step {trainer.state.iteration}: {type(error).__name__}: {error}"
        ) from error


def _snapshots(job: Job, data: TrainingSet, parts: Parts) -> Snapshots:
    labels = job.conditions.labels
    held: Mapping[str, NDArray[np.uint8]] = {
        job.names[label]: job.pixels[job.held[labels[job.held] == label]]
        for label in np.unique(labels[job.held])
    }
    real = {
        name: spread(job.pixels[labels == job.names.index(name)])
        for name in job.targets
        if (labels == job.names.index(name)).sum() > 1
    }
    return Snapshots(
        parts=parts,
        material=data,
        conditions=job.conditions,
        labels=job.targets,
        judge=HeldOut({name: p for name, p in held.items() if name in job.targets}, job.features),
        extractor=job.extractor,
        real=real,
        seed=job.seed,
        folder=job.folder,
        shown=job.shown,
        device=job.device,
    )
