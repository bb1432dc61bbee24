"""Grad-CAM: against its definition, over its place in the picture, with every part there is."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import leukreg
from leukreg.engine.assembly import assemble
from leukreg.engine.classifier import Classifier, Normaliser
from leukreg.engine.device import Compute
from leukreg.errors import DataError, Problems
from leukreg.predict.ensemble import FoldModel
from leukreg.predict.grad_cam import _heat, feature_map_of
from leukreg.predict.heat_map import laid_over, shift_of
from leukreg.predict.trained_run import load
from leukreg.recipe import parse
from leukreg.registry import installed
from leukreg.types import Labels

CPU = Compute(device="cpu", channels_last=False)
CONTRACT = SimpleNamespace(mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))
HEAVY = ("resnet50", "densenet201", "efficientnet-b0", "timm", "efficientnet-lite1",
         "efficientnet-lite2", "dinobloom-b", "dinobloom-l", "dinobloom-g")  # fmt: skip


class Convolutions(nn.Module):
    """Two strided convolutions; the head pools and weighs."""

    def __init__(self) -> None:
        super().__init__()
        self.channels = 6
        self.contract = CONTRACT
        self.stages = nn.Sequential(
            nn.Sequential(nn.Conv2d(3, 4, 3, 2, 1), nn.ReLU()),
            nn.Sequential(nn.Conv2d(4, 6, 3, 2, 1), nn.Tanh()),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        out: torch.Tensor = self.stages(images)
        return out


def small() -> FoldModel:
    torch.manual_seed(0)
    head = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(6, 3))
    model = Classifier(Normaliser(CONTRACT), Convolutions(), nn.Identity(), head)
    return FoldModel(0, model.eval(), CPU)


def test_it_is_grad_cam_as_defined() -> None:
    one = small()
    pixels = torch.randint(0, 256, (2, 3, 32, 32), dtype=torch.uint8)
    place = feature_map_of(one, 32)
    assert (place.name, place.height) == ("backbone.stages.1", 8)
    found = _heat(one, place, (0.0, 0.0), pixels, np.array([2, 0]))
    # For pooling and a linear layer the gradient is the layer's weight over the number of cells.
    with torch.no_grad():
        maps = one.model.stages(one.model.normaliser(pixels))
        weights = one.model.head[2].weight[[2, 0]] / 64  # type: ignore[index]
        expected = torch.relu((weights[:, :, None, None] * maps).sum(1, keepdim=True))
    wide = nn.functional.interpolate(expected, size=(32, 32), mode="bilinear")[:, 0]
    wide /= wide.amax((1, 2), keepdim=True)
    assert np.allclose(found, wide.numpy(), atol=1e-5)


def test_heat_lies_on_the_one_thing_that_decides() -> None:
    one = small()
    stages, head = one.model.stages, one.model.head
    with torch.no_grad():
        for stage in (stages[0], stages[1]):
            conv = stage[0]  # type: ignore[index]
            conv.weight.fill_(1 / 27)
            conv.bias.zero_()
        head[2].weight.fill_(0.0)  # type: ignore[index]
        head[2].weight[1] = 1.0  # type: ignore[index]
    pixels = torch.full((1, 3, 64, 64), 127, dtype=torch.uint8)
    pixels[:, :, 40:46, 8:14] = 255
    place = feature_map_of(one, 64)
    shift = shift_of(place.before[1:], 64, "cpu")
    heat = _heat(one, place, shift, pixels, np.array([1]))[0]
    y, x = (float((heat * axis).sum() / heat.sum()) for axis in np.mgrid[:64, :64])
    assert abs(y - 42.5) < 1.0
    assert abs(x - 10.5) < 1.0
    assert not _heat(one, place, shift, pixels, np.array([0])).any()  # nothing speaks for it


@pytest.mark.parametrize(
    ("conv", "shift"),
    [
        (nn.Conv2d(3, 2, 3, stride=2, padding=1), -0.5),
        (nn.Conv2d(3, 2, 4, stride=4), 0.0),
        (nn.Conv2d(3, 2, 7, stride=4, padding=3), -1.5),
    ],
)
def test_the_shift_of_padded_strides_is_measured(conv: nn.Module, shift: float) -> None:
    with torch.no_grad():
        for parameter in conv.parameters():
            parameter.fill_(1.0)
    found = shift_of([("conv", conv)], 32, "cpu")
    assert np.allclose(found, shift, atol=0.3)


def test_patches_of_a_transformer_lie_where_they_lie() -> None:
    class Everywhere(nn.Module):
        def forward(self, tokens: torch.Tensor) -> torch.Tensor:
            return tokens + tokens.mean(1, keepdim=True)

    patches = nn.Sequential(nn.Conv2d(3, 2, 8, stride=8), nn.Flatten(2))
    back = nn.Unflatten(2, (8, 8))
    assert shift_of([("0", patches), ("1", Everywhere()), ("2", back)], 32, "cpu") == (0.0, 0.0)


def test_a_map_is_laid_where_its_cells_look() -> None:
    maps = torch.zeros(1, 1, 4, 4)
    maps[0, 0, 2, 1] = 1
    even = laid_over(maps, 32, (0.0, 0.0))[0, 0]
    plain = nn.functional.interpolate(maps, size=(32, 32), mode="bilinear")[0, 0]
    assert torch.allclose(even, plain, atol=1e-5)
    moved = laid_over(maps, 32, (-4.0, 2.0))[0, 0]
    assert torch.allclose(moved[10:24, 6:24], even[14:28, 4:22], atol=1e-5)


def test_a_run_is_explained_for_what_it_answers(folds_run: Path) -> None:
    trained = load(folds_run)
    files = [row.path for row in trained.result.samples.rows[:5]]
    maps = leukreg.explanation(folds_run, files)
    assert maps.shape == (5, 32, 32)
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert set(maps.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}
    answers = trained.predict(files).tolist()
    assert np.array_equal(maps, leukreg.explanation(trained, files, labels=answers))
    own = leukreg.explanation(trained, files, answers, folds=[0, 1, 0, 1, 0])
    each = [leukreg.explanation(trained, files, answers, folds=[fold] * 5) for fold in (0, 1)]
    assert np.array_equal(own, np.stack([each[i % 2][i] for i in range(5)]))
    mean = (each[0] + each[1]) / 2
    highest = np.maximum(mean.max(axis=(1, 2), keepdims=True), 1e-9)
    assert np.allclose(maps, mean / highest, atol=1e-5)


def test_wrong_wishes_are_told(folds_run: Path, tmp_path: Path) -> None:
    trained = load(folds_run)
    image = np.zeros((2, 40, 40, 3), np.uint8)
    with pytest.raises(DataError, match="no class 'x'; there are"):
        leukreg.explanation(trained, image, labels=["early", "x"])
    with pytest.raises(DataError, match="no fold 2"):
        leukreg.explanation(trained, image, folds=[0, 2])
    with pytest.raises(DataError, match="2 images and 1 values"):
        leukreg.explanation(trained, image, labels=["early"])
    with pytest.raises(Problems, match="does not exist"):
        leukreg.explanation(trained, [tmp_path / "no.png"], labels=["early"])


def combinations() -> list[object]:
    backbones, attentions = (installed().names(kind) for kind in ("backbone", "attention"))
    return [
        pytest.param(
            backbone, attention, marks=[pytest.mark.slow] if backbone in HEAVY else [],
            id=f"{backbone}-{attention}",
        )
        for backbone in backbones
        for attention in (["none", *attentions] if backbone not in HEAVY else ["none", "cbam"])
    ]  # fmt: skip


@pytest.mark.usefixtures("tiny_dinobloom")
@pytest.mark.parametrize(("backbone", "attention"), combinations())
def test_every_backbone_and_attention_can_be_explained(backbone: str, attention: str) -> None:
    lines = f'attention = "{attention}"' if attention != "none" else ""
    recipe = parse(f"""
schema = 1
[data]
use = "demo"
[image]
size = 64
[model]
backbone = {{ use = "{backbone}", weights = "random" }}
{lines}
head = {{ use = "mlp", widths = [8], dropout = 0.5 }}
[loss]
use = "cross-entropy"
[[phase]]
name = "head"
optimizer = "adamw"
""")
    model = assemble(recipe, Labels(names=("a", "b"), counts=(1, 1))).eval()
    one = FoldModel(0, model, CPU)
    place = feature_map_of(one, 64)
    assert min(place.height, place.width) >= 4
    before = {name: value.clone() for name, value in model.state_dict().items()}
    pixels = torch.randint(0, 256, (3, 3, 64, 64), dtype=torch.uint8)
    shift = shift_of(place.before[1:], 64, "cpu")
    assert max(map(abs, shift)) < 64 / place.height
    heat = _heat(one, place, shift, pixels, np.array([0, 1, 0]))
    assert heat.shape == (3, 64, 64)
    assert np.isfinite(heat).all()
    assert heat.max(axis=(1, 2)).tolist() in ([1, 1, 1], [0, 1, 0], [1, 0, 1])
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
