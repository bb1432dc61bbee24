"""Training the conditional GAN against a bare PyTorch loop over the same networks.

The figure is a ratio of two things timed in turn in this one process. The settings are those of
experiments/v6.toml. What a snapshot adds is measured once and said beside it.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import material as pictures
import numpy as np
import torch
from leukreg_gan.cgan import Cgan
from leukreg_gan.cgan_training import (
    CganNetworks,
    discriminator_loss,
    generator_loss,
    mismatch_loss,
)
from leukreg_gan.diffaug import augmented
from leukreg_gan.training import Job, train
from leukreg_gan.training_set import training_set
from ratio import Ratio, report

from leukreg import ImageSpec, Labels, Sample, Samples, open_extractor

ROUNDS = 7
STEPS = 25
SNAPSHOT_EVERY = 500
"""Steps between two snapshots in V6; the stretch that is timed has none."""
CLASSES = tuple(f"class {number}" for number in range(8))
HELD = 200
"""Images of each of these classes that a snapshot is compared with: V6 holds out about as many."""
SIZE = 32
OPTIONS = Cgan(
    steps=STEPS,
    decay=0.0,
    ema=0.999,
    feature_steps=1,
    snapshot_every=10 * STEPS,
    device="cpu",
)
"""The rest as the defaults have it, which are those of V6."""


class Stopwatch:
    """Progress that measures the time from the beginning of the last task to its last report."""

    seconds = 0.0
    last = 0.0

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[object]:
        begin = time.perf_counter()

        def advance(steps: int = 1, note: str = "") -> None:
            self.last = time.perf_counter()
            self.seconds = self.last - begin

        yield advance

    def say(self, text: str) -> None:
        return None


def our_loop(data: pictures.InMemory) -> float:
    """Seconds of a training as the plugin does it: logged, watched, resumable."""
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        train(_job(data, pictures.LABELS, Path(folder)), watch)  # type: ignore[arg-type]
    return watch.seconds


def _job(data: pictures.InMemory, labels: Labels, folder: Path) -> Job:
    """A training that is judged by nothing."""
    conditions = OPTIONS.conditions(data, labels, ImageSpec(size=SIZE), None)
    return Job(
        options=OPTIONS,
        size=SIZE,
        pixels=conditions.pixels(data),
        conditions=conditions,
        names=labels.names,
        held=np.zeros(0, np.int64),
        features=None,
        seed=1,
        folder=folder,
    )


def snapshot_cost() -> float:
    """Seconds of a snapshot as V6 takes it, and of the checkpoint that goes with it.

    Both come at the end of a training that no snapshot fell into: after its last step.
    """
    data = _eight_classes()
    labels = Labels(names=CLASSES, counts=tuple(data.samples.counts().values()))
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        plain = _job(data, labels, Path(folder))
        held = np.flatnonzero(np.arange(len(data)) // len(CLASSES) < HELD)
        extractor = open_extractor("cells")
        extractor.features(data.array[:8])  # it is opened before the clock runs
        job = replace(
            plain,
            options=replace(OPTIONS, steps=1),
            held=held,
            features=extractor.features,
            extractor=extractor.name,
        )
        train(job, watch)  # type: ignore[arg-type]
        return time.perf_counter() - watch.last


def _eight_classes() -> pictures.InMemory:
    """Noise: what is held out, and as much again to train on."""
    plain = pictures.images(2 * HELD * len(CLASSES), SIZE)
    rows = tuple(
        Sample(id=row.id, path=row.path, label=CLASSES[number % len(CLASSES)])
        for number, row in enumerate(plain.samples.rows)
    )
    return pictures.InMemory(Samples(rows=rows, classes=CLASSES), plain.array)


def bare_loop(data: pictures.InMemory) -> float:
    """Seconds of as many steps of the same networks, nothing logged, watched or kept."""
    labels = np.arange(len(data)) % 2
    rows = training_set(data.array, np.eye(2, dtype=np.float32)[labels], labels)
    parts = CganNetworks(OPTIONS, SIZE, 2, 1, "cpu")
    pixels, told = rows.pixels, rows.conditions
    begin = time.perf_counter()
    for _ in range(STEPS):
        chosen = torch.randint(len(data), (OPTIONS.batch,)).sort().values
        real = pixels[chosen].float().div(127.5).sub(1)
        _bare_step(parts, real, told[chosen])
    return time.perf_counter() - begin


def _bare_step(parts: CganNetworks, real: torch.Tensor, told: torch.Tensor) -> None:
    generator, network, policy = parts.generator, parts.discriminator, OPTIONS.augment
    assert parts.features is not None
    fake = generator(torch.randn(len(real), OPTIONS.latent), told)
    network.requires_grad_(True)
    both = torch.cat([augmented(real, policy), augmented(fake.detach(), policy)])
    with torch.no_grad():
        maps = parts.features.maps(both)
    features = network.features(both, maps)
    own = network.own(features)
    scores = own + network.match(features, torch.cat([told, told]))
    loss = discriminator_loss(*scores.chunk(2))
    wrong = told.flip(0)
    n = len(told)
    apart = own[:n] + network.match([found[:n] for found in features], wrong)
    loss = loss + OPTIONS.mismatch * mismatch_loss(apart, (wrong != told).any(dim=1, keepdim=True))
    parts.discriminator_optimizer.zero_grad()
    torch.autograd.backward(loss)
    parts.discriminator_optimizer.step()
    network.requires_grad_(False)
    shown = augmented(fake, policy)
    loss = generator_loss(network(shown, told, parts.features.maps(shown)))
    parts.generator_optimizer.zero_grad()
    torch.autograd.backward(loss)
    parts.generator_optimizer.step()
    parts.average.update_parameters(generator)


def throughput() -> bool:
    data = pictures.images(640, SIZE)
    our_loop(data)
    rounds = [(bare_loop(data), our_loop(data)) for _ in range(ROUNDS)]
    # Images a second are the inverse of seconds, so theirs stands over ours.
    ratio = Ratio(tuple(bare for bare, _ in rounds), tuple(own for _, own in rounds))
    best = min(own for _, own in rounds)
    print(f"      {STEPS * OPTIONS.batch / best:.0f} images a second")
    snapshot, steps = snapshot_cost(), SNAPSHOT_EVERY * best / STEPS
    print(
        f"      a snapshot with its checkpoint, {HELD} images of each of {len(CLASSES)} classes, "
        f"takes {snapshot:.1f} s: {snapshot / (snapshot + steps):.1%} of the time at one in "
        f"{SNAPSHOT_EVERY} steps"
    )
    return report("images a second, leukreg's GAN / bare loop", ratio, 0.95, at_least=True)


if __name__ == "__main__":
    sys.exit(0 if throughput() else 1)
