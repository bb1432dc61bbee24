"""The checkpoint of a training: the last state and the best snapshot, nothing older."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from leukreg import DataError, check_file, load_tensors, sweep, write_file
from leukreg_gan.parts import Parts
from leukreg_gan.state import State, state_of

ANEW = "delete it to train the generator anew"
EVERY = 60.0
"""Seconds that lie between two checkpoints at least: what a kill can cost of the GAN's steps.

The teaching of the feature network before them is kept as a whole, or begins anew.
"""


@dataclass(slots=True)
class Checkpoint:
    """Reads and writes ``last.pt`` in the folder of a training."""

    path: Path
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights of the best snapshot, batch-norm statistics with them."""
    written: float = field(default_factory=time.monotonic)

    def save(self, parts: Parts, state: State, force: bool = False) -> bool:
        """Write everything into one file, unless that was done a moment ago; tells whether it did.

        Raises:
            WriteError: The disk is full.
        """
        if not force and time.monotonic() - self.written < EVERY:
            return False
        data = io.BytesIO()
        torch.save({"parts": parts.state_dict(), "state": state.plain(), "best": self.best}, data)
        self.path.parent.mkdir(parents=True, exist_ok=True)  # the cache may have been cleared
        write_file(self.path, data.getvalue(), listed=True)
        self.written = time.monotonic()
        return True

    def resume(self, parts: Parts, device: str) -> State:
        """Put the checkpoint into ``parts``; a fresh state where there is none.

        Raises:
            LeukregError: The file is damaged.
        """
        if not self.path.exists():
            return State()
        check_file(self.path, ANEW)
        try:
            content: dict[str, Any] = load_tensors(self.path, device)
            parts.load_state_dict(content["parts"])
            self.best = {name: value.cpu() for name, value in content["best"].items()}
            return state_of(content["state"])
        except DataError as error:
            raise DataError(f"{error}; {ANEW}") from error
        except (RuntimeError, ValueError, KeyError, TypeError) as error:
            reason = str(error).partition("\n")[0]
            raise DataError(f"{self.path} is damaged ({reason}); {ANEW}") from error

    def remove(self) -> None:
        """Let it go, once the trained generator is written; what kills left behind goes too."""
        self.path.unlink(missing_ok=True)
        sweep(self.path.parent)
