"""A moving average of the weights that train: what a phase with ``ema`` validates and keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from leukreg.engine.classifier import Link, as_module


class Average:
    """torch's exponential moving average over the part of a model that trains."""

    def __init__(self, links: Sequence[Link], decay: float) -> None:
        """Begin with the weights that these links of the model have after the first step."""
        self._names = [name for name, _ in links]
        self._own = as_module(links)
        update = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]
        self._average = AveragedModel(self._own, multi_avg_fn=update, use_buffers=True)

    @property
    def module(self) -> nn.Module:
        """The averaged part, in eval mode."""
        return self._average.module.eval()

    def follow(self) -> None:
        """Move towards the model's present weights; what counts or indexes is as in the model."""
        self._average.update_parameters(self._own)
        with torch.no_grad():
            buffers = zip(self._average.module.buffers(), self._own.buffers(), strict=True)
            for mean, own in buffers:
                if not mean.is_floating_point():  # torch averages whole numbers too, and cuts them
                    mean.copy_(own)

    def weights(self) -> dict[str, Tensor]:
        """The averaged weights and statistics, under their names in the model."""
        found = {}
        for name, value in self._average.module.state_dict().items():
            number, _, rest = name.partition(".")
            found[f"{self._names[int(number)]}.{rest}"] = value
        return found

    def state_dict(self) -> dict[str, Any]:
        return self._average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._average.load_state_dict(state)
