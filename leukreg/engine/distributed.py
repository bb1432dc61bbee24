"""One training on several devices: a process for each, alike but for their share of the work.

All go through the same steps. The images of a batch are divided among them and their gradients
added up, so that every process makes the step that a single one would have made; batches of
validation, frozen features and predictions are dealt out. Rank 0 alone writes and speaks.

torch.distributed is used as it is: ``ignite.distributed`` would put each process that computes on
the CPU on a GPU of its number, wherever torch sees any.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from leukreg.engine.launcher import SAID, asked, last_words
from leukreg.errors import LostProcess, refuse
from leukreg.recipe.model import TrainingSpec

T = TypeVar("T")

ANSWER = timedelta(minutes=30)
"""How long the others are waited for in a step of training."""
WORK = timedelta(days=7)
"""How long rank 0 is waited for, which lists images, judges and writes alone."""

_control: Any = None
"""Of all processes, on the CPU, patient; what is said in it are Python objects."""
_alone = False


def size() -> int:
    """How many processes share the work at this moment."""
    return 1 if _control is None or _alone else dist.get_world_size()


def rank() -> int:
    """The number of this process among them, from 0."""
    return 0 if _control is None or _alone else dist.get_rank()


def leads() -> bool:
    """Whether this process is the one that writes and speaks."""
    return _control is None or dist.get_rank() == 0


@contextmanager
def together(training: TrainingSpec) -> Iterator[None]:
    """Join the processes that torchrun or ``--devices`` started beside this one, if any.

    Raises:
        Problems: The recipe or the machine does not allow so many.
        LostProcess: (inside) Another one has ended.
    """
    if asked() == 1 or _control is not None:
        yield
        return
    refuse(unfit(training, asked()))
    on_gpu = training.device in ("auto", "cuda") and torch.cuda.is_available()
    _join("nccl" if on_gpu else "gloo")
    try:
        yield
    except BaseException:
        if leads():  # the others say why before the connection ends with them
            leave()
        raise
    leave()


def unfit(training: TrainingSpec, count: int) -> Iterator[str]:
    """What speaks against so many devices, in sentences."""
    gpus, device = torch.cuda.device_count(), training.device
    if device == "mps" or (device == "auto" and not gpus and torch.backends.mps.is_available()):
        yield f"{count} devices were asked for; training.device 'mps' is a single one"
    here = int(os.environ.get("LOCAL_WORLD_SIZE", count))
    if gpus < here and (device == "cuda" or (device == "auto" and gpus)):
        yield (
            f"{here} GPUs were asked for, {gpus} found; "
            'training.device = "cpu" trains in as many processes on the CPU'
        )
    if training.batch_size < 2 * count:
        yield (
            f"training.batch_size = {training.batch_size} is too small for {count} devices: "
            "each needs 2 images of a batch or more"
        )
    if training.sync_batchnorm and training.compile == "yes":
        yield 'training.sync_batchnorm does not go with training.compile = "yes"'


def _join(backend: str) -> None:
    global _control
    if backend == "nccl":
        torch.cuda.set_device(int(os.environ.get("LOCAL_RANK", os.environ["RANK"])))
    with lost_told():
        dist.init_process_group(backend, timeout=ANSWER)
        _control = dist.new_group(backend="gloo", timeout=WORK)


def leave() -> None:
    """Part from the others: from here on this process works for itself."""
    global _control
    if _control is not None:
        _control = None
        dist.destroy_process_group()


@contextmanager
def alone() -> Iterator[None]:
    """For work that this process does by itself: inside, it takes itself for the only one."""
    global _alone
    before, _alone = _alone, True
    try:
        yield
    finally:
        _alone = before


@contextmanager
def first() -> Iterator[None]:
    """Rank 0 does this by itself, then the others do, who find in files what it left there."""
    if size() == 1:
        yield
        return
    if not leads():
        agreed(None)
    with alone():
        yield
    if leads():
        agreed(None)


def agreed(value: T) -> T:
    """What rank 0 says, to all; the others wait for it."""
    if size() == 1:
        return value
    said = [value]
    with lost_told():
        dist.broadcast_object_list(said, src=0, group=_control)
    return said[0]


def gathered(value: T) -> list[T]:
    """What each process says, to all."""
    if size() == 1:
        return [value]
    said: list[Any] = [None] * size()
    with lost_told():
        dist.all_gather_object(said, value, group=_control)
    return said


def add_up(tensor: Tensor) -> Tensor:
    """Put the sum over all processes into the tensor, the same bits in each."""
    if size() > 1:
        with lost_told():
            dist.all_reduce(tensor)
    return tensor


@contextmanager
def lost_told() -> Iterator[None]:
    """Put into words that a process has ended, or does not answer any more.

    Raises:
        LostProcess: That is so; with what it said before, where that is known.
    """
    try:
        yield
    except RuntimeError as error:
        raise LostProcess(_why(error)) from error


def _why(error: RuntimeError) -> str:
    folder = os.environ.get(SAID)
    if said := last_words(folder):
        return said
    reason = "" if folder else str(error).strip().partition("\n")[0][:200]
    return (
        f"one of {asked()} processes of the training has ended before its time, or does not "
        f"answer, so that all end{f' ({reason})' if reason else ''}"
    )


def share(n: int, of: int | None = None, among: int | None = None) -> tuple[int, int, bool]:
    """Start and end of a process's part of ``n`` images, and whether it counts.

    Parts have two images or more, since batch norm cannot train on one: where there are too few
    for all, those who have none go through the first two, as the others must not wait for them in
    vain, and what comes of it counts nothing.
    """
    of, among = rank() if of is None else of, size() if among is None else among
    takers = max(1, min(among, n // 2))
    if of >= takers:
        return 0, min(n, 2), False
    return n * of // takers, n * (of + 1) // takers, True


def dealt(items: Iterable[T]) -> Iterator[T]:
    """Every so-many-th of some pieces of work: those that are this process's."""
    among, own = size(), rank()
    return (item for number, item in enumerate(items) if number % among == own)


def in_turn(every: Sequence[Sequence[T]]) -> list[T]:
    """What was dealt out, put together again."""
    longest = max(map(len, every), default=0)
    return [part[turn] for turn in range(longest) for part in every if turn < len(part)]


@torch.no_grad()
def add_gradients(optimizer: torch.optim.Optimizer, loss: float) -> float:
    """Add up the gradients of all processes, in one piece, and their parts of the loss.

    A parameter that has no gradient anywhere is left without one.
    """
    if size() == 1:
        return loss
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    has = [0.0 if p.grad is None else 1.0 for p in parameters]
    parts = [(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in parameters]
    told = parts[0].new_tensor([loss, *has])
    flat = add_up(torch.cat([*parts, told]))
    *sums, told = torch.split(flat, [p.numel() for p in parameters] + [len(told)])
    whole, *anywhere = told.tolist()
    for parameter, new, known in zip(parameters, sums, anywhere, strict=True):
        if known:
            if parameter.grad is None:
                parameter.grad = torch.empty_like(parameter)
            parameter.grad.copy_(new.view_as(parameter))
    return float(whole)


@torch.no_grad()
def from_first(module: nn.Module) -> None:
    """Give all processes the weights that rank 0 has; none goes on before all are here."""
    if size() > 1:
        with lost_told():
            for tensor in (*module.parameters(), *module.buffers()):
                dist.broadcast(tensor.data, 0)
        gathered(None)


@torch.no_grad()
def mean_statistics(model: nn.Module, average: nn.Module | None = None) -> None:
    """Take the mean over all processes of the batch-norm statistics that they kept of their parts.

    Of the model those in train mode: the frozen ones are alike everywhere, and stay as they are.
    """
    if size() == 1:
        return
    learning = (part for part in model.modules() if part.training)
    found = [buffer for part in learning for buffer in part.buffers(recurse=False)]
    for buffer in (*found, *(average.buffers() if average else ())):
        if buffer.is_floating_point():
            add_up(buffer).div_(size())
