"""Train in child processes that are killed at random moments, until one ends by itself.

Forks, so that a child need not import torch again; prints how many were killed.
Usage: kill_script.py FOLDER KILLS
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

warnings.simplefilter("ignore")

import torch  # noqa: E402
from leukreg_gan import cgan_training, training  # noqa: E402
from leukreg_gan.training import train  # noqa: E402
from test_training import job  # noqa: E402

from leukreg import SILENT, kid  # noqa: E402, F401


def main(folder: Path, kills: int) -> None:
    torch.set_num_threads(1)
    training.EVERY = 0.01
    cgan_training.SETTLING = 2  # as in the tests
    rng = random.Random(1)
    killed = 0
    while True:
        child = os.fork()
        if child == 0:
            weights, _ = train(job(folder, steps=30, snapshot_every=8), SILENT)
            torch.save(weights, folder / "weights.pt")
            os._exit(0)
        if killed < kills:
            time.sleep(rng.uniform(0.1, 0.6))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        killed += 1
    print(killed, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
