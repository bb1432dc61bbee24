"""Checkpoints of a fold: the last epoch's state and the best epoch's weights, nothing older."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from leukreg.engine.files import load, save
from leukreg.engine.outcome import ANEW, MODEL, OUTCOME, check_fingerprint
from leukreg.engine.state import FoldState, fold_state
from leukreg.errors import PluginFault, RunError
from leukreg.files import is_listed

LAST = "last.pt"
EVERY = 0.5
"""Seconds that lie between two checkpoints at least. Training goes on from the last one bit for
bit, so that an epoch of milliseconds need not wait for a disk; less than this is lost."""


@dataclass(slots=True)
class Checkpoints:
    """Reads and writes a fold's checkpoints.

    Only what training changes is written; frozen weights come from the plugin again, and
    :meth:`resume` makes sure that they are the same.
    """

    folder: Path
    fingerprint: str
    best: dict[str, Tensor] = field(default_factory=dict)
    """Weights of the present phase's best epoch."""
    _best_written: bool = True
    _written: float = 0.0

    @property
    def last_path(self) -> Path:
        return self.folder / LAST

    @property
    def best_path(self) -> Path:
        return self.folder / "best.pt"

    def keep_best(self, weights: dict[str, Tensor]) -> None:
        """Remember the best epoch's weights; they are written with the next checkpoint."""
        self.best = weights
        self._best_written = False

    def write(
        self, model: nn.Module, state: FoldState, parts: Mapping[str, Any], force: bool = False
    ) -> bool:
        """Write a checkpoint, unless one was written a moment ago; tells whether it did.

        The best weights go first: a kill between the two files leaves an older ``last.pt``, from
        which the same best weights are reached again.
        """
        if not force and time.monotonic() - self._written < EVERY:
            return False
        self.folder.mkdir(parents=True, exist_ok=True)
        if not self._best_written:
            save(self.best_path, {"fingerprint": self.fingerprint, "weights": self.best})
            self._best_written = True
        states = {name: part.state_dict() for name, part in parts.items()}
        content = {
            "fingerprint": self.fingerprint,
            "weights": touched_weights(model, state),
            "state": state.plain(),
            "parts": states,
        }
        save(self.last_path, content)
        if not self._written:
            self._check_readable(parts)
        self._written = time.monotonic()
        return True

    def resume(self, model: nn.Module, base: dict[str, str]) -> tuple[FoldState, dict[str, Any]]:
        """Put the last checkpoint into ``model``; the state and the parts' own states.

        ``base`` are the digests of the freshly built model; they are the state's if there is no
        checkpoint.

        Raises:
            RunError: The checkpoint is unreadable, belongs to another recipe, or the frozen
                weights are not those the run began with.
        """
        if not self.last_path.exists():
            return FoldState(base=base), {}
        content = self._load(self.last_path)
        state = fold_state(content["state"])
        changed = sorted(
            name for name in base if name not in state.touched and base[name] != state.base[name]
        )
        if changed:
            raise RunError(
                f"{self.last_path}: the frozen weights are not those this run began with "
                f"({changed[0]} and {len(changed) - 1} more differ); use the same weights again, "
                "or delete this fold's folder to train it anew"
            )
        model.load_state_dict(content["weights"], strict=False)
        if state.phase is not None and state.phase.best_epoch:
            self.best = self._load(self.best_path)["weights"]
        return state, content["parts"]

    def remove(self) -> None:
        """Remove the checkpoints of a fold that is done."""
        for path in self.folder.glob("features-*.bin"):
            path.unlink(missing_ok=True)
        self.best_path.unlink(missing_ok=True)
        self.last_path.unlink(missing_ok=True)

    def _load(self, path: Path) -> dict[str, Any]:
        content = load(path, ANEW)
        check_fingerprint(path, content.get("fingerprint"), self.fingerprint)
        return content

    def _check_readable(self, parts: Mapping[str, Any]) -> None:
        """The first checkpoint is read back: a plugin's own state may hold unsafe objects."""
        try:
            load(self.last_path, ANEW)
        except RunError as error:
            names = ", ".join(sorted(parts))
            raise PluginFault(
                f"the state of {names} holds objects that are not safe to load from a file; its "
                "state_dict must hold plain values and tensors only"
            ) from error


def lost(folder: Path) -> str | None:
    """The file without which a fold that had begun is trained anew; None where nothing is lost."""
    there = {name for name in (OUTCOME, MODEL, LAST) if (folder / name).exists()}
    if LAST in there or {OUTCOME, MODEL} <= there:
        return None
    ways = (OUTCOME, MODEL) if is_listed(folder / OUTCOME) else (LAST,)
    return next((n for n in ways if n not in there and is_listed(folder / n)), None)


def touched_weights(model: nn.Module, state: FoldState) -> dict[str, Tensor]:
    """What training may have changed, by name in the state dict."""
    return {name: value for name, value in model.state_dict().items() if name in state.touched}


def copied(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights in memory of their own."""
    return {name: value.detach().clone() for name, value in weights.items()}
