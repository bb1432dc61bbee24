"""Train in child processes that are killed at random moments, until one ends by itself.

Forks, so that a child need not import torch again; prints how many were killed.
Usage: resume_script.py FOLDER SEED KILLS
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

import engine_fakes as fakes  # noqa: E402
import torch  # noqa: E402

from leukreg.engine import checkpoints  # noqa: E402
from leukreg.engine.training import train_fold  # noqa: E402


def main(folder: Path, seed: int, kills: int) -> None:
    torch.set_num_threads(1)
    checkpoints.EVERY = 0.01
    rng = random.Random(seed)
    recipe = fakes.long_recipe()
    killed = 0
    while True:
        child = os.fork()
        if child == 0:
            train_fold(recipe, fakes.LABELS, fakes.images(), fakes.fold(), folder)
            os._exit(0)
        if killed < kills:
            time.sleep(rng.uniform(0.05, 0.5))
            os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        if not os.WIFSIGNALED(status):
            break
        killed += 1
    print(killed, os.waitstatus_to_exitcode(status))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
