"""Files that are whole or absent, and known again: the one way in which leukreg writes.

A file is written beside its place and then moved there. One that is *listed* gets a line in the
``checksums.txt`` of its folder before it is moved, and is held against it when it is read. Every
line of a name counts: after a kill between line and move the old file is as good as the new one.
The lines are those of ``sha256sum``, which can check a finished folder too.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from leukreg.errors import DataError, RunError, WriteError

if TYPE_CHECKING:
    import hashlib
    from pathlib import Path
    from typing import BinaryIO


CHECKSUMS = "checksums.txt"
ADVICE = "put it back from a copy, or make it again"
OF_RUN = "put it back from a copy of the run folder, or run the recipe again"
"""What to do where a file of a run is damaged."""
ERRORS = "surrogatepass"
"""File names that are no UTF-8 reach us as lone surrogates; they are kept."""
_LINE = re.compile(r"([0-9a-f]{64})  (.+)")
_PART = re.compile(r"\.(.+)\.([1-9][0-9]{0,8})\.part", re.DOTALL)


class _Hashed:
    """A file to write to, which hashes what goes through it and remembers why it could not.

    Nothing is raised in the middle: torch ends the whole process where a file that it writes fails.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.file = file
        self.state = _state()
        self.error: OSError | None = None

    def write(self, data: bytes | memoryview) -> int:
        if self.error is None:
            try:
                self.file.write(data)
            except OSError as error:
                self.error = error
            self.state.update(data)
        return len(data)

    def flush(self) -> None:
        """Its owner flushes it."""


def write_file(path: Path, data: bytes, listed: bool = False, sync: bool = True) -> None:
    """Write a file in one step: a reader sees the old file or the new one, never a part.

    Args:
        path: The file; its folder must be there.
        data: All of it.
        listed: Note its checksum in the folder, which must then be leukreg's own.
        sync: Wait for the disk, and remove what killed processes left of this very file. Without
            it many small files are written fast, whose digests are kept elsewhere.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    write_stream(path, lambda file: file.write(data), listed, sync)


def write_text(path: Path, text: str, listed: bool = False) -> None:
    """The same for text, as UTF-8."""
    write_file(path, text.encode("utf-8", ERRORS), listed)


def write_stream(
    path: Path, fill: Callable[[BinaryIO], object], listed: bool = False, sync: bool = True
) -> None:
    """The same for what is written bit by bit, front to back, by ``fill``."""
    temporary = part(path)
    if sync:
        clear_leftovers(path.parent, path.name)
    try:
        with temporary.open("wb") as file:
            hashed = _Hashed(file)
            fill(hashed)  # type: ignore[arg-type]
            if hashed.error is not None:
                raise hashed.error
            file.flush()
            if sync:
                os.fsync(file.fileno())
        if listed:
            _append(path.parent / CHECKSUMS, hashed.state.hexdigest(), path.name)
        temporary.replace(path)
    except OSError as error:
        _discard(temporary)
        raise unwritable(path, error) from error
    except BaseException:
        _discard(temporary)
        raise


def _discard(temporary: Path) -> None:
    with suppress(OSError):
        temporary.unlink(missing_ok=True)


def write_together(contents: Mapping[Path, bytes]) -> None:
    """Write several files, their folders where they are absent.

    The last step moves one after the other: after a kill there, :func:`left_behind` tells of those
    that are not in place.

    Raises:
        WriteError: The disk is full, or a folder cannot be written; nothing is written then.
    """
    try:
        for path, data in contents.items():
            with writable(path):
                path.parent.mkdir(parents=True, exist_ok=True)
                clear_leftovers(path.parent, path.name)
                with part(path).open("wb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
        for path in contents:
            with writable(path):
                part(path).replace(path)
    finally:
        for path in contents:
            _discard(part(path))


def unwritable(path: Path, error: OSError) -> WriteError:
    """What to say of a file or folder that cannot be written."""
    import errno

    full = error.errno in (errno.ENOSPC, errno.EDQUOT)
    way = "; make room there, then do the same again" if full else ""
    return WriteError(f"{path} cannot be written: {error.strerror or error}{way}")


def check_file(path: Path, advice: str = ADVICE) -> None:
    """Hold a file against its checksum; one that has none is taken as it is.

    Args:
        path: The file. Its checksum stands in its own folder, or in the one above.
        advice: What to do where it is damaged.

    Raises:
        RunError: The file is missing, cannot be read, or is not as it was written.
    """
    known = _known(path)
    with _readable(path, advice):
        found = digest(path) if known else str(path.stat())
    if known and found not in known:
        raise RunError(f"{path} is damaged: it is not as leukreg wrote it; {advice}")


def read_file(path: Path, advice: str = ADVICE) -> bytes:
    """The bytes of a file, held against its checksum.

    Raises:
        RunError: As :func:`check_file`.
    """
    known = _known(path)
    with _readable(path, advice):
        data = path.read_bytes()
    if known and digest_of(data) not in known:
        raise RunError(f"{path} is damaged: it is not as leukreg wrote it; {advice}")
    return data


@contextmanager
def _readable(path: Path, advice: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise RunError(f"{path} is missing; {advice}") from error
    except OSError as error:
        raise RunError(f"{path} cannot be read ({error.strerror or error}); {advice}") from error


def is_listed(path: Path) -> bool:
    """Whether the file was once written with a checksum."""
    return bool(_known(path))


def settle(folder: Path, below: Iterable[Path] = (), but: Collection[str] = ()) -> str:
    """Bring ``checksums.txt`` of a folder that is done to one line per file; its own digest.

    Args:
        folder: Only this process may be writing it.
        below: Folders in it whose files are taken in, with the name of their folder.
        but: Files of it that are not listed.

    Raises:
        WriteError: It cannot be written.
    """
    lines = [(known, name) for known, name in _settled(folder) if name not in but]
    for inner in below:
        lines += [(known, f"{inner.name}/{name}") for known, name in _settled(inner)]
    text = "".join(f"{known}  {name}\n" for known, name in lines)
    write_text(folder / CHECKSUMS, text)
    return digest_of(text.encode("utf-8", ERRORS))


def digest(path: Path) -> str:
    """Digest of a file's bytes: SHA-256, which today's processors have instructions for."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, _state).hexdigest()


def digest_of(data: bytes) -> str:
    state = _state()
    state.update(data)
    return state.hexdigest()


def part(path: Path) -> Path:
    """Where this process makes what is to be moved to ``path``: a file or a folder."""
    return path.with_name(f".{path.name}.{os.getpid()}.part")


def clear_leftovers(folder: Path, name: str | None = None) -> None:
    """Remove what killed processes were making in ``folder``; those that live keep theirs.

    Args:
        folder: Looked at itself, not what is below it.
        name: Only what was to become this; else whatever it was.
    """
    with suppress(OSError):
        for path in [*folder.iterdir()]:
            found = _PART.fullmatch(path.name)
            if found and name in (None, found[1]) and is_gone(int(found[2])):
                _remove(path)


def left_behind(path: Path) -> bool:
    """Whether a killed process was making ``path``."""
    with suppress(OSError):
        parts = [_PART.fullmatch(other.name) for other in path.parent.iterdir()]
        return any(one and one[1] == path.name and is_gone(int(one[2])) for one in parts)
    return False


@contextmanager
def writable(path: Path) -> Iterator[None]:
    """Say of an operating system's error that it was about writing ``path``."""
    try:
        yield
    except OSError as error:
        raise unwritable(path, error) from error


def reserve(path: Path, size: int) -> None:
    """A new file of so many bytes, to be mapped: one that outgrows its disk ends the process.

    Raises:
        WriteError: The disk is full, or the folder cannot be written.
    """
    import errno

    with writable(path), path.open("wb") as file:
        file.truncate(size)
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except AttributeError:  # not on every system
            return
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise


def _state() -> hashlib._Hash:
    import hashlib

    return hashlib.sha256()


def _append(sums: Path, known: str, name: str) -> None:
    """One line more, whole even after a line that a full disk cut."""
    with sums.open("ab+") as file:
        end = file.seek(0, os.SEEK_END)
        file.seek(max(end - 1, 0))
        cut = end and file.read(1) != b"\n"
        file.write(b"\n" * bool(cut) + f"{known}  {name}\n".encode("utf-8", ERRORS))
        file.flush()
        os.fsync(file.fileno())


def _lines(folder: Path) -> list[tuple[str, str]]:
    """Checksum and name, as often as they were noted."""
    try:
        text = (folder / CHECKSUMS).read_bytes().decode("utf-8", "replace")
    except OSError:
        return []
    found = map(_LINE.fullmatch, text.split("\n"))
    return [(line[1], line[2]) for line in found if line]


def _known(path: Path) -> set[str]:
    above = f"{path.parent.name}/{path.name}"
    own = {known for known, name in _lines(path.parent) if name == path.name}
    return own | {known for known, name in _lines(path.parent.parent) if name == above}


def _settled(folder: Path) -> Iterator[tuple[str, str]]:
    last = {name: known for known, name in _lines(folder)}
    for path in sorted(folder.iterdir()):
        if path.is_file() and not path.name.startswith(".") and path.name != CHECKSUMS:
            yield last.get(path.name) or digest(path), path.name


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def is_gone(process: int) -> bool:
    """Whether there is no such process; False where that cannot be told."""
    if sys.platform == "win32":  # a signal ends the process there, 0 too
        return False
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    except OSError:  # it is another user's
        return False
    return False


def load_tensors(path: Path, device: str = "cpu", advice: str = "") -> Any:
    """What ``torch.save`` wrote: tensors and plain values, never code.

    Args:
        advice: What to do where it is damaged, for the end of the message.

    Raises:
        DataError: It is no such file; torch's own words advise to run whatever stands in it.
        RunError: It is missing, or not as leukreg wrote it.
    """
    import pickle
    import warnings

    import torch

    check_file(path, advice or ADVICE)
    advice = f"; {advice}" if advice else ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch's remarks on a file that it then refuses
            return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        what = "is damaged, or holds more than tensors, which leukreg does not load"
        raise DataError(f"{path}: {what}{advice}") from error
    except (OSError, MemoryError):
        raise
    except Exception as error:  # unpickling damaged bytes may raise anything
        raise DataError(f"{path}: is damaged, or holds no tensors{advice}") from error
