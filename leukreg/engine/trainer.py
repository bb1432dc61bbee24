"""The trainer: an ignite engine whose step updates the trained part of the model."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from typing import NamedTuple

import torch
from ignite.engine import Engine
from torch import Tensor, nn

from leukreg.engine.assembly import Criterion
from leukreg.engine.bags import PatientLoss
from leukreg.engine.batch_norm import Synchronised
from leukreg.engine.batches import Batch
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import Compute, own_draws
from leukreg.engine.distributed import add_gradients, gathered, in_turn
from leukreg.errors import LeukregError, PluginFault, TrainingError
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.registry import plugin_call
from leukreg.registry.plugin_call import Choice, blamed, module_of, named, place_of

_QUIET = logging.getLogger("leukreg.engine")
_QUIET.setLevel(logging.CRITICAL + 1)


class Answers(NamedTuple):
    """Logits ``(n, k)`` in float32 and targets ``(n,)`` of some rows."""

    logits: Tensor
    targets: Tensor

    @classmethod
    def joined(cls, parts: Iterable[Answers]) -> Answers:
        """The answers of several batches as one set."""
        logits, targets = zip(*parts, strict=True)
        return cls(torch.cat(logits), torch.cat(targets))

    @classmethod
    def of_all(cls, parts: Iterable[Answers], compute: Compute) -> Answers:
        """Those of all processes, in the order of the batches that were dealt out or divided."""
        if compute.devices == 1:
            return cls.joined(parts)
        every = gathered([cls(*(tensor.cpu() for tensor in part)) for part in parts])
        return cls(*map(compute.put, cls.joined(in_turn(every))))


class Step(NamedTuple):
    """What a training step came to."""

    loss: float
    answers: Answers
    """Before the step."""
    weight: float
    """What its rows count in a mean over more of them."""


def setup_trainer(
    tail: nn.Module,
    criterion: Criterion | PatientLoss,
    optimizer: torch.optim.Optimizer,
    chosen: Choice,
    compute: Compute,
    scaler: torch.amp.GradScaler | None = None,
) -> Engine:
    """An engine that makes a step of some batches; its output is a :class:`Step`.

    The gradient is that of the loss of all their rows as one set, wherever they are divided among
    several processes.

    Args:
        tail: The part of the model that trains.
        chosen: The plugin that built ``optimizer``.
    """

    def loss_of_part(logits: Tensor, targets: Tensor, whole: float, counts: bool) -> Tensor:
        """What these rows are of a mean over rows of that weight."""
        share = criterion.weight_of(targets) / whole if counts else 0.0
        loss: Tensor = criterion(logits, targets)
        return loss if share == 1 else loss * share

    def backward(batch: Batch, whole: float) -> tuple[float, Answers]:
        """Add a batch's part to the gradient; its part of the loss, and its answers."""
        alike = Synchronised(batch.counts) if compute.sync_batchnorm else nullcontext()
        with compute.autocast():
            with alike:
                logits = tail(batch.inputs)
            part = loss_of_part(logits, batch.targets, whole, batch.counts)
            if batch.others is not None:
                # Of a loss that is a weighted mean this is the mean over soft targets: the images
                # mixed in are those of the batch, so that both weigh alike.
                mixed_in = loss_of_part(logits, batch.others, whole, batch.counts)
                part = batch.share * part + (1 - batch.share) * mixed_in
        scaled: Tensor = part if scaler is None else scaler.scale(part)
        torch.autograd.backward(scaled)
        rows = slice(None) if batch.counts else slice(0)
        return float(part.item()), Answers(logits.detach().float()[rows], batch.targets[rows])

    def step(engine: Engine, batches: Sequence[Batch]) -> Step:
        optimizer.zero_grad(set_to_none=True)
        targets = (batch.targets if batch.whole is None else batch.whole for batch in batches)
        whole = sum(map(criterion.weight_of, targets))
        with own_draws("step", engine.state.iteration):
            done = [backward(batch, whole) for batch in batches]
        losses, answers = zip(*done, strict=True)
        loss = add_gradients(optimizer, sum(losses))
        if scaler is not None:
            scaler.unscale_(optimizer)
        with blamed(chosen, "failed in step"):
            optimizer.step() if scaler is None else scaler.step(optimizer)
        if scaler is not None:
            scaler.update()
        return Step(loss, Answers.joined(answers), whole)

    engine = Engine(step)
    engine.logger = _QUIET  # what ignite would print of an error, the caller says better
    return engine


@torch.no_grad()
def loss_of(criterion: nn.Module, answers: Answers) -> float:
    """The loss of the rows as one set.

    A mean of batches' losses would be another figure: a loss with class weights divides each batch
    by the weights of its own rows. So the criterion is asked once about all rows, in eval mode.
    """
    training = criterion.training
    criterion.eval()
    try:
        return float(criterion(*answers))
    finally:
        criterion.train(training)


@torch.no_grad()
def evaluate(
    tail: nn.Module, criterion: nn.Module, batches: Iterable[Batch], compute: Compute
) -> tuple[float, float]:
    """Loss and accuracy (0 to 1) over all rows of the batches, and of those that were dealt out to
    other processes; ``tail`` is in eval mode."""
    parts = []
    for batch in batches:
        with compute.autocast():
            logits = tail(batch.inputs)
        parts.append(Answers(logits.float(), batch.targets))
    answers = Answers.of_all(parts, compute)
    right = answers.logits.argmax(dim=1) == answers.targets
    return loss_of(criterion, answers), float(right.double().mean())


@contextmanager
def training_errors(
    where: Callable[[], str], recipe: Recipe, model: Classifier, phase: PhaseSpec
) -> Iterator[None]:
    """Put the error of a training step into words; ``where`` says which step.

    A plugin is blamed only where its own code stands in the traceback: networks of a library fail
    for reasons that lie in the recipe.

    Raises:
        PluginFault: A plugin's own code failed.
        TrainingError: Something else did.
    """
    try:
        yield
    except LeukregError:
        raise
    except Exception as error:
        text = f"{where()}: {type(error).__name__}: {error}"
        if plugin_call.out_of_memory(error):
            size = "training.batch_size" if phase.bags is None else f"phase {phase.name!r}: bags"
            text += f". A smaller {size} or image.size needs less"
        elif "more than 1 value per channel" in str(error):
            text += ". Batch norm needs training.batch_size = 2 or more"
        elif not plugin_call.is_outer(error) and (
            suspects := _suspects(error, recipe, model, phase)
        ):
            who = " or ".join(named(choice) for choice in suspects)
            fault = plugin_call.failed(f"{where()}: {who} failed", suspects[0].plugin, error)
            raise PluginFault(fault, suspects[0].owner) from error
        raise TrainingError(text) from error


def _suspects(
    error: Exception, recipe: Recipe, model: Classifier, phase: PhaseSpec
) -> list[Choice]:
    """The plugins whose own code raised: one where the failing module is known to be its own.

    Those that are called by name in a step (loss, optimizer) have been blamed there already.
    """
    spec = recipe.model
    parts = [
        (spec.backbone, model.backbone),
        (spec.attention, model.attention),
        (spec.head, model.head),
        (recipe.patients.aggregator if recipe.patients else None, model.aggregator),
        (phase.schedule, None),
    ]
    mine = [(c, m) for c, m in parts if c is not None and place_of(error, module_of(c.plugin))]
    for frame, _ in reversed(list(traceback.walk_tb(error.__traceback__))):
        owner = frame.f_locals.get("self")
        for choice, module in mine:
            if module is not None and any(each is owner for each in module.modules()):
                return [choice]
    return [choice for choice, _ in mine]
