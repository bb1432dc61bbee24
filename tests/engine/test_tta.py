"""Test-time augmentation: the views are a group, their mean does not see how a cell lies."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import engine_fakes as fakes
import numpy as np
import pytest
import torch

from leukreg.engine.assembly import assemble
from leukreg.engine.classifier import Classifier
from leukreg.engine.device import compute_for
from leukreg.engine.inference import score_pixels
from leukreg.engine.mc_dropout import views
from leukreg.recipe.model import EvaluateSpec, McDropoutSpec, TrainingSpec, TtaSpec

CPU = compute_for(TrainingSpec(device="cpu", threads=1))


@pytest.fixture(scope="module")
def model() -> Classifier:
    torch.manual_seed(0)
    model = assemble(fakes.recipe(), fakes.LABELS)
    with torch.no_grad():
        model.head[-1].weight.mul_(20)  # type: ignore[operator, index, union-attr]
    model.set_channels_last(True)
    return model.eval()


def pixels(n: int = 5) -> torch.Tensor:
    return torch.from_numpy(fakes.images().array[:n]).permute(0, 3, 1, 2)


def spec(views: Any = None, passes: int | None = None) -> EvaluateSpec:
    return EvaluateSpec(
        tta=TtaSpec(views=views) if views else None,
        mc_dropout=McDropoutSpec(passes=passes) if passes else None,
    )


def entropy(p: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(-(p * np.log(p)).sum(-1))


def moves(images: torch.Tensor) -> dict[str, torch.Tensor]:
    return {
        "mirrored": images.flip(-1),
        "upside down": images.flip(-2),
        "turned": torch.rot90(images, 1, (-2, -1)),
        "half turned": torch.rot90(images, 2, (-2, -1)),
        "transposed": images.transpose(-2, -1),
    }


@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_views_are_different_and_begin_with_the_image_itself(count: int) -> None:
    image = torch.arange(2 * 3 * 4 * 4).reshape(2, 3, 4, 4)
    found = list(views(image, count))
    assert len(found) == count
    assert torch.equal(found[0], image)
    assert len({tuple(view.flatten().tolist()) for view in found}) == count
    assert all(view.shape == image.shape for view in found)


@pytest.mark.parametrize(
    ("count", "kept"),
    [(2, {"mirrored"}), (4, {"turned", "half turned"}),
     (8, {"mirrored", "upside down", "turned", "half turned", "transposed"})],
)  # fmt: skip
def test_a_moved_image_has_the_same_views(count: int, kept: set[str]) -> None:
    image = torch.arange(3 * 4 * 4).reshape(1, 3, 4, 4)

    def seen(moved: torch.Tensor) -> set[tuple[int, ...]]:
        return {tuple(view.flatten().tolist()) for view in views(moved, count)}

    assert {name for name, moved in moves(image).items() if seen(moved) == seen(image)} == kept


def test_the_mean_over_the_group_does_not_see_how_a_cell_lies(model: Classifier) -> None:
    straight = score_pixels(model, pixels(), spec(8), CPU)
    for name, moved in moves(pixels()).items():
        for one, other in zip(straight, score_pixels(model, moved, spec(8), CPU), strict=True):
            assert np.allclose(one, other, rtol=0, atol=1e-9), name
    # Without views it does.
    plain, _, _ = score_pixels(model, pixels(), spec(), CPU)
    turned, _, _ = score_pixels(model, moves(pixels())["turned"], spec(), CPU)
    assert not np.allclose(plain, turned, atol=1e-4)


def test_figures_are_those_of_single_views_written_out(model: Classifier) -> None:
    each = np.stack([score_pixels(model, view, spec(), CPU)[0] for view in views(pixels(), 8)])
    p, total, shared = score_pixels(model, pixels(), spec(8), CPU)
    mean = each.mean(0)
    assert np.allclose(p, mean, atol=1e-12)
    assert np.allclose(total, entropy(mean), atol=1e-9)
    # Mutual information is the mean Kullback-Leibler divergence of the views from their mean.
    divergence = (each * np.log(each / mean)).sum(-1).mean(0)
    assert np.allclose(shared, divergence, atol=1e-9)
    assert (shared > 1e-6).all()
    assert (shared <= np.log(8)).all()
    assert (score_pixels(model, pixels(), spec(), CPU)[2] == 0).all()


def test_passes_are_spread_over_views(model: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    from leukreg.engine import inference

    asked: list[int] = []
    whole = inference.mc_probabilities

    def counted(model: Any, images: Any, passes: int, *more: Any) -> torch.Tensor:
        asked.append(passes)
        return whole(model, images, passes, *more)

    monkeypatch.setattr(inference, "mc_probabilities", counted)
    score_pixels(model, pixels(), spec(8, 30), CPU)
    assert asked == [4] * 8
    asked.clear()
    score_pixels(model, pixels(), spec(8, 3), CPU)
    assert asked == [1] * 8
    asked.clear()
    score_pixels(model, pixels(), spec(None, 30), CPU)
    assert asked == [30]


def test_views_and_dropout_together_tell_more_than_views_alone(model: Classifier) -> None:
    def score(images: torch.Tensor, views: Any, passes: int) -> Any:
        torch.manual_seed(3)
        return score_pixels(model, images, spec(views, passes), CPU)

    each = np.stack([score(view, None, 4000)[0] for view in views(pixels(), 8)])
    alone = entropy(each.mean(0)) - entropy(each).mean(0)
    p, _, both = score(pixels(), 8, 32_000)
    assert np.allclose(p, each.mean(0), atol=0.01)
    assert (both > alone).all()
    assert np.array_equal(score(pixels(), 8, 30)[2], score(pixels(), 8, 30)[2])


def test_a_trained_fold_predicts_with_views(tmp_path: Any) -> None:
    from leukreg.engine.inference import predict_rows
    from leukreg.engine.training import train_fold

    recipe = fakes.recipe(fakes.phase(epochs=1))
    path = train_fold(recipe, fakes.LABELS, fakes.images(), fakes.fold(), tmp_path).model_path
    recipe = replace(recipe, evaluate=spec(8))
    one, two = (
        predict_rows(recipe, fakes.LABELS, path, fakes.images(), tuple(range(20)), 0)
        for _ in range(2)
    )
    assert np.array_equal(one.probabilities, two.probabilities)
    assert (one.mutual_information > 0).any()
    assert np.allclose(one.uncertainty, entropy(one.probabilities))
