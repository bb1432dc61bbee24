from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from leukreg.engine.device import compute_for, reseed, session
from leukreg.recipe.model import TrainingSpec
from leukreg.record import FoldTraining


def test_a_cpu_trains_in_float32_and_channels_last() -> None:
    compute = compute_for(TrainingSpec(device="cpu", threads=1))
    assert (compute.device, compute.amp, compute.compile) == ("cpu", None, False)
    assert compute.channels_last
    assert compute.noted(FoldTraining()).precision == "float32"


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without CUDA")
def test_a_missing_device_is_said() -> None:
    compute = compute_for(TrainingSpec(device="cuda"))
    assert compute.device == "cpu"
    assert "'cuda' was asked for" in compute.noted(FoldTraining()).device_fallbacks[0]


def test_mixed_precision_on_a_cpu_is_refused_in_words() -> None:
    compute = compute_for(TrainingSpec(device="cpu", precision="amp"))
    assert compute.amp is None
    assert "float32" in compute.fallbacks[0]


def test_a_session_leaves_no_trace() -> None:
    threads = torch.get_num_threads()
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    expected = (torch.rand(1).item(), np.random.rand(), random.random())
    torch.manual_seed(1)
    np.random.seed(1)
    random.seed(1)
    with session(compute_for(TrainingSpec(device="cpu", threads=threads + 1))):
        assert torch.get_num_threads() == threads + 1
        assert torch.are_deterministic_algorithms_enabled()
        reseed(2**62 + 7)
        torch.rand(3)
    assert torch.get_num_threads() == threads
    assert not torch.are_deterministic_algorithms_enabled()
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == expected


def test_reseeding_repeats_every_generator() -> None:
    with session(compute_for(TrainingSpec(device="cpu"))):
        draws = []
        for _ in range(2):
            reseed(2**63 - 1)
            draws.append((torch.rand(1).item(), np.random.rand(), random.random()))
    assert draws[0] == draws[1]
