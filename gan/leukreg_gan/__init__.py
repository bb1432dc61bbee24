"""The conditional GAN: networks, losses, training, sampling, and its generator plugin."""

from __future__ import annotations

from leukreg import hookimpl
from leukreg_gan.cgan import Cgan


@hookimpl
def leukreg_generators() -> list[type]:
    return [Cgan]
