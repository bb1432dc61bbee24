"""What a training computes on, and a stretch of work that leaves no trace in the caller."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


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
