"""Batch norm over a whole batch whose images are divided among several processes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode

from leukreg.engine.distributed import add_up


class _Summed(torch.autograd.Function):
    """The sum over all processes; its gradient is the sum of theirs."""

    @staticmethod
    def forward(ctx: Any, own: Tensor) -> Tensor:
        return add_up(own.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return add_up(gradient.clone())


class Synchronised(TorchFunctionMode):
    """Inside, batch norm in train mode takes mean and variance over the images of all processes.

    torch's ``SyncBatchNorm`` knows GPUs only, and takes the place of layers, so that those which do
    more than normalise, as timm's, would lose it. This does the same (Ioffe and Szegedy, 2015, over
    the whole batch) wherever a layer calls ``F.batch_norm``, and leaves the layers as they are.
    """

    def __init__(self, counts: bool = True) -> None:
        """``counts``: whether this process's images are among them."""
        super().__init__()
        self.counts = counts

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        options = dict(kwargs or {})
        if func is F.batch_norm and options.get("training"):
            options["counts"] = self.counts
            return _normalised(*args, **options)
        return func(*args, **options)


def _normalised(
    inputs: Tensor,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    weight: Tensor | None,
    bias: Tensor | None,
    training: bool,
    momentum: float,
    eps: float,
    counts: bool,
) -> Tensor:
    """As ``F.batch_norm`` of all processes' inputs ``(b, c, ...)``; two passes, in float32."""
    over = [0, *range(2, inputs.ndim)]
    shape = [1, -1] + [1] * (inputs.ndim - 2)
    x, own = inputs.float(), float(counts)
    number = x.new_tensor([inputs.numel() / inputs.shape[1] * own])
    *_, n = whole = _summed(torch.cat([x.sum(over) * own, number]))
    mean = whole[:-1] / n
    centred = x - mean.view(shape)
    variance = _summed(centred.square().sum(over) * own) / n
    with torch.no_grad():
        if running_mean is not None:
            running_mean.lerp_(mean, momentum)
        if running_var is not None:
            running_var.lerp_(variance * n / (n - 1), momentum)
    out: Tensor = centred * (variance + eps).rsqrt().view(shape)
    if weight is not None:
        out = out * weight.view(shape)
    if bias is not None:
        out = out + bias.view(shape)
    return out.to(inputs.dtype)


def _summed(own: Tensor) -> Tensor:
    summed: Tensor = _Summed.apply(own)  # type: ignore[no-untyped-call]
    return summed
