"""Train a fold in processes that share its batches, and predict all images.

Forks, so that torch is imported once. Usage: devices_script.py FOLDER COUNT [NAME...]
"""

from __future__ import annotations

import os
import socket
import sys
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import engine_fakes as fakes  # noqa: E402
import numpy as np  # noqa: E402
import torch  # noqa: E402

from leukreg.engine.distributed import leads, together  # noqa: E402
from leukreg.engine.inference import predict_rows  # noqa: E402
from leukreg.engine.training import train_fold  # noqa: E402
from leukreg.recipe.model import Recipe  # noqa: E402
from leukreg.registry.plugin_call import Choice  # noqa: E402


def recipe(name: str) -> Recipe:
    """The head on kept features, or the whole network, on mixed images too.

    Nothing drops out, since each process draws masks of its own. The last of 23 + 2 images are too
    few for two.
    """
    head = fakes.choice("head", lambda channels, labels: fakes.head(channels, labels, 0.0), "mlp")
    phases = {
        "frozen": (fakes.phase("head", epochs=3, optimizer=sgd()),),
        "whole": (
            fakes.phase("all", unfreeze="all", epochs=2, optimizer=sgd(), ema=0.5, clip_norm=1.0),
            fakes.phase("mixed", unfreeze=2, epochs=2, optimizer=sgd(), mixup=0.4),
        ),
    }
    plan = fakes.recipe(
        *phases[name],
        model=fakes.model(head=head),
        augmentation=fakes.choice("augmentation", lambda image: fakes.noise_there, "noise"),
    )
    size, batches = (23, 1) if name == "frozen" else (8, 2)
    keys = {"device": os.environ.get("LEUKREG_GPU", "cpu"), "precision": "fp32"}
    return fakes.training(plan, sync_batchnorm=True, batch_size=size, accumulate=batches, **keys)


def sgd() -> Choice:
    return fakes.choice("optimizer", lambda groups: torch.optim.SGD(groups, lr=0.02), "sgd")


def work(folder: Path, name: str) -> None:
    """Leaves the fold's files and ``predictions.npy`` in ``folder``."""
    plan, images = recipe(name), fakes.images()
    with together(plan.training):
        done = train_fold(plan, fakes.LABELS, images, fakes.fold(), folder)
        found = predict_rows(plan, fakes.LABELS, done.model, images, range(len(images)), 1)
        if leads():
            np.save(folder / "predictions.npy", found.probabilities)


def main(folder: Path, count: int, names: list[str]) -> None:
    torch.set_num_threads(1)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": str(count)}
    children = []
    for number in range(count):
        child = os.fork()
        if child == 0:
            os.environ.update(common, RANK=str(number), LOCAL_RANK=str(number))
            for name in names:
                work(folder / name, name)
            os._exit(0)
        children.append(child)
    sys.exit(max(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:])
