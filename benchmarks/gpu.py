"""Tests that touch a GPU, then its speeds beside bare PyTorch loops, and the most memory taken.

Prints a table for benchmarks/README.md, under the card's name. Usage: gpu.py [--device cpu]
With ``--device cpu`` everything is tried at tiny sizes: such figures are worth nothing.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import material
import torch
from leukreg_gan.cgan import Cgan
from leukreg_gan.training_set import RealBatch

from leukreg.engine.assembly import assemble
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import Compute, compute_for
from leukreg.engine.inference import score_pixels
from leukreg.engine.training import train_fold
from leukreg.recipe import Recipe, parse
from leukreg.recipe.model import TrainingSpec

ROOT = Path(__file__).parents[1]
RECIPE = """
schema = 1
data = {{ use = "demo" }}
image = {{ size = {size} }}
loss = "cross-entropy"
training = {{ batch_size = {batch}, feature_views = {views}, device = "{device}" }}
evaluate = {{ mc_dropout = {{ passes = 30 }} }}
[model]
backbone = {{ use = "timm", model = "{network}", weights = "random" }}
head = {{ use = "mlp", widths = [256], dropout = 0.5 }}
[[phase]]
name = "only"
unfreeze = {unfreeze}
epochs = 4
optimizer = {{ use = "adamw", lr = 1e-4 }}
"""


@dataclass(frozen=True)
class Bench:
    """What is measured, and on what."""

    device: str
    networks: tuple[str, ...]
    size: int
    batch: int
    images: int
    steps: int
    """Of the GAN."""
    width: int
    gan_batch: int

    @property
    def real(self) -> bool:
        return self.device == "cuda"


CUDA = Bench("cuda", ("resnet18", "resnet50", "efficientnet_b0"), 224, 64, 2048, 50, 24, 64)
CPU = Bench("cpu", ("test_resnet",), 32, 8, 16, 1, 4, 4)
PRECISIONS: tuple[dict[str, Any], ...] = (
    {"precision": "fp32"},
    {"precision": "amp"},
    {"precision": "amp", "compile": "yes"},
)


def recipe(bench: Bench, network: str, unfreeze: str = '"all"', views: int = 0, **keys: Any
           ) -> Recipe:  # fmt: skip
    text = RECIPE.format(
        size=bench.size, batch=bench.batch, views=views, device=bench.device, network=network,
        unfreeze=unfreeze,
    )  # fmt: skip
    made = parse(text)
    if not bench.real:
        keys = {key: value for key, value in keys.items() if key == "precision"}
    return replace(made, training=replace(made.training, **keys))


def wait(bench: Bench) -> None:
    if bench.real:
        torch.cuda.synchronize()


@contextmanager
def peak(bench: Bench) -> Iterator[Callable[[], str]]:
    """The most memory of the card that was taken inside, in GiB."""
    if bench.real:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    yield lambda: f"{torch.cuda.max_memory_allocated() / 2**30:.2f}" if bench.real else "-"


def our_epoch(bench: Bench, plan: Recipe) -> float:
    """Images a second of the fastest epoch of a training as ``leukreg run`` does it."""
    data = material.images(bench.images, bench.size)
    with tempfile.TemporaryDirectory() as folder:
        fold = material.everything(len(data))
        done = train_fold(plan, material.LABELS, data, fold, Path(folder) / "fold")
    return bench.images / min(epoch.seconds for epoch in done.epochs)


def model_of(bench: Bench, plan: Recipe, compute: Compute) -> Classifier:
    model = assemble(plan, material.LABELS).to(bench.device)
    model.set_channels_last(compute.channels_last)
    return model


def bare_epoch(bench: Bench, plan: Recipe) -> float:
    """The same of a bare loop: images on the device as bytes, nothing logged, nothing kept."""
    compute = compute_for(plan.training)
    model = model_of(bench, plan, compute).train()
    data = material.images(bench.images, bench.size)
    pixels = torch.from_numpy(data.array).to(bench.device).permute(0, 3, 1, 2)
    targets = (torch.arange(len(data)) % 2).to(bench.device)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4)
    criterion = torch.nn.CrossEntropyLoss()
    forward: Callable[[Any], Any] = torch.compile(model) if compute.compile else model
    seconds = []
    for _ in range(plan.phases[0].epochs):
        wait(bench)
        begin = time.perf_counter()
        for rows in torch.split(torch.randperm(len(data), device=bench.device), bench.batch):
            optimizer.zero_grad(set_to_none=True)
            with compute.autocast():
                loss = criterion(forward(pixels[rows]), targets[rows])
            loss.backward()
            optimizer.step()
        wait(bench)
        seconds.append(time.perf_counter() - begin)
    return bench.images / min(seconds)


def training(bench: Bench) -> None:
    print("\n| training | images a second | bare loop | ratio | peak GiB | bare |")
    print("|---|---|---|---|---|---|")
    for network in bench.networks:
        for keys in PRECISIONS:
            plan = recipe(bench, network, **keys)
            with peak(bench) as most:
                own, memory = our_epoch(bench, plan), most()
            with peak(bench) as most:
                bare, bare_memory = bare_epoch(bench, plan), most()
            name = ", ".join([network, *(v if v != "yes" else "compiled" for v in keys.values())])
            print(f"| {name} | {own:,.0f} | {bare:,.0f} | {own / bare:.2f} | {memory} "
                  f"| {bare_memory} |", flush=True)  # fmt: skip


def the_rest(bench: Bench) -> None:
    network = bench.networks[0]
    print(f"\n| {network} | images a second | peak GiB |\n|---|---|---|")

    def tell(name: str, work: Callable[[], float]) -> None:
        with peak(bench) as most:
            print(f"| {name} | {work():,.0f} | {most()} |", flush=True)

    def sent() -> float:
        real, Compute.room = Compute.room, lambda self: 0  # type: ignore[method-assign]
        try:
            return our_epoch(bench, recipe(bench, network))
        finally:
            Compute.room = real  # type: ignore[method-assign]

    tell("training, images sent batch by batch from pinned memory", sent)
    tell("head on kept features", lambda: our_epoch(bench, recipe(bench, network, "0", 1)))
    tell("frozen layers, anew each epoch", lambda: our_epoch(bench, recipe(bench, network, "0", 0)))
    tell("prediction, 30 passes of MC dropout", lambda: passes(bench, network))


def passes(bench: Bench, network: str) -> float:
    plan = recipe(bench, network)
    compute = compute_for(plan.training)
    model = model_of(bench, plan, compute).eval()
    data = torch.from_numpy(material.images(bench.batch, bench.size).array).permute(0, 3, 1, 2)
    pixels, seconds = data.to(bench.device), []
    for _ in range(5):
        begin = time.perf_counter()
        score_pixels(model, pixels, plan.evaluate, compute)  # ends on the CPU
        seconds.append(time.perf_counter() - begin)
    return bench.batch / min(seconds)


def gan(bench: Bench) -> None:
    print("\n| cgan, step of | precision | steps a second | images a second | peak GiB |")
    print("|---|---|---|---|---|")
    for size in (64, 128, 256):
        for precision in ("float32", "bfloat16")[: 2 if bench.real else 1]:
            with peak(bench) as most:
                speed = gan_speed(bench, size, precision)
                print(f"| {size} px | {precision} | {speed:.2f} | {speed * bench.gan_batch:,.0f} "
                      f"| {most()} |", flush=True)  # fmt: skip


def gan_speed(bench: Bench, size: int, precision: Any) -> float:
    options = Cgan(batch=bench.gan_batch, channels=bench.width, precision=precision)
    networks = options.networks(size, 8, 0, bench.device)
    images = torch.rand(options.batch, 3, size, size, device=bench.device) * 2 - 1
    told = torch.eye(8, device=bench.device)[torch.arange(options.batch) % 8]
    real = RealBatch(images.contiguous(memory_format=torch.channels_last), told)
    for number in range(1, 3):
        networks.step(number, real)
    wait(bench)
    begin = time.perf_counter()
    for number in range(3, 3 + bench.steps):
        networks.step(number, real)
    wait(bench)
    return bench.steps / (time.perf_counter() - begin)


def card(bench: Bench) -> str:
    if not bench.real:
        return "a CPU, tiny sizes: a trial of the script, no figures"
    one = torch.cuda.get_device_properties(0)
    memory = one.total_memory / 2**30
    many = f", {torch.cuda.device_count()} of them" if torch.cuda.device_count() > 1 else ""
    return f"{one.name}, {memory:.0f} GiB{many}, CUDA {torch.version.cuda}"


def tests(bench: Bench) -> int:
    command = [sys.executable, "-m", "pytest", "-m", "gpu", "-q", "tests/engine", "tests/gan"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "LEUKREG_GPU": bench.device},
                          check=False).returncode  # fmt: skip


def main() -> int:
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    bench = CUDA if reader.parse_args().device == "cuda" else CPU
    if bench.real and not torch.cuda.is_available():
        print(f"torch {torch.__version__} sees no GPU here; --device cpu tries this without one")
        return 2
    code = tests(bench)
    print(f"\n### {card(bench)}, torch {torch.__version__}")
    lower = compute_for(TrainingSpec(precision="amp")).amp
    print(
        f"\n{bench.size} px, batches of {bench.batch}, {bench.images:,} images, the fastest of the"
    )
    print(f"epochs; amp is {lower}.")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["LEUKREG_CACHE"] = cache
        training(bench)
        the_rest(bench)
        gan(bench)
    return code


if __name__ == "__main__":
    sys.exit(main())
