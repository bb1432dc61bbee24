"""Schedules: how the learning rate moves. All but "plateau" move after every optimizer step."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from annotated_types import Ge, Gt, Le, Lt

from leukreg import plugin

if TYPE_CHECKING:
    from torch.optim import Optimizer


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


@plugin("constant")
class Constant:
    """The optimizer's learning rate throughout."""

    def build(self, optimizer: Optimizer, steps: int) -> Any:
        """A scheduler that changes nothing."""
        from torch.optim.lr_scheduler import ConstantLR

        return ConstantLR(optimizer, factor=1.0, total_iters=0)


@plugin("plateau")
class Plateau:
    """Lower the learning rate when the validation loss stands still."""

    factor: Annotated[float, Gt(0), Lt(1)] = 0.2
    """What the learning rate is multiplied with."""
    patience: Annotated[int, Ge(0)] = 5
    """Epochs without improvement that are let pass."""
    threshold: Annotated[float, Ge(0), Lt(1)] = 1e-4
    """Smallest share of the loss that counts as an improvement."""
    min_lr: Annotated[float, Ge(0)] = 0.0
    """Learning rate below which it does not go."""

    def build(self, optimizer: Optimizer, steps: int) -> Any:
        """torch's ``ReduceLROnPlateau``, stepped with the validation loss after each epoch."""
        from torch.optim.lr_scheduler import ReduceLROnPlateau

        return ReduceLROnPlateau(
            optimizer,
            factor=self.factor,
            patience=self.patience,
            threshold=self.threshold,
            min_lr=self.min_lr,
        )


@plugin("cosine")
class Cosine:
    """Linear warm-up, then half a cosine down (Loshchilov and Hutter, 2017)."""

    warmup: Annotated[float, Ge(0), Lt(1)] = 0.05
    """Share of the steps during which the learning rate rises to the optimizer's."""
    final: Annotated[float, Ge(0), Le(1)] = 0.0
    """Learning rate after the last step, as a share of the optimizer's."""

    def build(self, optimizer: Optimizer, steps: int) -> Any:
        """A scheduler over ``steps`` optimizer steps; afterwards the rate stays at ``final``."""
        from torch.optim.lr_scheduler import LambdaLR

        return LambdaLR(optimizer, WarmCosine(steps, round(self.warmup * steps), self.final))


@plugin("one-cycle")
class OneCycle:
    """One rise to the optimizer's learning rate and one long fall (Smith and Topin, 2018)."""

    rise: Annotated[float, Gt(0), Lt(1)] = 0.3
    """Share of the steps during which the learning rate rises."""
    start: Annotated[float, Gt(0), Le(1)] = 0.04
    """First learning rate, as a share of the highest."""
    final: Annotated[float, Gt(0), Le(1)] = 4e-6
    """Last learning rate, as a share of the highest."""
    cycle_momentum: bool = True
    """Move the momentum (or beta1) from .95 down to .85 and back, against the learning rate."""

    def build(self, optimizer: Optimizer, steps: int) -> Any:
        """torch's ``OneCycleLR`` over ``steps`` optimizer steps."""
        from torch.optim.lr_scheduler import OneCycleLR

        highest = [group["lr"] for group in optimizer.param_groups]
        defaults = optimizer.defaults
        moves = "betas" in defaults or defaults.get("momentum", 0) > 0
        total = max(steps, 2)
        return OneCycleLR(
            optimizer,
            max_lr=highest,
            total_steps=total,
            # Rise and fall both need a step, or torch divides by zero.
            pct_start=min(max(self.rise, 1.5 / total), 1 - 0.5 / total),
            div_factor=1 / self.start,
            final_div_factor=self.start / self.final,
            cycle_momentum=self.cycle_momentum and moves,
        )
