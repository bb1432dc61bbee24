"""One picture of one field."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from leukreg import derive
from leukreg_plugins.rendering.litter import paint_debris, paint_platelets, paint_smudges
from leukreg_plugins.rendering.lymphoid import paint_lymphoid
from leukreg_plugins.rendering.optics import draw_camera, expose, taken_again
from leukreg_plugins.rendering.patients import draw_patient
from leukreg_plugins.rendering.red_cells import paint_red_cells
from leukreg_plugins.rendering.scene import FIELD, draw_scene
from leukreg_plugins.rendering.shapes import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """What fixes a picture to the last bit, together with the seed and the size."""

    folder: str
    file: str
    patient: str
    number: int
    """From 1, within the folder."""
    scene: int
    """Number of the scene; differs from ``number`` where the picture is a near copy."""


def render(picture: Picture, size: int, seed: int) -> NDArray[np.uint8]:
    """The picture, shape ``(size, size, 3)``, RGB, uint8."""
    patient = draw_patient(seed, picture.patient)
    rng = np.random.default_rng(derive(seed, "scene", picture.folder, picture.scene))
    camera = draw_camera(derive(seed, "camera", picture.folder, picture.scene))
    if picture.scene != picture.number:
        camera = taken_again(camera, derive(seed, "camera", picture.folder, picture.number))
    scene = draw_scene(rng, patient, picture.folder)
    scale = size / FIELD
    density = np.zeros((4, size, size), dtype=np.float32)

    def seen(centres: Floats) -> Floats:
        return np.asarray(
            (centres + np.array(camera.shift, dtype=np.float32)) * scale, dtype=np.float32
        )

    paint_red_cells(density, rng, seen(scene.red), patient, scale)
    paint_smudges(density, rng, seen(scene.smudges), patient.red_diameter * scale, scale)
    paint_lymphoid(
        density, rng, seen(scene.lymphoid), scene.diameters * scale, scene.kinds, patient, scale
    )
    paint_platelets(density, rng, seen(scene.platelets), patient.red_diameter * scale, scale)
    paint_debris(density, rng, seen(scene.debris), scale)
    shown = expose(density, patient, camera, scale)
    return _with_scale_bar(shown, patient.red_diameter, scale) if camera.scale_bar else shown


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
    draw.rectangle((right - length, bottom - thick, right, bottom), fill=(20, 20, 24))
    if scale >= 0.75:
        font = ImageFont.load_default(size=round(9 * scale))
        at = (right - length / 2, bottom - thick - round(2 * scale))
        draw.text(at, "10 um", fill=(20, 20, 24), font=font, anchor="ms")
    return np.asarray(image)
