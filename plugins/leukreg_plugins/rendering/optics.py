"""From densities to a photograph: absorption, uneven light, focus, sensor noise."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from leukreg import derive
from leukreg_plugins.rendering.patients import Patient
from leukreg_plugins.rendering.shapes import Floats

DARKEST = 14.0
"""Stray light: no pixel of a photograph through a microscope is black."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Camera:
    """How one picture of a scene was taken. A near copy differs in this alone."""

    seed: int
    """Of the noise."""
    lamp: int
    """Seed of the uneven light, which stays when the stage moves."""
    shift: tuple[float, float] = (0.0, 0.0)
    """Of the stage, in field units."""
    gain: float = 1.0
    blur: float = 0.0
    """Out of focus, in field units, on top of the patient's."""
    scale_bar: bool = False


def draw_camera(seed: int) -> Camera:
    """How a picture was taken; now and then out of focus or with a scale bar."""
    rng = np.random.default_rng(seed)
    lost, barred, gain = rng.random() < 0.05, rng.random() < 0.03, rng.normal(1, 0.02)
    blur = rng.uniform(0.9, 1.9) if lost else 0.0
    return Camera(
        seed=seed,
        lamp=derive(seed, "lamp"),
        gain=float(gain),
        blur=float(blur),
        scale_bar=bool(barred),
    )


def taken_again(camera: Camera, seed: int) -> Camera:
    """One more picture of the same field: the stage has moved a little, the noise is new."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-1.1, 1.1, 2).tolist()
    gain = camera.gain * float(rng.normal(1, 0.012))
    return replace(camera, seed=seed, shift=(x, y), gain=gain)


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
