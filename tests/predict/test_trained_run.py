"""A finished run predicts new images as it predicted its own."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import leukreg
from leukreg.engine.inference import predict_rows
from leukreg.errors import DataError, NotAvailable, Problems, RunError
from leukreg.evaluate.calibration import tempered
from leukreg.predict.ensemble import without_weights
from leukreg.predict.trained_run import Trained, load
from leukreg.predict.training_images import learned_rows
from leukreg.prepare import labels_of
from leukreg.types import Fold, Predictions
from tests.trained import COLOURS, draw


def paths(predictions: Predictions) -> list[Path]:
    return [Path(path) for path in predictions.path]


def a_copy(run: Path, tmp_path: Path) -> Path:
    """The run folder somewhere else, without what earlier calls left in it."""
    copy = shutil.copytree(run, tmp_path / run.name)
    (copy / "reference.npz").unlink(missing_ok=True)
    return copy


def test_the_runs_own_test_rows_get_the_same_figures(binary_run: Path) -> None:
    trained = leukreg.load(binary_run)
    own = trained.result.predictions
    found = trained.assess(paths(own), flags=False)
    assert np.array_equal(found.probabilities, own.probabilities)
    assert np.allclose(found.uncertainty, own.uncertainty, atol=1e-12)
    assert np.array_equal(found.decision, own.decision)
    assert own.sets is not None
    assert found.sets is not None
    assert np.array_equal(found.sets, own.sets)
    assert (found.threshold, found.coverage) == (trained.result.threshold, 0.8)
    assert found.mutual_information is not None
    assert np.allclose(found.mutual_information, own.mutual_information, atol=1e-12)


def test_folds_answer_with_the_mean_of_their_models(folds_run: Path) -> None:
    trained = load(folds_run)
    result, recipe = trained.result, trained.recipe
    files = [Path(row.path) for row in result.samples.rows[:11]]
    store = trained.training_images().store
    rows = [[r.path for r in store.samples.rows].index(str(file)) for file in files]
    parts = [
        predict_rows(
            recipe,
            labels_of(recipe, result.samples, fold.train),
            folds_run / f"fold-{fold.index}" / "model.pt",
            store,
            rows,
            fold.index,
        )
        for fold in result.folds
    ]
    found = trained.assess(files, flags=False)
    mean = np.mean([part.probabilities for part in parts], axis=0)
    assert np.allclose(found.probabilities, mean, atol=1e-12)
    within = np.mean([part.uncertainty - part.mutual_information for part in parts], axis=0)
    entropy = -(mean * np.log(mean)).sum(axis=1)
    assert found.mutual_information is not None
    assert np.allclose(found.mutual_information, entropy - within, atol=1e-9)
    assert found.threshold is None
    assert found.sets is None


def test_it_is_what_scikit_learn_users_expect(folds_run: Path) -> None:
    from sklearn.metrics import accuracy_score

    trained = load(folds_run)
    files = [row.path for row in trained.result.samples.rows]
    labels = [row.label for row in trained.result.samples.rows]
    assert trained.classes_.tolist() == sorted(COLOURS)
    p = trained.predict_proba(files)
    assert p.shape == (30, 3)
    assert np.allclose(p.sum(axis=1), 1)
    answers = trained.predict(np.array(files))
    assert answers.tolist() == trained.classes_[p.argmax(axis=1)].tolist()
    assert trained.score(files, labels) == accuracy_score(labels, answers)
    assert trained.features(files[:4]).shape == (4, 2 * trained.features(files[0]).shape[1] // 2)
    assert trained.predict_proba([]).shape == (0, 3)
    with pytest.raises(DataError, match="2 images and 1 labels"):
        trained.score(files[:2], labels[:1])


def test_arrays_and_pillow_images_get_what_their_files_get(folds_run: Path) -> None:
    trained = load(folds_run)
    files = [row.path for row in trained.result.samples.rows[:5]]
    images = [Image.open(file) for file in files]
    array = np.stack([np.asarray(image) for image in images])
    expected = trained.predict_proba(files)
    assert np.array_equal(trained.predict_proba(array), expected)
    assert np.array_equal(trained.predict_proba(images), expected)


def test_the_threshold_of_the_run_decides(binary_run: Path) -> None:
    trained = load(binary_run)
    files = [row.path for row in trained.result.samples.rows]
    p = trained.predict_proba(files)[:, 1]
    for threshold in (0.0, float(np.median(p)), 1.1):
        moved = Trained(replace(trained.result, threshold=threshold), trained.recipe)
        assert (moved.predict(files) == "benign").tolist() == (p >= threshold).tolist()


def test_calibration_is_the_runs_own(binary_run: Path) -> None:
    trained = load(binary_run)
    files = [row.path for row in trained.result.samples.rows[:6]]
    fitted = trained.result.fitted
    plain = replace(trained.result, fitted=replace(fitted, calibration=None))
    raw = Trained(plain, trained.recipe).predict_proba(files)
    heat = fitted.temperatures[0].temperature
    assert np.allclose(trained.predict_proba(files), tempered(raw, heat), atol=1e-12)


def test_unreadable_images_get_a_row_and_spoil_nothing(folds_run: Path, tmp_path: Path) -> None:
    trained = load(folds_run)
    good = [row.path for row in trained.result.samples.rows[:9]]
    (tmp_path / "bad.png").write_text("nothing to see")
    mixed = [tmp_path / "bad.png", *good, tmp_path / "gone.png"]
    found = trained.assess(mixed)
    alone = trained.assess(good)
    assert np.array_equal(found.probabilities[1:-1], alone.probabilities)
    assert found.readable.tolist() == [False, *[True] * 9, False]
    assert np.isnan(found.probabilities[0]).all()
    assert (found.answer[0], found.decision[-1]) == (None, -1)
    assert found.flags(10) == ("unreadable: the file does not exist",)
    with pytest.raises(Problems) as error:
        trained.predict(mixed)
    assert len(error.value.problems) == 2
    nothing = trained.assess([tmp_path / "bad.png"])
    assert not nothing.readable.any()
    assert nothing.flags(0)[0].startswith("unreadable")


def test_copies_of_training_images_are_flagged(folds_run: Path, tmp_path: Path) -> None:
    trained = load(folds_run)
    known = trained.result.samples.rows[12]
    with Image.open(known.path) as image:
        image.save(tmp_path / "same.bmp")
        moved = Image.fromarray(np.roll(np.asarray(image), (2, -2), (0, 1)))
        moved.save(tmp_path / "moved.jpg", quality=80)
    draw(np.random.default_rng(99), COLOURS["early"]).save(tmp_path / "new.png")
    found = trained.assess([tmp_path / n for n in ("same.bmp", "moved.jpg", "new.png")])
    assert found.copy_of == (known.id, None, None)
    assert found.near_copy_of == (None, known.id, None)
    assert found.flags(0) == (f"copy of training image {known.id}",)
    assert "copy" not in " ".join(found.flags(2))


def test_learned_are_also_rows_that_only_the_generator_saw(folds_run: Path) -> None:
    fold = Fold(index=0, train=(7, 1), validation=(2,), test=(3,), replaced=(4,))
    assert learned_rows(replace(load(folds_run).result, folds=(fold,))) == (1, 2, 4, 7)


def test_images_unlike_the_training_data_are_far(folds_run: Path, tmp_path: Path) -> None:
    trained = load(a_copy(folds_run, tmp_path))
    own = [row.path for row in trained.result.samples.rows]
    noise = np.random.default_rng(0).integers(0, 256, (3, 48, 48, 3), dtype=np.uint8)
    near, far = trained.assess(own), trained.assess(noise)
    assert near.far is not None
    assert near.far.mean() <= 0.2
    assert far.far is not None
    assert far.far.all()
    assert "far from the training data" in far.flags(0)
    # What was seen is kept, and the same is answered from it.
    assert (trained.result.folder / "reference.npz").is_file()
    again = load(trained.result.folder).assess(own)
    assert near.distance is not None
    assert again.distance is not None
    assert np.array_equal(again.distance, near.distance)


def test_where_the_images_are_gone_the_flags_say_so(folds_run: Path, tmp_path: Path) -> None:
    folder = a_copy(folds_run, tmp_path)
    trained = load(folder)
    new = draw(np.random.default_rng(7), COLOURS["benign"])
    rows = trained.result.samples.rows
    lost = tuple(replace(row, path=str(tmp_path / "gone" / row.id)) for row in rows)
    samples = replace(trained.result.samples, rows=lost)
    bare = Trained(replace(trained.result, samples=samples), trained.recipe)
    found = bare.assess(new)
    assert found.distance is None
    assert found.far is None
    assert found.near_copy_of is None
    assert found.copy_of == (None,)
    assert "0 of the run's 30 training and validation images" in " ".join(found.notes)
    trained.assess(new)  # leaves a reference behind, which needs no images
    assert bare.assess(new).distance is not None
    # A damaged one is made again, not believed.
    (folder / "reference.npz").write_bytes(b"PK broken")
    again = Trained(bare.result, bare.recipe)
    assert again.assess(new).distance is None
    assert load(folder).assess(new).distance is not None


def test_changed_images_are_not_taken_for_the_runs(folds_run: Path, tmp_path: Path) -> None:
    trained = load(folds_run)
    pixels = dict.fromkeys(trained.result.pixels, "0" * 32)
    changed = Trained(replace(trained.result, pixels=pixels), trained.recipe)
    with pytest.raises(NotAvailable, match="0 of the run's 30"):
        changed.training_images()


def test_a_run_without_its_models_says_which_are_gone(folds_run: Path, tmp_path: Path) -> None:
    folder = a_copy(folds_run, tmp_path)
    (folder / "fold-1" / "model.pt").unlink()
    with pytest.raises(RunError, match=r"no longer there:\n .*fold-1.model\.pt"):
        load(folder)
    with pytest.raises(RunError, match="there is no run"):
        load("nothing", tmp_path / "none")
    (folder / "fold-1" / "model.pt").write_bytes(b"damaged")
    with pytest.raises(RunError, match=r"fold-1.model\.pt is damaged"):
        load(folder).predict_proba(np.zeros((1, 32, 32, 3), np.uint8))


def test_first_weights_are_not_needed_to_load_trained_ones(folds_run: Path) -> None:
    trained = load(folds_run)
    choice = trained.recipe.model.backbone
    lost = replace(choice, plugin=replace(choice.plugin, weights="/nowhere/first.pth"))
    recipe = replace(trained.recipe, model=replace(trained.recipe.model, backbone=lost))
    found = Trained(trained.result, recipe)
    image = np.full((1, 40, 40, 3), 200, np.uint8)
    assert np.array_equal(found.predict_proba(image), trained.predict_proba(image))
    bare = without_weights(recipe)
    assert bare is not None
    assert bare.model.backbone.plugin.weights == "random"


def test_it_is_shown_on_one_line(folds_run: Path) -> None:
    trained = leukreg.load(folds_run)
    shown = repr(trained)
    assert shown == f"Trained({folds_run.name}: [M] pro, benign, early; 2 folds, timm)"
    names = tuple(f"Blood cell number {i} \x1b[31m" for i in range(16))
    samples = replace(trained.result.samples, classes=names)
    result = replace(trained.result, samples=samples, name="a-name-" * 14)
    shown = repr(replace(trained, result=result))
    assert len(shown) <= 79
    assert shown.isprintable()
    assert "16 classes; 2 folds, timm" in shown


@pytest.mark.parametrize("fixture", ["folds_run", "binary_run"])
def test_the_table_is_a_data_frame_with_the_columns_of_the_csv(
    fixture: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    import pandas as pd

    from leukreg.report.prediction_report import as_csv

    trained = leukreg.load(request.getfixturevalue(fixture))
    good = paths(trained.result.predictions)[0]
    (tmp_path / "=bad.png").write_bytes(b"no image")
    images = [good, tmp_path / "=bad.png"]
    found, frame = trained.assess(images), trained.predict_table(images)
    classes = list(trained.classes_)
    assert list(frame.columns) == [
        "image", "answer", *(f"p:{name}" for name in classes), "uncertainty",
        "mutual_information", "set", "threshold", "distance", "far", "copy_of", "near_copy_of",
        "unreadable",
    ]  # fmt: skip
    assert frame["answer"][0] == found.answer[0]
    assert frame[f"p:{classes[0]}"][0] == found.probabilities[0, 0]
    assert pd.isna(frame["unreadable"][0])
    assert "image" in frame["unreadable"][1]
    assert frame.drop(columns=["image", "unreadable"]).iloc[1].isna().all()
    assert frame["far"].tolist() == [False, pd.NA]
    for documented in frame.columns:
        assert documented.startswith("p:") or f"``{documented}``" in found.frame.__doc__
    written = tmp_path / "written.csv"
    written.write_text(as_csv(found), encoding="utf-8")
    again = pd.read_csv(written)
    assert list(again.columns) == list(frame.columns)
    assert again[f"p:{classes[0]}"][0] == frame[f"p:{classes[0]}"][0]
    assert again["image"].tolist() == [str(good), str(images[1])]


def test_a_damaged_reference_is_said_and_made_again(folds_run: Path, tmp_path: Path) -> None:
    from leukreg.predict.out_of_distribution import kept_features
    from leukreg.progress import Silent

    class Said(Silent):
        def __init__(self) -> None:
            self.lines: list[str] = []

        def say(self, text: str) -> None:
            self.lines.append(text)

    folder = a_copy(folds_run, tmp_path)
    trained = load(folder)
    trained.training_features()
    path = folder / "reference.npz"
    data = path.read_bytes()
    step = max(1, len(data) // 60)
    tail = range(max(0, len(data) - 400), len(data), 3)  # the archive's directory
    for place in [*range(0, 120), *range(120, len(data), step), *tail]:
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x11]) + data[place + 1 :])
        said = Said()
        assert kept_features(trained.result, said) is None
        assert len(said.lines) == 1
    path.write_bytes(data[: len(data) // 2])
    said = Said()
    found = load(folder).assess(paths(trained.result.predictions)[:2], progress=said)
    assert found.distance is not None
    assert any(line.startswith(f"{path} is damaged") for line in said.lines)
    assert path.read_bytes() == data
