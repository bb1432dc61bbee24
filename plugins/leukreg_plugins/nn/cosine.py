"""Factors of the learning rate, step by step."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class WarmCosine:
    """Factor of the learning rate at a step (from 0): rises over ``warmup`` steps, then falls.

    A plain object, not a lambda, so that the scheduler can be copied, pickled and checkpointed.
    """

    steps: int
    warmup: int
    final: float

    def __call__(self, step: int) -> float:
        if step < self.warmup:
            return (step + 1) / (self.warmup + 1)
        done = min(1.0, (step - self.warmup) / max(1, self.steps - self.warmup))
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * done)) / 2
