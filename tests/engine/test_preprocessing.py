"""What comes before augmentation: fitted on the training fold, then alike everywhere."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import engine_fakes as fakes
import numpy as np
import pytest
import torch
from torch import nn

from leukreg.engine.assembly import assemble
from leukreg.engine.device import compute_for
from leukreg.engine.fold_job import setup_fold
from leukreg.engine.inference import predict_rows
from leukreg.engine.preprocessing import PreprocessingChain
from leukreg.engine.training import fingerprint_of, train_fold
from leukreg.errors import PluginFault
from leukreg.progress import SILENT
from leukreg.record import FittedPreprocessing
from leukreg.types import Fold, Lineage


def chain_of(*modules: type[nn.Module]) -> PreprocessingChain:
    recipe = fakes.recipe(preprocessing=fakes.preprocessings(*modules))
    return assemble(recipe, fakes.LABELS).preprocessing


def test_each_step_is_fitted_on_what_the_one_before_leaves_of_real_training_rows() -> None:
    images = fakes.images(12)
    rows = list(images.samples.rows)
    rows[3] = replace(rows[3], origin="synthetic", lineage=Lineage(generator="g", seed=0))
    images = replace(images, samples=replace(images.samples, rows=tuple(rows)))
    chain = chain_of(fakes.Negative, fakes.Centred)
    chain.fit(images, (1, 3, 5, 7))
    assert chain.fitted_on == (0, 3)
    known = images.pixels([1, 5, 7])
    first = chain.change(known, 1)
    assert np.array_equal(chain.steps[1].seen, first)
    assert float(chain.steps[1].mean) == pytest.approx(first.mean())
    dark = known.mean((1, 2, 3)) < 110
    assert np.array_equal(chain.unfit(known)[0], dark)
    assert not chain.unfit(known)[1].any()
    assert [bool(note) for note in chain.unfit_notes(known)] == dark.tolist()


def test_an_image_comes_out_the_same_in_any_company() -> None:
    images, chain = fakes.images(9), chain_of()
    chain.fit(images, range(6))
    whole = chain.change(images.array)
    assert np.array_equal(whole[4:5], chain.change(images.array[4:5]))
    assert np.array_equal(whole, chain(torch.from_numpy(images.array)).numpy())
    assert chain.change(images.array[:0]).shape == (0, fakes.SIZE, fakes.SIZE, 3)


def test_it_stays_where_pixels_are_read() -> None:
    model = assemble(fakes.recipe(preprocessing=fakes.preprocessings()), fakes.LABELS)
    model.to("meta")
    assert model.preprocessing.steps[1].mean.device.type == "cpu"
    assert next(model.backbone.parameters()).device.type == "meta"


def test_training_and_prediction_see_the_same_and_the_model_file_holds_it(tmp_path: Path) -> None:
    recipe, images, fold = fakes.long_recipe(), fakes.images(), fakes.fold()
    done = train_fold(recipe, fakes.LABELS, images, fold, tmp_path / "fold")
    weights = fakes.model_weights(done.model_path)
    mean = images.pixels(fold.train).mean()
    assert float(weights["preprocessing.steps.0.mean"]) == pytest.approx(mean)
    assert done.facts.preprocessing == (
        FittedPreprocessing(use="centred", fitted_on=len(fold.train), images=42, unfit=0),
    )
    found = predict_rows(recipe, fakes.LABELS, done.model_path, images, fold.test, 1)
    shifted = replace(images, array=(images.array.astype(int) - 20).clip(0, 255).astype(np.uint8))
    other = predict_rows(recipe, fakes.LABELS, done.model_path, shifted, fold.test, 1)
    assert not np.array_equal(found.probabilities, other.probabilities)
    # A model whose mean is moved along with the pixels says what it said.
    content = torch.load(done.model_path, weights_only=True)
    plain = replace(recipe, preprocessing=())
    assert fingerprint_of(plain, fakes.LABELS, images, fold) != content["fingerprint"]


def test_what_the_network_trains_on_is_preprocessed(tmp_path: Path) -> None:
    recipe, images = fakes.long_recipe(), fakes.images()
    compute = compute_for(recipe.training)
    job = setup_fold(recipe, fakes.LABELS, images, fakes.fold(), compute, tmp_path, SILENT)
    seen = job.train.pixels(np.arange(5)).permute(0, 2, 3, 1).numpy()
    assert np.array_equal(seen, job.model.preprocessing.change(images.array[:5]))
    assert abs(seen.mean() - 128) < 3 < abs(images.array.mean() - 128)


class Learning(nn.Linear):
    def __init__(self) -> None:
        super().__init__(1, 1)


class Failing(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise ValueError("no colour")


class Halving(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images[:, ::2]


class Floating(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images / 2


@pytest.mark.parametrize(
    ("module", "said"),
    [
        (Learning, "preprocessing 'learning' .* has parameters"),
        (Failing, "preprocessing 'failing' .* ValueError: no colour"),
        (Halving, r"gives shape \(1, 8, 16, 3\); it must give \(1, 16, 16, 3\)"),
        (Floating, "gives torch.float32; it must give a uint8 tensor"),
    ],
)
def test_a_faulty_one_is_named(module: type[nn.Module], said: str) -> None:
    with pytest.raises(PluginFault, match=said):
        chain_of(module).change(fakes.images(1).array)


def test_pictures_before_and_after_are_kept_of_the_first_fold(tmp_path: Path) -> None:
    recipe, images = fakes.long_recipe(), fakes.images()
    fold = Fold(index=0, train=fakes.fold().train, validation=(), test=())
    quick = replace(recipe, phases=recipe.phases[:1])
    train_fold(quick, fakes.LABELS, images, fold, tmp_path / "fold-0")
    names = {path.name for path in (tmp_path / "fold-0").glob("*.png")}
    assert names == {f"{when}-{n}.png" for when in ("before", "after") for n in range(1, 7)}
