"""Training the conditional GAN against a bare PyTorch loop over the same networks.

The figure is a ratio of two things timed in turn in this one process.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import material as pictures
import numpy as np
import torch
from leukreg_gan.conditions import conditions_for
from leukreg_gan.diffaug import Policy, augmented
from leukreg_gan.losses import discriminator_loss, generator_loss, mismatch_loss
from leukreg_gan.material import material
from leukreg_gan.parts import Parts, fresh_parts
from leukreg_gan.settings import Settings
from leukreg_gan.training import Job, train
from leukreg_gan.ways import Ways
from ratio import Ratio, report

from leukreg import ImageSpec

ROUNDS = 7
STEPS = 25
SETTINGS = Settings(
    size=32,
    channels=16,
    latent=64,
    steps=STEPS,
    batch=64,
    generator_lr=4e-4,
    discriminator_lr=8e-4,
    decay=0.0,
    ema=0.999,
    r1=0.0,
    mismatch=0.5,
    feature_steps=1,
    augment=Policy(colour=0.1, translation=0.0625, cutout=0.25),
    balance="class",
    snapshot_every=10 * STEPS,
    precision="float32",
)


class Stopwatch:
    """Progress that measures the time from the first report of a task to its last."""

    seconds = 0.0

    @contextmanager
    def task(self, title: str, total: int | None = None) -> Iterator[object]:
        begin = time.perf_counter()

        def advance(steps: int = 1, note: str = "") -> None:
            self.seconds = time.perf_counter() - begin

        yield advance

    def say(self, text: str) -> None:
        return None


def our_loop(data: pictures.InMemory) -> float:
    """Seconds of a training as the plugin does it: logged, watched, resumable."""
    spec = ImageSpec(size=SETTINGS.size)
    conditions = conditions_for(data, pictures.LABELS, spec, None, Ways())
    watch = Stopwatch()
    with tempfile.TemporaryDirectory() as folder:
        job = Job(
            settings=SETTINGS,
            pixels=conditions.pixels(data),
            conditions=conditions,
            names=pictures.NAMES,
            targets=conditions.classes,
            held=np.zeros(0, np.int64),
            features=None,
            seed=1,
            folder=Path(folder),
        )
        train(job, watch)  # type: ignore[arg-type]
    return watch.seconds


def bare_loop(data: pictures.InMemory) -> float:
    """Seconds of as many steps of the same networks, nothing logged, watched or kept."""
    labels = np.arange(len(data)) % 2
    rows = material(data.array, np.eye(2, dtype=np.float32)[labels], labels)
    parts = fresh_parts(SETTINGS, 2, 1, "cpu")
    pixels, told = rows.pixels, rows.conditions
    begin = time.perf_counter()
    for _ in range(STEPS):
        chosen = torch.randint(len(data), (SETTINGS.batch,)).sort().values
        real = pixels[chosen].float().div(127.5).sub(1)
        _bare_step(parts, real, told[chosen])
    return time.perf_counter() - begin


def _bare_step(parts: Parts, real: torch.Tensor, told: torch.Tensor) -> None:
    generator, network, policy = parts.generator, parts.discriminator, SETTINGS.augment
    assert parts.features is not None
    fake = generator(torch.randn(len(real), SETTINGS.latent), told)
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
    loss = loss + SETTINGS.mismatch * mismatch_loss(apart, (wrong != told).any(dim=1, keepdim=True))
    parts.discriminator_optimizer.zero_grad()
    loss.backward()
    parts.discriminator_optimizer.step()
    network.requires_grad_(False)
    shown = augmented(fake, policy)
    loss = generator_loss(network(shown, told, parts.features.maps(shown)))
    parts.generator_optimizer.zero_grad()
    loss.backward()
    parts.generator_optimizer.step()
    parts.average.update_parameters(generator)


def throughput() -> bool:
    data = pictures.images(640, SETTINGS.size)
    our_loop(data)
    rounds = [(bare_loop(data), our_loop(data)) for _ in range(ROUNDS)]
    # Images a second are the inverse of seconds, so theirs stands over ours.
    ratio = Ratio(tuple(bare for bare, _ in rounds), tuple(own for _, own in rounds))
    print(f"      {STEPS * SETTINGS.batch / min(own for _, own in rounds):.0f} images a second")
    return report("images a second, leukreg's GAN / bare loop", ratio, 0.95, at_least=True)


if __name__ == "__main__":
    sys.exit(0 if throughput() else 1)
