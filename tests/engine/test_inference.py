from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import engine_fakes as fakes
import numpy as np
import pytest

from leukreg.engine.inference import predict_rows
from leukreg.engine.training import train_fold
from leukreg.errors import RunError
from leukreg.types import Predictions


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("fold")
    recipe = fakes.recipe(fakes.phase(unfreeze="all", epochs=4))
    return train_fold(recipe, fakes.LABELS, fakes.images(), fakes.fold(), folder).model_path


def predict(
    path: Path, passes: int | None, rows: tuple[int, ...] = tuple(range(20))
) -> Predictions:
    recipe = fakes.recipe(passes=passes)
    return predict_rows(recipe, fakes.LABELS, path, fakes.images(), rows, 3)


@pytest.mark.parametrize("passes", [None, 30])
def test_predictions_carry_the_rows_and_their_figures(trained: Path, passes: int | None) -> None:
    rows = (7, 3, 3, 41, *range(20))
    found = predict(trained, passes, rows)
    samples = [fakes.images().samples.rows[row] for row in rows]
    assert found.row.tolist() == list(rows)
    assert found.id == tuple(sample.id for sample in samples)
    assert found.patient == tuple(sample.patient for sample in samples)
    assert found.label.tolist() == [row % 3 for row in rows]
    assert set(found.fold.tolist()) == {3}
    assert found.probabilities.dtype == np.float64
    assert np.allclose(found.probabilities.sum(1), 1, atol=1e-12)
    p = found.probabilities
    assert np.allclose(found.uncertainty, -(p * np.log(p)).sum(1))
    assert (found.mutual_information <= found.uncertainty + 1e-12).all()
    assert (found.mutual_information.max() > 0) == (passes is not None)


@pytest.mark.parametrize("passes", [None, 5])
def test_predictions_repeat_to_the_last_bit(trained: Path, passes: int | None) -> None:
    one, two = predict(trained, passes), predict(trained, passes)
    assert np.array_equal(one.probabilities, two.probabilities)
    assert np.array_equal(one.mutual_information, two.mutual_information)


def test_no_rows_give_no_predictions(trained: Path) -> None:
    found = predict(trained, 5, ())
    assert len(found) == 0
    assert found.probabilities.shape == (0, 3)


def test_a_model_of_other_classes_or_shape_is_refused(trained: Path, tmp_path: Path) -> None:
    images = fakes.images()
    labels = replace(fakes.LABELS, names=("pre-b", "benign", "pro-b"))
    with pytest.raises(RunError, match=r"tells apart \['benign', 'pre-b', 'pro-b'\]"):
        predict_rows(fakes.recipe(), labels, trained, images, (0,), 0)
    wide = fakes.choice("backbone", lambda: fakes.Backbone((8, 8)))
    recipe = fakes.recipe(model=fakes.model(backbone=wide))
    with pytest.raises(RunError, match="does not fit"):
        predict_rows(recipe, fakes.LABELS, trained, images, (0,), 0)
    with pytest.raises(RunError, match=r"none\.pt is missing; put it back"):
        predict_rows(recipe, fakes.LABELS, tmp_path / "none.pt", images, (0,), 0)


@pytest.mark.parametrize("place", [0.1, 0.3, 0.5, 0.7, 0.9])
def test_a_flipped_bit_never_gives_other_probabilities(
    trained: Path, tmp_path: Path, place: float
) -> None:
    shutil.copytree(trained.parent, tmp_path / "fold-0")
    path = tmp_path / "fold-0" / "model.pt"
    content = bytearray(path.read_bytes())
    content[int(place * len(content))] ^= 8
    path.write_bytes(content)
    with pytest.raises(RunError, match=r"model\.pt is damaged: it is not as leukreg wrote it; put"):
        predict_rows(fakes.recipe(), fakes.LABELS, path, fakes.images(), (0,), 0)


def test_the_trained_fold_says_whether_passes_moved_batch_norm(tmp_path: Path) -> None:
    recipe = fakes.recipe(passes=3)
    facts = train_fold(recipe, fakes.LABELS, fakes.images(), fakes.fold(), tmp_path).facts
    assert facts.bn_changed_by_mc is False
    assert facts.mc_dropout_layers == 1
