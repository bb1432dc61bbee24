"""Steps of the conditional GAN on a GPU; with ``LEUKREG_GPU=cpu`` a CPU does them."""

from __future__ import annotations

import math
import os
from typing import Any

import pytest
import torch
from leukreg_gan.cgan import Cgan
from leukreg_gan.training_set import RealBatch

DEVICE = os.environ.get("LEUKREG_GPU") or ("cuda" if torch.cuda.is_available() else "")


@pytest.mark.gpu
@pytest.mark.skipif(not DEVICE, reason="no GPU that torch can use; see make gpu")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("size", [64, 128, 256])
def test_steps_of_every_size(size: int, precision: Any) -> None:
    if DEVICE == "cpu" and size > 64 and precision != "float32":
        pytest.skip("CPUs without bfloat16 take a minute")
    tiny = {"channels": 4, "batch": 2} if DEVICE == "cpu" else {"batch": 8}
    options = Cgan(steps=20, device=DEVICE, precision=precision, r1=1.0, feature_steps=1, **tiny)
    networks = options.networks(size, 3, 0, DEVICE)
    before = [p.detach().clone() for p in networks.generator.parameters()]
    torch.manual_seed(0)
    images = torch.rand(options.batch, 3, size, size, device=DEVICE) * 2 - 1
    images = images.contiguous(memory_format=torch.channels_last)
    told = torch.eye(3, device=DEVICE)[torch.arange(options.batch) % 3]
    for number in (15, 16):  # the second has a gradient penalty
        losses = networks.step(number, RealBatch(images, told))
        assert all(map(math.isfinite, losses.values()))
    after = networks.generator.parameters()
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
