"""One photograph of a field: from densities through uneven light, focus and sensor noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukreg import derive
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
