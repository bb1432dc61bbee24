"""Write pictures to a folder, on all cores, so that a kill at any moment does no harm."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from leukreg import SILENT, DataError, Progress, write_file
from leukreg_plugins.rendering.photograph import render
from leukreg_plugins.rendering.smear import Shot

ALONE = 24
"""Up to so many pictures, starting workers costs more than it saves."""
DIGEST = 16
"""Bytes of a picture's digest, which no reader of JPEG looks at."""
COMMENT = b"Rendered by leukreg: not real cells."


def renderer_version() -> str:
    """Digest of the renderer's own source, so that a cache made by another one is never used."""
    state = hashlib.blake2b(digest_size=8)
    for path in sorted(Path(__file__).parent.glob("*.py")):
        state.update(path.read_bytes())
    return state.hexdigest()


def write_pictures(
    pictures: Sequence[Shot],
    folders: Iterable[str],
    root: Path,
    size: int,
    seed: int,
    progress: Progress = SILENT,
) -> None:
    """Render what is not yet below ``root``, each file atomically, as JPEG.

    Args:
        folders: Made below ``root`` even where no picture goes into one.

    Raises:
        DataError: The folder cannot be written, or a worker failed.
    """
    try:
        for folder in folders:
            (root / folder).mkdir(parents=True, exist_ok=True)
        missing = [picture for picture in pictures if not _written(root, picture)]
        if not missing:
            return
        with progress.task("Rendering cells", len(missing)) as advance:
            for _ in _work(missing, root, size, seed):
                advance()
    except OSError as error:
        raise DataError(f"{root} cannot be written: {error.strerror or error}") from error


def write_picture(picture: Shot, root: Path, size: int, seed: int) -> None:
    """Render one picture and put it in its place."""
    from PIL import Image

    data = io.BytesIO()
    image = Image.fromarray(render(picture, size, seed))
    image.save(data, "JPEG", quality=93, subsampling=0, comment=COMMENT)
    target = root / picture.folder / picture.file
    target.parent.mkdir(parents=True, exist_ok=True)  # the cache may have been cleared meanwhile
    # Thousands, which can be rendered again.
    write_file(target, data.getvalue() + _digest(data.getvalue()), sync=False)


def _written(root: Path, picture: Shot) -> bool:
    """Whether the picture is there as it was written: its digest stands behind its end."""
    try:
        data = (root / picture.folder / picture.file).read_bytes()
    except OSError:
        return False
    return data[-DIGEST:] == _digest(data[:-DIGEST])


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=DIGEST).digest()


def _work(pictures: Sequence[Shot], root: Path, size: int, seed: int) -> Iterator[None]:
    """Yield once per picture that is written."""
    from joblib import Parallel, delayed, parallel_config

    # loky's workers: forking beside torch's threads is unsafe, and processes that the standard
    # library spawns run a user's unguarded script again. Idle ones end by themselves.
    workers = min(_cores(), len(pictures) // ALONE + 1)
    jobs = (delayed(write_picture)(picture, root, size, seed) for picture in pictures)
    try:
        with parallel_config("loky", n_jobs=workers, idle_worker_timeout=10):
            yield from Parallel(return_as="generator_unordered")(jobs)
    except BrokenProcessPool as error:
        raise DataError(f"rendering stopped: {str(error).splitlines()[0]}") from error


def _cores() -> int:
    from joblib import cpu_count

    return int(cpu_count())
