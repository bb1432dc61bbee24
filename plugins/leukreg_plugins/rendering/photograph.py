"""Photographs of fields: from densities through uneven light, focus and noise to files in a folder.

They are written on all cores, so that a kill at any moment does no harm.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from tempfile import TemporaryFile

import numpy as np
from numpy.typing import NDArray

from leukreg import SILENT, DataError, Progress, derive, write_file
from leukreg_plugins.rendering import painting
from leukreg_plugins.rendering.smear import (
    FIELD,
    Floats,
    Patient,
    Shot,
    draw_patient,
    draw_scene,
)

DARKEST = 14.0
"""Stray light: no pixel of a photograph through a microscope is black."""
BAR = (20, 20, 24)
ALONE = 24
"""Up to so many pictures, starting workers costs more than it saves."""
KEEP_MEMORY = {"MALLOC_MMAP_THRESHOLD_": "268435456", "MALLOC_TRIM_THRESHOLD_": "536870912"}
"""glibc then keeps the pages of numpy's temporaries, which saves a fifth of the time."""
DIGEST = 16
"""Bytes of a picture's digest, which no reader of JPEG looks at."""
COMMENT = b"Rendered by leukreg: not real cells."


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """How one picture of a scene was taken. A near duplicate differs in this alone."""

    seed: int
    """Of the noise."""
    lamp: int
    """Seed of the uneven light, which stays when the stage moves."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Of the stage, in field units."""
    gain: float
    blur: float
    """Out of focus, in field units, on top of the patient's."""
    scale_bar: bool


def render(shot: Shot, size: int, seed: int) -> NDArray[np.uint8]:
    """The picture, shape ``(size, size, 3)``, RGB, uint8."""
    patient, camera = draw_patient(seed, shot.patient), draw_camera(shot, seed)
    rng = np.random.default_rng(derive(seed, "scene", shot.folder, shot.scene))
    scene = draw_scene(rng, patient, shot.folder)
    scale = size / FIELD
    density = np.zeros((4, size, size), dtype=np.float32)
    canvas = painting.Canvas(density, rng, patient, scale)

    def seen(centres: Floats) -> Floats:
        shifted = (centres + np.array(camera.shift, dtype=np.float32)) * scale
        return np.asarray(shifted, dtype=np.float32)

    painting.paint_red_cells(canvas, seen(scene.red))
    if len(scene.smudges):
        painting.paint_smudges(canvas, seen(scene.smudges))
    painting.paint_lymphoid(canvas, seen(scene.lymphoid), scene.diameters * scale, scene.kinds)
    if len(scene.platelets):
        painting.paint_platelets(canvas, seen(scene.platelets))
    if len(scene.debris):
        painting.paint_debris(canvas, seen(scene.debris))
    shown = expose(density, patient, camera, scale)
    return _with_scale_bar(shown, patient.red_diameter, scale) if camera.scale_bar else shown


def draw_camera(shot: Shot, seed: int) -> Camera:
    """How a picture was taken; now and then out of focus or with a scale bar."""
    own = derive(seed, "camera", shot.folder, shot.scene)
    rng = np.random.default_rng(own)
    lost, barred, gain = rng.random() < 0.05, rng.random() < 0.03, rng.normal(1, 0.02)
    blur = rng.uniform(0.9, 1.9) if lost else 0.0
    lamp = derive(own, "lamp")
    camera = Camera(seed=own, lamp=lamp, gain=gain, blur=blur, scale_bar=barred)
    if shot.scene == shot.number:
        return camera
    # A near duplicate: the stage has moved a little, the noise is new.
    again = derive(seed, "camera", shot.folder, shot.number)
    rng = np.random.default_rng(again)
    x, y = rng.uniform(-1.1, 1.1, 2).tolist()
    return replace(camera, seed=again, shift=(x, y), gain=gain * rng.normal(1, 0.012))


def expose(density: Floats, patient: Patient, camera: Camera, scale: float) -> NDArray[np.uint8]:
    """The picture of ``density`` (shape ``(4, size, size)``), shape ``(size, size, 3)`` uint8."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(camera.seed)
    size = density.shape[1]
    light = _light(np.random.default_rng(camera.lamp), patient, size)
    focus = np.hypot(patient.blur * max(scale, 0.6), camera.blur * scale)
    picture = np.empty((3, size, size), dtype=np.float32)
    for channel, wider in enumerate((1.08, 1.0, 1.15)):  # longitudinal chromatic aberration
        # No matrix product: its rounding may depend on the number of threads.
        absorbers = patient.absorbers[:, channel]
        optical = sum(layer * a for layer, a in zip(density, absorbers, strict=True))
        passed = np.exp(np.negative(optical)) * light
        gaussian_filter(passed, focus * wider, output=picture[channel], truncate=2.5)
        picture[channel] *= (patient.light[channel] - DARKEST) * np.float32(camera.gain)
    picture += DARKEST
    shot = np.sqrt(picture * np.float32(patient.noise**2 / 200))
    picture += shot * rng.standard_normal(picture.shape, dtype=np.float32)
    shown = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return np.ascontiguousarray(shown.transpose(1, 2, 0))


def _light(rng: np.random.Generator, patient: Patient, size: int) -> Floats:
    """Relative brightness over the field: a slope and a vignette."""
    line = np.linspace(-1, 1, size, dtype=np.float32)
    angle = rng.uniform(0, 2 * np.pi)
    slope = float(np.cos(angle)) * line[None, :] + float(np.sin(angle)) * line[:, None]
    bowl = line[None, :] ** 2 + line[:, None] ** 2
    return np.asarray(1 + patient.uneven * (0.5 * slope - 0.45 * bowl), dtype=np.float32)


def _with_scale_bar(
    picture: NDArray[np.uint8], red_diameter: float, scale: float
) -> NDArray[np.uint8]:
    """Ten micrometres in the lower right corner; a red cell measures about 7.2."""
    from PIL import Image, ImageDraw, ImageFont

    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    size = picture.shape[0]
    length, thick = red_diameter * scale * 10 / 7.2, max(1, round(2 * scale))
    right, bottom = size - round(9 * scale), size - round(9 * scale)
    draw.rectangle((right - length, bottom - thick, right, bottom), fill=BAR)
    if scale >= 0.75:
        font = ImageFont.load_default(size=round(9 * scale))
        at = (right - length / 2, bottom - thick - round(2 * scale))
        draw.text(at, "10 um", fill=BAR, font=font, anchor="ms")
    return np.asarray(image)


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
    shares = ([asdict(shot) for shot in pictures[n::workers]] for n in range(workers))
    yield from _in_processes([json.dumps(job | {"pictures": share}) for share in shares])


def _in_processes(jobs: Sequence[str]) -> Iterator[None]:
    # Not multiprocessing: forking beside torch's threads is unsafe, and spawning runs a user's
    # unguarded script again.
    command = [sys.executable, "-m", "leukreg_plugins.rendering.photograph"]
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
