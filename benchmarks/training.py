"""Training against a bare PyTorch loop, cached epochs against uncached ones, MC passes against one.

Every figure is a ratio of two things timed in turn in this one process.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import material
import torch
from ratio import Ratio, paired, report

from leukreg.engine.assembly import assemble
from leukreg.engine.device import compute_for, session
from leukreg.engine.mc_dropout import mc_probabilities
from leukreg.engine.training import train_fold
from leukreg.recipe import Recipe

ROUNDS = 5


def bare_loop(recipe: Recipe, data: material.InMemory) -> float:
    """Seconds of one epoch of the same model, images already tensors in memory, nothing logged."""
    with session(compute_for(recipe.training)):
        model = assemble(recipe, material.LABELS)
        model.set_channels_last(True)
        model.train()
        pixels = torch.from_numpy(data.array).permute(0, 3, 1, 2)
        targets = torch.arange(len(data)) % 2
        optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)
        criterion = torch.nn.CrossEntropyLoss()
        seconds = []
        for _ in range(recipe.phases[0].epochs):
            begin = time.perf_counter()
            for rows in torch.split(torch.randperm(len(data)), recipe.training.batch_size):
                optimizer.zero_grad()
                criterion(model(pixels[rows]), targets[rows]).backward()
                optimizer.step()
            seconds.append(time.perf_counter() - begin)
    return min(seconds)


def our_epoch(recipe: Recipe, data: material.InMemory) -> float:
    """Seconds of the fastest epoch of a training as ``leukreg run`` does it."""
    with tempfile.TemporaryDirectory() as folder:
        fold = material.everything(len(data))
        outcome = train_fold(recipe, material.LABELS, data, fold, Path(folder) / "fold")
    return min(epoch.seconds for epoch in outcome.epochs)


def throughput() -> bool:
    data, recipe = material.images(640, 64), material.recipe(64, epochs=3)
    rounds = [(bare_loop(recipe, data), our_epoch(recipe, data)) for _ in range(ROUNDS)]
    # Images a second are the inverse of seconds, so theirs stands over ours.
    ratio = Ratio(tuple(bare for bare, _ in rounds), tuple(own for _, own in rounds))
    return report("images a second, leukreg / bare loop", ratio, 0.95, at_least=True)


def cached() -> bool:
    data = material.images(256, 128)
    fresh = material.recipe(128, epochs=2, unfreeze="0", views=0)
    kept = material.recipe(128, epochs=6, unfreeze="0", views=1)
    rounds = [(our_epoch(fresh, data), our_epoch(kept, data)) for _ in range(3)]
    ratio = Ratio(tuple(slow for slow, _ in rounds), tuple(fast for _, fast in rounds))
    return report("frozen epoch, uncached / cached", ratio, 20, at_least=True)


def dropout_passes() -> bool:
    recipe = material.recipe(128, epochs=1)
    compute = compute_for(recipe.training)
    with session(compute):
        model = assemble(recipe, material.LABELS).eval()
        model.set_channels_last(compute.channels_last)
        pixels = torch.from_numpy(material.images(32, 128).array).permute(0, 3, 1, 2)

        @torch.no_grad()
        def one() -> None:
            model(pixels)

        ratio = paired(lambda: mc_probabilities(model, pixels, 30, compute), one, pairs=15)
    return report("30 MC passes / one pass", ratio, 1.3)


if __name__ == "__main__":
    sys.exit(0 if all([throughput(), cached(), dropout_passes()]) else 1)
