from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from leukreg.data.image_store import ImageStore, open_images
from leukreg.data.listing import list_folder
from leukreg.data.near_duplicates import searched
from leukreg.synthesis.extractor import OpenExtractor, opened
from tests.synthesis.gate_fakes import CLASSES, IMAGE, PER_CLASS, PIXELS, Small


@pytest.fixture
def small_eye(monkeypatch: pytest.MonkeyPatch) -> OpenExtractor:
    eye = opened(Small())
    monkeypatch.setattr("leukreg.synthesis.gate.open_extractor", lambda text: eye)
    return eye


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cells")
    for label in CLASSES:
        (root / label).mkdir()
        for number, pixels in enumerate(PIXELS[label][:PER_CLASS]):
            Image.fromarray(pixels).save(root / label / f"{number:02d}.png")
    return root


@pytest.fixture
def images(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ImageStore:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    return searched(open_images(list_folder(data), IMAGE))
