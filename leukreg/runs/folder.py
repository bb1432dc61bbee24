"""The run folder while it is written."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from leukreg.errors import LeukregError, PluginFault, RunError
from leukreg.files import CHECKSUMS, clear_leftovers, settle, write_file
from leukreg.output_folder import new_folder
from leukreg.progress import Progress
from leukreg.record import Digests, RunRecord
from leukreg.registry.plugin_call import LOG, is_outer, log_file
from leukreg.runs import codec, contents
from leukreg.runs.environment import data_digest, environment
from leukreg.runs.status import FILE as STATUS
from leukreg.runs.status import (
    Status,
    begun,
    lock_folder,
    now,
    read_status,
    write_failed,
    write_status,
)
from leukreg.types import Notice

if TYPE_CHECKING:
    from filelock import BaseFileLock

    from leukreg.recipe.model import Recipe

FOLDS = "fold-*"
LISTED = frozenset({".csv", ".json", ".pt"})
"""Endings of a fold's files that have checksums."""
TRACEBACK = "traceback.txt"
"""What plugins, or leukreg, raised while the folder was last written; absent where nothing did."""


class RunFolder:
    """A run folder that this process alone may write, as a context manager.

    Leaving the context with an error marks the run as failed, with the error; every file is
    written whole or not at all.
    """

    def __init__(self, path: Path, lock: BaseFileLock | None = None) -> None:
        self.path = path
        self._lock = lock
        self._began = time.monotonic()
        self._before = 0.0
        self._log = log_file(path / TRACEBACK, "w")

    def read_json(self, name: str) -> Any:
        return codec.read_json(self.path / name)

    def write_json(self, name: str, data: Any) -> None:
        codec.write_json(self.path / name, data, listed=True)

    @classmethod
    def create(
        cls,
        root: Path,
        recipe: Recipe,
        notices: tuple[Notice, ...] = (),
        sweep: str = "",
        of: str = "",
    ) -> RunFolder:
        """Make a new folder below ``root``, named by recipe and time; never one that exists.

        It appears with its first files in it, so that a kill leaves a run that can be resumed, or
        none.

        Args:
            sweep: The sweep it belongs to, and ``of`` its name then.

        Raises:
            RunError: ``root`` is no folder.
            WriteError: ``root`` cannot be written.
        """
        path = root / of if sweep else new_path(root, recipe.name)
        with new_folder(path) as place:
            cls(place)._begin(recipe, notices, sweep)
        return cls(path, lock_folder(path))

    @classmethod
    def made(cls, root: Path, recipe: Recipe, result: RunRecord) -> RunRecord:
        """A new folder of a result that is there already: it appears finished, or not at all.

        Raises:
            RunError, WriteError: As :meth:`create`.
        """
        path = new_path(root, recipe.name)
        with new_folder(path) as place:
            folder = cls(place)
            folder._begin(recipe, result.notices)
            kept = folder.keep(result)
        return replace(kept, folder=path, name=path.name)

    def _begin(self, recipe: Recipe, notices: tuple[Notice, ...], sweep: str = "") -> None:
        write_status(self.path, begun(recipe.name, _overrides(recipe), sweep))
        if recipe.path is not None and recipe.path.is_file():
            write_file(self.path / "recipe.toml", recipe.path.read_bytes(), listed=True)
        self.write_json("recipe.json", recipe.resolved)
        self.write_json("environment.json", environment())
        self.write_json("notices.json", notices)

    @classmethod
    def open(cls, path: Path) -> RunFolder:
        """Take up a folder again, to resume its run; what a kill left in it is removed.

        Raises:
            RunError: It is no run folder, or another process writes it.
        """
        if not (path / STATUS).is_file():
            raise RunError(f"{path} is no run folder (it has no {STATUS})")
        folder = cls(path, lock_folder(path))
        try:
            folder._take_up(read_status(path))
        except BaseException:
            folder.close()
            raise
        return folder

    def _take_up(self, status: Status) -> None:
        for place in (self.path, *self.path.glob(FOLDS)):
            clear_leftovers(place)
        self._before = status.seconds
        if status.state == "finished":
            self._drop_lists()
            return
        running = begun(status.recipe, status.overrides, status.sweep)
        kept = {"started": status.started, "seconds": status.seconds, "mended": status.mended}
        write_status(self.path, replace(running, **kept))  # type: ignore[arg-type]
        self._note_unchecked()
        try:
            self.read_json("environment.json")
        except RunError:
            self.write_json("environment.json", environment())
            self.mend("environment.json was missing or damaged: it tells of the resumed stretch.")

    def _note_unchecked(self) -> None:
        """Version 0.1 wrote no checksums; from then on it is a loss."""
        for place in (self.path, *sorted(self.path.glob(FOLDS))):
            sums, files = place / CHECKSUMS, (path.suffix for path in place.iterdir())
            if not sums.is_file() and not LISTED.isdisjoint(files):
                name = sums.relative_to(self.path).as_posix()
                self.mend(f"{name} was missing: the files beside it were taken unchecked.")

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def seconds(self) -> float:
        """Working time so far, earlier stretches included."""
        return self._before + time.monotonic() - self._began

    def status(self) -> Status:
        return read_status(self.path)

    def count(self, seconds: float) -> None:
        """Take what others worked for the run as its working time since it was last counted."""
        self._before, self._began = self._before + seconds, time.monotonic()

    def close(self) -> None:
        """Let other processes write the folder."""
        if self._lock is not None:
            self._lock.release()

    def __enter__(self) -> RunFolder:
        LOG.addHandler(self._log)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if isinstance(error, Exception):
                self.fail(error)
                self._keep_traceback(error)
            elif error is not None:  # interrupted, not failed
                with suppress(LeukregError):
                    self.checkpoint_time()
        finally:
            LOG.removeHandler(self._log)
            self._log.close()
            self.close()

    def _keep_traceback(self, error: Exception) -> None:
        """For an error that somebody must mend in code, and its reader is told where it lies."""
        told = isinstance(error, LeukregError) and not isinstance(error, PluginFault)
        if told or is_outer(error):
            return
        LOG.error("%s", _named(error), exc_info=error)
        error.add_note(str(self.path / TRACEBACK))

    def fail(self, error: Exception | str) -> None:
        """Mark the run as failed, unless it has finished; it may be resumed.

        A disk that is full, or a status that cannot be read, is no reason to hide the error.
        """
        text = str(error) if isinstance(error, LeukregError | str) else _named(error)
        with suppress(LeukregError):
            status = self.status()
            if status.state != "finished":
                write_failed(self.path, self._ended(status, state="failed", error=text))

    def stop(self, why: str) -> None:
        """Mark the run as stopped by its search."""
        write_status(self.path, self._ended(self.status(), state="stopped", error=why))

    def finish(self) -> None:
        """List the checksums of all files, and mark the run as finished."""
        if self._log.stream is None:  # what an earlier, failed attempt left
            (self.path / TRACEBACK).unlink(missing_ok=True)
        folds = sorted(self.path.glob(FOLDS))
        sums = settle(self.path, folds, but=(STATUS, TRACEBACK))
        done = self._ended(self.status(), state="finished", error=None, checksums=sums)
        write_status(self.path, done)
        self._drop_lists()

    def _drop_lists(self) -> None:
        """Remove the folds' lists of checksums: a finished run's own names their files."""
        for fold in self.path.glob(FOLDS):
            (fold / CHECKSUMS).unlink(missing_ok=True)

    def mend(self, what: str) -> None:
        """Note what was damaged and is made again, for the report."""
        status = self.status()
        if what not in status.mended:
            write_status(self.path, replace(status, mended=(*status.mended, what)))

    def say_lost(self, place: Path, progress: Progress) -> None:
        """A fold that had begun is not trained anew without a word; its old predictions go."""
        from leukreg.engine.checkpoints import lost

        name = lost(place)
        if name is None:
            return
        # Another model's, where it is not a CPU's.
        for table in ("predictions.csv", "validation.csv", "patients.json"):
            (place / table).unlink(missing_ok=True)
        text = f"{place.name}/{name} was missing, although this fold had begun: it is trained anew."
        self.mend(text)
        progress.say(f"! {text}")

    def checkpoint_time(self) -> None:
        """Note the working time so far, so that a killed run does not lose it."""
        write_status(self.path, replace(self.status(), seconds=self.seconds))

    def _ended(self, status: Status, **changes: Any) -> Status:
        return replace(status, ended=now(), seconds=self.seconds, **changes)

    def refuse_changed(self, record: RunRecord) -> None:
        """A resumed run goes on with the data it began with, or not at all.

        Raises:
            RunError: The data have changed.
        """
        path = self.path / "digests.json"
        if not path.is_file():
            return
        try:
            kept = codec.parse(path, Digests).data
        except RunError:  # every trained fold is held against its images all the same
            path.unlink()
            self.mend("digests.json was damaged: it tells of the resumed stretch.")
            return
        if kept not in ("", data_digest(record.samples, record.pixels)):
            raise RunError(
                f"{self.path}: the data have changed since this run began; start a new run"
            )

    def keep_data(self, record: RunRecord) -> None:
        """Everything the data say of themselves, and how they were split."""
        contents.write_data(self.path, record)
        data = data_digest(record.samples, record.pixels)
        self._write_digests(replace(record.digests, data=data))

    def keep(self, record: RunRecord) -> RunRecord:
        """Write everything of a record and mark the run as finished.

        It comes back with this folder's path, name and working time, and all digests, equal to what
        :func:`leukreg.runs.read` gives.
        """
        contents.write_record(self.path, record)
        digests = self._write_digests(record.digests)
        self.finish()
        seconds = self.status().seconds
        return replace(record, folder=self.path, name=self.name, digests=digests, seconds=seconds)

    def _write_digests(self, digests: Digests) -> Digests:
        """What the file holds already of others stays."""
        file = self.path / "digests.json"
        before = codec.read_json(file) if file.is_file() else {}
        known = {name: value for name, value in codec.plain(digests).items() if value}
        self.write_json(file.name, {**before, **known})
        return codec.parse(file, Digests)


class FoldFolder(RunFolder):
    """A run folder as a worker has it, who writes nothing of it but folds.

    The run itself is written by whoever holds its lock, who tells it what was mended.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.mended: list[str] = []

    def mend(self, what: str) -> None:
        self.mended.append(what)

    def keep_data(self, record: RunRecord) -> None:
        return None

    def checkpoint_time(self) -> None:
        return None


@contextmanager
def shared(recipe: Recipe, folder: Callable[[], RunFolder]) -> Iterator[RunFolder]:
    """A run's folder while its recipe is trained: with the processes beside this one, if any, that
    train on other devices. They have it as a sweep's workers do.

    Args:
        folder: Makes or opens it.
    """
    from leukreg.engine.distributed import agreed, leads, together

    with together(recipe.training):
        if not leads():
            yield FoldFolder(agreed(Path()))
            return
        with folder() as opened:
            agreed(opened.path)
            yield opened


def _overrides(recipe: Recipe) -> tuple[str, ...]:
    """Keys that ``--set`` stated."""
    return tuple(sorted(k for k, mark in recipe.where.items() if mark.file.startswith("--set ")))


def _named(error: BaseException) -> str:
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def new_path(root: Path, recipe: str) -> Path:
    """A folder that is not there yet, named by recipe or sweep and time.

    Raises:
        RunError: ``root`` is no folder.
    """
    if root.exists() and not root.is_dir():
        raise RunError(f"{root} is a file, not a folder for runs")
    clear_leftovers(root)
    stem = re.sub(r"[^\w.-]+", "_", recipe).strip("._-")[:60] or "run"
    stamp = datetime.now().strftime("%Y%m%d-%H%M%S")
    return root / f"{stem}-{stamp}-{secrets.token_hex(2)}"
