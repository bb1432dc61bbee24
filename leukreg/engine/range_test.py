"""A learning-rate range test (Smith, Cyclical learning rates for training neural networks, 2017).

The rate rises with every step, from one that teaches nothing to one that destroys; the loss says
where between them learning is fastest.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ignite.engine import Engine, Events
from ignite.handlers import FastaiLRFinder

from leukreg.engine.batches import Batch
from leukreg.engine.device import compute_for, reseed, session
from leukreg.engine.fold_job import FoldJob, setup_fold
from leukreg.engine.frozen_features import Feeds, setup_feeds
from leukreg.engine.phases import epoch_batches, optimizer_of
from leukreg.engine.trainer import setup_trainer, training_errors
from leukreg.engine.unfreeze import train_mode, unfreeze
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import PhaseSpec, Recipe
from leukreg.registry.kinds import Images
from leukreg.types import Fold, Labels

LOW, HIGH = 1e-7, 10.0
LEAST_FALL = 0.05
"""Share of the mean of the first losses by which it must fall for the test to say anything."""


@dataclass(frozen=True, slots=True)
class RangeTest:
    """Rates, rising, and the smoothed training loss after a step at each."""

    rates: tuple[float, ...]
    losses: tuple[float, ...]
    suggestion: float | None
    """A tenth of the rate at which the loss is lowest (as fastai's ``minimum``): there it still
    falls well. None where it does not fall. The point where it falls fastest, ignite's own choice,
    is often among the first steps, which differ by their batches alone."""


def range_test(
    recipe: Recipe,
    labels: Labels,
    images: Images,
    fold: Fold,
    phase: PhaseSpec,
    folder: Path,
    steps: int = 100,
    progress: Progress = SILENT,
) -> RangeTest:
    """Test a phase's learning rate on a fold's training rows, with the model's first weights.

    Parameter groups keep the ratios that the optimizer gives their rates; the figures are those of
    the highest. Ends early where the loss goes beyond five times its lowest.

    Args:
        folder: For files that are not needed afterwards.

    Raises:
        PluginFault: A plugin fails or breaks its contract.
        TrainingError: A step fails for another reason.
    """
    compute = compute_for(recipe.training)
    with session(compute):
        job = setup_fold(recipe, labels, images, fold, compute, folder, progress)
        plan, of_patients = job.plans[recipe.phases.index(phase)], phase.bags is not None
        unfreeze(job.model, plan.unfrozen, of_patients)
        train_mode(job.model, of_patients)
        with setup_feeds(job, phase) as feeds:
            return _test(job, phase, feeds, steps)


def _test(job: FoldJob, phase: PhaseSpec, feeds: Feeds, steps: int) -> RangeTest:
    chosen = phase.optimizer
    optimizer = optimizer_of(job, phase)
    criterion = job.criterion_of(phase)
    trainer = setup_trainer(feeds.tail, criterion, optimizer, chosen, job.compute)
    rates = [float(group["lr"]) for group in optimizer.param_groups]
    shares = [rate / max(rates) if max(rates) > 0 else 1.0 for rate in rates]
    finder = FastaiLRFinder()
    with job.progress.task(f"learning rates of phase {phase.name!r}", steps) as advance:

        @trainer.on(Events.ITERATION_COMPLETED)
        def told(engine: Engine) -> None:
            state: Any = engine.state
            advance(1, f"loss {state.output.loss:.3f}")
            if not math.isfinite(state.output.loss):
                engine.terminate()

        attached = finder.attach(
            trainer,
            {"optimizer": optimizer},
            lambda step: step.loss,
            num_iter=steps,
            start_lr=[LOW * share for share in shares],
            end_lr=[HIGH * share for share in shares],
            smooth_f=5 / steps,  # a mean over as much of the range, however many the steps
        )
        where = f"phase {phase.name!r}, step "
        with (
            warnings.catch_warnings(),
            attached,
            training_errors(
                lambda: f"{where}{trainer.state.iteration}", job.recipe, job.model, phase
            ),
        ):
            warnings.simplefilter("ignore")  # that the loss did not diverge: the picture shows it
            reseed(job.seed(phase, "epoch", 1))
            trainer.run(_endless(job, phase, feeds), max_epochs=1, epoch_length=steps)
    return _read(finder)


def _endless(job: FoldJob, phase: PhaseSpec, feeds: Feeds) -> Iterator[tuple[Batch, ...]]:
    for epoch in itertools.count(1):
        batches = epoch_batches(job, phase, feeds, epoch)
        yield from batches.steps(job.recipe.training.accumulate)


def _read(finder: FastaiLRFinder) -> RangeTest:
    found = finder.get_results()
    finite = [math.isfinite(loss) for loss in found["loss"]]
    end = finite.index(False) if False in finite else len(finite)
    for name in ("lr", "loss"):
        del found[name][end:]
    rates = tuple(max(rate) if isinstance(rate, list) else rate for rate in found["lr"])
    losses = tuple(found["loss"])
    first = losses[: max(1, len(losses) // 10)]
    fell = bool(losses) and min(losses) < (1 - LEAST_FALL) * sum(first) / len(first)
    suggestion = rates[losses.index(min(losses))] / 10 if fell else None
    return RangeTest(rates, losses, suggestion)
