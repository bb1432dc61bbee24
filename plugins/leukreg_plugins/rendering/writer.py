"""Write pictures to a folder, on all cores, so that a kill at any moment does no harm."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryFile

from leukreg import SILENT, DataError, Progress, write_file
from leukreg_plugins.rendering.photograph import render
from leukreg_plugins.rendering.smear import Shot

ALONE = 24
"""Up to so many pictures, starting workers costs more than it saves."""
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "536870912"}
"""glibc then keeps the pages of numpy's temporaries, which saves a fifth of the time."""
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
    workers = min(_cores(), len(pictures) // ALONE + 1)
    if workers == 1:
        for picture in pictures:
            write_picture(picture, root, size, seed)
            yield
        return
    job = {"root": str(root), "size": size, "seed": seed}
    shares = ([dataclasses.asdict(shot) for shot in pictures[n::workers]] for n in range(workers))
    yield from _in_processes([json.dumps(job | {"pictures": share}) for share in shares])


def _in_processes(jobs: Sequence[str]) -> Iterator[None]:
    # Not multiprocessing: forking beside torch's threads is unsafe, and spawning runs a user's
    # unguarded script again.
    command = [sys.executable, "-m", "leukreg_plugins.rendering.writer"]
    environment = {**os.environ, **KEEP_MEMORY}
    workers: list[subprocess.Popen[bytes]] = []
    ours, theirs = os.pipe()  # one for all workers: it ends when the last of them does
    with os.fdopen(ours) as told, os.fdopen(theirs, "w") as out, TemporaryFile("w+") as errors:
        try:
            for job in jobs:
                with TemporaryFile("w+") as given:
                    given.write(job)
                    given.seek(0)
                    workers.append(
                        subprocess.Popen(
                            command, stdin=given, stdout=out, stderr=errors, env=environment
                        )
                    )
            out.close()
            for _ in told:
                yield
            if status := next((worker.returncode for worker in workers if worker.wait()), 0):
                errors.seek(0)
                lines = errors.read().strip().splitlines()
                last_words = lines[-1] if lines else f"a worker ended with status {status}"
                raise DataError(f"rendering stopped: {last_words}")
        finally:
            for worker in workers:
                worker.kill()
                worker.wait()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return max(1, len(os.sched_getaffinity(0)))
    return os.cpu_count() or 1


def main() -> None:
    """A worker: render the pictures of a job on stdin, and tell of each by a line on stdout."""
    job = json.load(sys.stdin)
    for picture in job["pictures"]:
        write_picture(Shot(**picture), Path(job["root"]), job["size"], job["seed"])
        print(flush=True)


if __name__ == "__main__":
    main()
