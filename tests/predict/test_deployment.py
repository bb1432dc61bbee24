"""An export answers as leukreg does, or is not kept."""

from __future__ import annotations

import importlib.util
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from leukreg.errors import DataError, NotAvailable, RunError
from leukreg.predict.deployment import FORMATS, Safetensors, export, require
from leukreg.predict.ensemble import together
from leukreg.predict.inputs import given_images
from leukreg.predict.model_card import model_card
from leukreg.predict.trained_run import Trained, load
from leukreg.types import Finding

ONNX = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in FORMATS["onnx"].needs),
    reason="needs the extra export",
)


def test_safetensors_hold_every_fold_and_can_be_read_alone(folds_run: Path, tmp_path: Path) -> None:
    from safetensors.numpy import load_file

    trained = load(folds_run)
    done = export(trained, "safetensors", tmp_path / "out", attribution="drawn here, CC0")
    assert sorted(done.files) == sorted(path.name for path in done.folder.iterdir())
    assert done.difference <= 1e-4
    assert done.images == 16
    for fold in (0, 1):
        kept = load_file(done.folder / f"model-fold-{fold}.safetensors")
        weights = trained.models[fold].model.state_dict()
        assert kept.keys() == weights.keys()
        assert all(np.array_equal(kept[name], weights[name].numpy()) for name in kept)
    card = (done.folder / "MODEL_CARD.md").read_text()
    assert "For research, not for diagnosis" in card
    assert "drawn here, CC0" in card
    contract = json.loads((done.folder / "contract.json").read_text())
    assert contract["input"]["shape"] == ["batch", 32, 32, 3]
    assert contract["classes"] == list(trained.result.samples.classes)
    assert contract["compared"] == {"images": 16, "largest_difference": done.difference}


@pytest.mark.parametrize("name", ["torch-export", pytest.param("onnx", marks=ONNX)])
def test_a_graph_answers_as_leukreg_by_its_contract_alone(
    name: str, binary_run: Path, tmp_path: Path
) -> None:
    """Calibration and turned views are inside; a stranger follows the written contract."""
    trained = load(binary_run)
    done = export(trained, name, tmp_path / "out")
    about = json.loads((done.folder / "contract.json").read_text())
    assert about["views"] == 2
    assert about["threshold"]["at_least"] == trained.result.threshold
    size = about["input"]["shape"][1]
    files = [row.path for row in trained.result.samples.rows[:5]]
    pixels = np.stack([
        np.asarray(Image.open(file).convert("RGB").resize(
            (size, size), Image.Resampling.BILINEAR, reducing_gap=3.0))
        for file in files
    ])  # fmt: skip
    found = FORMATS[name].answer(trained, done.folder, pixels)
    assert np.allclose(found, trained.predict_proba(files), atol=1e-4)
    one = FORMATS[name].answer(trained, done.folder, pixels[:1])
    assert np.allclose(one, found[:1], atol=1e-5)
    assert not (tmp_path / "out").stat().st_mode & 0o022


@pytest.mark.slow
@ONNX
def test_folds_become_one_onnx_graph_without_dropout(folds_run: Path, tmp_path: Path) -> None:
    trained = load(folds_run)
    done = export(trained, "onnx", tmp_path / "out")
    assert [path.name for path in done.folder.glob("*.onnx")] == ["model.onnx"]
    files = [row.path for row in trained.result.samples.rows[:3]]
    plain = together(trained.scan(given_images(files), dropout=False), trained.result)
    pixels = np.stack([np.asarray(Image.open(file).resize((32, 32), 2)) for file in files])
    found = FORMATS["onnx"].answer(trained, done.folder, pixels)
    assert np.allclose(found, plain.probabilities, atol=1e-4)


def test_an_export_that_differs_is_not_kept(
    folds_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = load(folds_run)
    right = Safetensors.answer

    def wrong(*given: Any) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return right(*given) + 2e-4

    monkeypatch.setattr(Safetensors, "answer", wrong)
    with pytest.raises(RunError, match=r"differs from leukreg by 0\.0002"):
        export(trained, "safetensors", tmp_path / "out")
    monkeypatch.setattr(Safetensors, "answer", lambda *given: right(*given)[:, :1])
    with pytest.raises(RunError, match="differs from leukreg by inf"):
        export(trained, "safetensors", tmp_path / "out")
    monkeypatch.setattr(Safetensors, "answer", lambda *given: 1 / 0)
    with pytest.raises(RunError, match="does not run: ZeroDivisionError"):
        export(trained, "safetensors", tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_overwritten_and_images_are_asked_for(folds_run: Path, tmp_path: Path) -> None:
    trained = load(folds_run)
    (tmp_path / "mine.txt").write_text("kept")
    with pytest.raises(DataError, match="not an empty folder"):
        export(trained, "safetensors", tmp_path)
    rows = trained.result.samples.rows
    lost = tuple(replace(row, path=f"/nowhere/{row.id}") for row in rows)
    samples = replace(trained.result.samples, rows=lost)
    bare = Trained(replace(trained.result, samples=samples), trained.recipe)
    with pytest.raises(NotAvailable, match="--images"):
        export(bare, "safetensors", tmp_path / "out")
    done = export(bare, "safetensors", tmp_path / "out", images=[Path(rows[0].path)])
    assert done.images == 1


def test_a_missing_library_is_named_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(NotAvailable, match=r"needs onnx, .*pip install 'leukreg\[export\]'"):
        require("onnx")
    assert require("safetensors").needs == ()


def test_the_card_says_what_stands_against_the_model(make_result: Any) -> None:
    finding = Finding(rule="r", severity="error", message="rows *leak* | twice", advice="mend")
    result = make_result(findings=(finding,), rendered=True, patients=0, threshold=True)
    about = {
        "format": "onnx", "files": ["model.onnx"], "folds": 1, "classes": ["Benign", "ALL"],
        "input": {"name": "i", "type": "uint8", "shape": [], "colour": "", "resize": "",
                  "inside": "all"},
        "output": {"name": "o", "type": "float32", "shape": [], "meaning": ""},
        "threshold": {"class": "ALL", "at_least": 0.25}, "temperatures": None, "mc_dropout": None,
        "compared": {"images": 3, "largest_difference": 1e-6}, "patients": None,
    }  # fmt: skip
    card = model_card(result, about)
    assert r"**error**: rows \*leak\* \| twice (r: mend)" in card
    assert "Answer ALL from a probability of 0.2500" in card
    assert "Not all training images are real cells" in card
    assert "Patients are unknown" in card
    assert "licence is not known to leukreg" in card
    accuracy = next(s for s in result.scores if s.name == "accuracy")
    low, high = accuracy.low, accuracy.high
    assert f"| accuracy | {accuracy.value:.3f} | ({low:.3f} to {high:.3f}) |" in card
    first = next(s for s in result.scores if s.name == "precision" and s.label == "ALL")
    assert "| class | precision | recall | F1 | specificity |" in card
    assert f"| ALL | {first.value:.3f} (" in card


@pytest.mark.parametrize("name", ["torch-export", "safetensors", pytest.param("onnx", marks=ONNX)])
def test_a_stranger_goes_from_cells_to_the_answer_about_a_patient(
    name: str, weak_run: Path, tmp_path: Path
) -> None:
    trained = load(weak_run)
    done = export(trained, name, tmp_path / "out")
    about = json.loads((done.folder / "contract.json").read_text())["patients"]
    assert {*about["files"]} <= {*done.files}
    assert about["aggregator"] == "attention"
    assert about["classes"] == ["ill", "well"]
    of = trained.result.patients
    assert of is not None
    assert about["threshold"] == {"class": "ill", "at_least": of.threshold}
    files = [Path(row.path) for row in trained.result.samples.rows]
    table = trained.predict_patients(files, [path.parent.name for path in files])
    for patient in ("p00", "p03"):  # of one cell and of four
        own = [path for path in files if path.parent.name == patient]
        found = FORMATS[name].patient(trained, done.folder, pixels_of(own))
        wanted = table.loc[table["patient"] == patient, ["p:ill", "p:well"]].to_numpy()[0]
        assert np.allclose(found, wanted, atol=1e-4)
    card = (done.folder / "MODEL_CARD.md").read_text()
    assert "On 24 held-out patients:" in card
    assert "there are no figures of images" in card
    assert f"answered ill from a probability of {of.threshold:.4f}" in card


def test_what_has_learned_nothing_is_a_formula(labelled_run: Path, tmp_path: Path) -> None:
    """Followed by its words alone, from the second output of the model."""
    trained = load(labelled_run)
    done = export(trained, "torch-export", tmp_path / "out")
    about = json.loads((done.folder / "contract.json").read_text())["patients"]
    assert (about["files"], about["positive"], about["options"]) == ([], "ill", {"share": 0.1})
    assert "the ceil(share x n) highest" in about["does"]
    files = [Path(row.path) for row in trained.result.samples.rows]
    own = [path for path in files if path.parent.name == "p02"]
    cells = FORMATS["torch-export"].outputs(trained, done.folder, "model", pixels_of(own))[1]
    heat, ill = about["temperatures"], about["classes"].index("ill")
    found = []
    for fold in range(cells.shape[1]):
        p = np.sort(cells[:, fold, ill])[::-1][: int(np.ceil(0.1 * len(own)))].mean()
        both = np.array([p, 1 - p] if ill == 0 else [1 - p, p])
        tempered = both ** (1 / heat[str(fold)])
        found.append(tempered / tempered.sum())
    table = trained.predict_patients(own, ["p02"] * len(own))
    wanted = table[["p:ill", "p:well"]].to_numpy()[0]
    assert np.allclose(np.mean(found, axis=0), wanted, atol=1e-4)


def pixels_of(files: list[Path]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Images of 48 pixels as the contract says they are read."""
    return np.stack([
        np.asarray(Image.open(file).convert("RGB").resize(
            (32, 32), Image.Resampling.BILINEAR, reducing_gap=3.0))
        for file in files
    ])  # fmt: skip
