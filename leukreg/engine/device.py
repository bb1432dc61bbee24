"""What a run computes on: device, precision, memory layout, threads."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from leukreg.engine.distributed import rank, size
from leukreg.recipe.model import TrainingSpec
from leukreg.record import FoldTraining
from leukreg.seeds import derive


@dataclass(frozen=True, slots=True, kw_only=True)
class Compute:
    """Settings for one device, decided once."""

    device: str
    amp: Literal["bfloat16", "float16"] | None = None
    """The lower precision of mixed precision, or None."""
    channels_last: bool = True
    compile: bool = False
    threads: int = 1
    devices: int = 1
    """How many share the work."""
    sync_batchnorm: bool = False
    """Whether batch norm sees the images of all of them."""
    fallbacks: tuple[str, ...] = ()
    """What was asked for and could not be had, in words."""

    @property
    def scaled(self) -> bool:
        """Whether gradients need scaling: half precision underflows, bfloat16 does not."""
        return self.amp == "float16"

    def autocast(self) -> AbstractContextManager[Any]:
        """Mixed precision, where it is on."""
        if self.amp is None:
            return nullcontext()
        return torch.autocast(self.device, dtype=getattr(torch, self.amp))

    def room(self) -> int:
        """Bytes of images or features that may lie on the device while a phase lasts: a quarter of
        what is free on a GPU. A CPU has them in its memory anyway."""
        return torch.cuda.mem_get_info()[0] // 4 if self.device == "cuda" else 0

    def put(self, tensor: Tensor) -> Tensor:
        """The tensor on this device; a GPU fetches it while the CPU goes on."""
        if self.device == "cuda" and tensor.device.type == "cpu":
            tensor = tensor.pin_memory()
        return tensor.to(self.device, non_blocking=True)

    def noted(self, training: FoldTraining) -> FoldTraining:
        """What a reader of the run should know of it, put down there."""
        before = training.devices
        return replace(
            training,
            devices=before if before[-1:] == (self.devices,) else (*before, self.devices),
            device=self.device,
            precision=self.amp or "float32",
            channels_last=self.channels_last,
            compiled=self.compile,
            threads=self.threads,
            device_fallbacks=self.fallbacks,
        )


def compute_for(spec: TrainingSpec) -> Compute:
    """Settle what ``[training]`` leaves to "auto" on the device at hand.

    Mixed precision is used on CUDA only: on a CPU without bfloat16 units it is many times slower.
    Channels-last is worth 10 to 45 % on a CPU; compiling does not help training there, so it is
    done where a recipe asks for it and nowhere else.
    """
    available = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    fallbacks = []
    device: str = spec.device
    if device == "auto":
        device = next(name for name, there in available.items() if there)
    elif not available[device]:
        said = f"device {device!r} was asked for and is not available; the CPU was used"
        device, fallbacks = "cpu", [said]
    amp: Literal["bfloat16", "float16"] | None = None
    if spec.precision in ("auto", "amp") and device == "cuda":
        amp = "bfloat16" if torch.cuda.is_bf16_supported() else "float16"
    if spec.precision == "amp" and amp is None:
        fallbacks.append(f"mixed precision was asked for; on {device} training runs in float32")
    return Compute(
        device=device,
        amp=amp,
        channels_last=spec.channels_last == "yes"
        or (spec.channels_last == "auto" and device != "mps"),
        compile=spec.compile == "yes",
        threads=spec.threads or torch.get_num_threads(),
        devices=size(),
        sync_batchnorm=spec.sync_batchnorm and size() > 1,
        fallbacks=tuple(fallbacks),
    )


def session(compute: Compute) -> AbstractContextManager[None]:
    """As :func:`torch_session`, on what a run computes on."""
    return torch_session(compute.device, compute.threads)


@contextmanager
def torch_session(device: str, threads: int) -> Iterator[None]:
    """Threads and, on a CPU, deterministic algorithms for a stretch of work; all is put back.

    Random states are put back too, so that training leaves no trace in the caller's draws.
    ``threads`` 0 leaves their number alone.
    """
    before = torch.get_num_threads()
    deterministic = torch.get_deterministic_debug_mode()
    settings: Any = torch.utils.deterministic
    fill = settings.fill_uninitialized_memory
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    try:
        torch.set_num_threads(threads or before)
        if device == "cpu":
            # As use_deterministic_algorithms(True), which would import the compiler: seconds.
            torch.set_deterministic_debug_mode("error")
            # Filling fresh memory costs time and guards only against reading it unwritten.
            settings.fill_uninitialized_memory = False
        yield
    finally:
        torch.set_num_threads(before)
        torch.set_deterministic_debug_mode(deterministic)
        settings.fill_uninitialized_memory = fill
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


@contextmanager
def own_draws(*what: str | int) -> Iterator[None]:
    """Draws that differ from process to process, as those of dropout; the common ones go on
    afterwards as if nothing had been drawn."""
    if size() == 1:
        yield
        return
    states = random.getstate(), np.random.get_state()
    on_gpu = [torch.cuda.current_device()] if torch.cuda.is_available() else []
    with torch.random.fork_rng(on_gpu):
        reseed(derive(torch.initial_seed() % 2**63, *what, rank()))
        yield
    random.setstate(states[0])
    np.random.set_state(states[1])


def reseed(seed: int) -> None:
    """Seed every generator that a plugin may draw from."""
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
