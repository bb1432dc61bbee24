"""A run with preprocessing: the same pixels in the run, afterwards, in exports and in pictures."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from leukreg import Trained, open_images
from leukreg.cli.main import main
from leukreg.engine.inference import predict_rows
from leukreg.predict.deployment import FORMATS, export
from leukreg.predict.trained_run import load
from leukreg.prepare import labels_of
from leukreg.runs import read

ONNX = pytest.mark.skipif(
    any(importlib.util.find_spec(part) is None for part in FORMATS["onnx"].needs),
    reason="needs leukreg[export]",
)


def test_the_runs_own_rows_get_the_same_figures_afterwards(prepared_run: Path) -> None:
    trained = load(prepared_run)
    result, recipe = trained.result, trained.recipe
    assert recipe.image.size == 32
    assert recipe.read_image.size == 40
    store = open_images(result.samples, recipe.read_image)
    for fold, one in zip(result.folds, trained.models, strict=True):
        labels, path = labels_of(recipe, result.samples, fold.train), Path("model.pt")
        model = prepared_run / f"fold-{fold.index}" / path
        own = predict_rows(recipe, labels, model, store, fold.test, fold.index)
        kept = result.predictions.take(np.flatnonzero(result.predictions.fold == fold.index))
        assert np.array_equal(own.probabilities, kept.probabilities)
        seen = one.see(store.pixels(fold.test))
        assert tuple(seen.shape[1:]) == (3, 32, 32)
    files = [Path(row.path) for row in result.samples.rows[:8]]
    alone = np.concatenate([trained.predict_proba(file) for file in files])
    assert np.allclose(alone, trained.predict_proba(files), atol=1e-6)
    assert trained.seen(files).shape == (8, 32, 32, 3)


def test_the_record_says_what_was_fitted_on_what(prepared_run: Path) -> None:
    result = read(prepared_run)
    for fold, told in zip(result.folds, result.training.folds, strict=True):
        crop, macenko, reinhard = told.preprocessing
        assert (crop.use, crop.fitted_on) == ("centre-crop", 0)
        assert macenko.fitted_on == reinhard.fitted_on == len(fold.train)
        everything = {*fold.train, *fold.validation, *fold.test}
        assert crop.images == len(everything)
        assert 0 < macenko.unfit <= crop.images  # grey discs have one stain at most
        assert reinhard.unfit == 0
    names = {path.name for path in (prepared_run / "fold-0").glob("*.png")}
    assert {"before-1.png", "after-6.png"} <= names
    with Image.open(prepared_run / "fold-0" / "after-1.png") as after:
        assert after.size == (32, 32)


def test_readings_count_the_images_that_were_left_as_they_are(prepared_run: Path) -> None:
    trained = load(prepared_run)
    files = [Path(row.path) for row in trained.result.samples.rows]
    found = trained.assess(files, flags=False)
    (reading,) = (one for one in found.readings if "macenko" in one.what)
    assert reading.what == "preprocessing 'macenko' left them as they are"
    assert 0 < reading.files <= len(files)


@pytest.mark.parametrize(
    "name", ["torch-export", "safetensors", pytest.param("onnx", marks=[ONNX, pytest.mark.slow])]
)
def test_an_export_takes_the_images_as_they_are_read(
    name: str, prepared_run: Path, tmp_path: Path
) -> None:
    trained = load(prepared_run)
    done = export(trained, name, tmp_path / "out")
    about = json.loads((done.folder / "contract.json").read_text())["input"]
    assert about["shape"] == ["batch", 40, 40, 3]
    assert about["inside"].startswith("preprocessing centre-crop, preprocessing macenko,")
    files = [Path(row.path) for row in trained.result.samples.rows[:5]]
    pixels = open_images(trained.result.samples, trained.recipe.read_image).pixels(range(5))
    found = FORMATS[name].answer(trained, done.folder, pixels)
    assert np.allclose(found, trained.predict_proba(files), atol=1e-4)


def test_pictures_show_what_the_model_sees(
    prepared_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = load(prepared_run).result.samples.rows[0].path
    assert main(["explain", str(prepared_run), file, "--out", str(tmp_path / "out")]) == 0
    (picture,) = (tmp_path / "out").iterdir()
    with Image.open(picture) as sheet:
        assert sheet.width > 3 * 320
    page = tmp_path / "page"
    assert main(["report", str(prepared_run), "--out", str(page)]) == 0
    text = next(iter(page.rglob("*.html"))).read_text() if page.is_dir() else page.read_text()
    assert text.count("as the model sees it") == 6
    assert main(["show", str(prepared_run)]) == 0
    assert "macenko: fitted on" in capsys.readouterr().out


def test_its_backbone_looks_at_preprocessed_images_too(prepared_run: Path) -> None:
    import torch

    module = Trained.backbone(prepared_run).build()
    images = torch.randint(256, (2, 3, 50, 50), dtype=torch.uint8)
    assert module(images).shape == (2, module.dimensions)
    seen: list[tuple[int, ...]] = []
    module.stages.register_forward_hook(lambda _, given, __: seen.append(tuple(given[0].shape)))
    module(images)
    assert seen == [(2, 3, 32, 32)]
