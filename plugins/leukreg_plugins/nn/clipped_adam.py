"""Adam that clips the gradient of each tensor by itself, as Keras' ``clipnorm`` does."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch


class ClippedAdam(torch.optim.Adam):
    """torch's Adam; before each step every tensor's gradient is shortened to ``clipnorm``.

    The gradients are changed in place. Keras' ``global_clipnorm``, torch's ``clip_grad_norm_`` and
    a phase's ``clip_norm`` are another thing: one norm over all tensors.
    """

    def __init__(self, params: Any, *, clipnorm: float | None, **options: Any) -> None:
        super().__init__(params, **options)
        for group in self.param_groups:
            group.setdefault("clipnorm", clipnorm)
        self.defaults["clipnorm"] = clipnorm

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """One step; a ``closure`` recomputes the loss first, as in torch."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            _clip_each(group["params"], group["clipnorm"])
        cast(Any, super().step)()
        return loss


def _clip_each(parameters: list[torch.Tensor], clipnorm: float | None) -> None:
    if clipnorm is None:
        return
    for parameter in parameters:
        if (gradient := parameter.grad) is not None:
            norm = torch.linalg.vector_norm(gradient)
            gradient.mul_(clipnorm / norm.clamp(min=clipnorm))
