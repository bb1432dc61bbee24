"""The images that checks run on."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from leukreg.testing import example_images, write_example_images


def test_example_images_differ_by_class_and_are_written_as_seen(tmp_path: Path) -> None:
    from PIL import Image

    images = example_images(2, 6)
    assert images.pixels([]).shape == (0, 32, 32, 3)
    first, last = images.pixels([0, 11]).astype(float)
    assert abs(first - last).mean() > 5
    write_example_images(tmp_path)
    with Image.open(tmp_path / images.samples.rows[3].id) as image:
        assert np.array_equal(np.asarray(image), images.pixels([3])[0])
