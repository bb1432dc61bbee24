from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import engine_fakes as fakes
import pytest
import torch
from torch import nn

from leukreg.engine.assembly import assemble
from leukreg.engine.classifier import Normaliser, run
from leukreg.errors import NotAvailable, PluginError
from leukreg.recipe.model import ModelSpec

CONTRACT = SimpleNamespace(mean=(0.5, 0.4, 0.3), std=(0.2, 0.3, 0.4))


def expected(images: torch.Tensor, scale: float) -> torch.Tensor:
    mean = torch.tensor(CONTRACT.mean, dtype=torch.float64).view(3, 1, 1)
    std = torch.tensor(CONTRACT.std, dtype=torch.float64).view(3, 1, 1)
    return (images.double() * scale - mean) / std


@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize(("twice", "scale"), [(False, 1 / 255), (True, 1 / 255**2)])
def test_normalises_as_the_contract_says(channels_last: bool, twice: bool, scale: float) -> None:
    images = torch.randint(0, 256, (4, 3, 5, 7), dtype=torch.uint8)
    normaliser = Normaliser(CONTRACT, divided_twice=twice)
    normaliser.channels_last = channels_last
    result = normaliser(images)
    torch.testing.assert_close(result.double(), expected(images, scale), rtol=1e-5, atol=1e-5)
    layout = torch.channels_last if channels_last else torch.contiguous_format
    assert result.is_contiguous(memory_format=layout)


def test_both_layouts_give_the_same_bits() -> None:
    images = torch.randint(0, 256, (3, 3, 9, 4), dtype=torch.uint8)
    first, last = Normaliser(CONTRACT), Normaliser(CONTRACT)
    last.channels_last = True
    assert torch.equal(first(images), last(images))


def test_the_chain_is_the_forward_pass() -> None:
    attention = fakes.choice("attention", lambda channels: nn.Hardswish(), "fake-attention")
    model = assemble(fakes.recipe(model=fakes.model(attention=attention)), fakes.LABELS).eval()
    images = torch.randint(0, 256, (4, 3, 16, 16), dtype=torch.uint8)
    names = [name for name, _ in model.chain()]
    assert names[:5] == [
        "normaliser",
        "backbone.stages.0",
        "backbone.stages.1",
        "backbone.stages.2",
        "attention",
    ]
    assert names[5:] == [f"head.{i}" for i in range(7)]
    whole = model.head(model.attention(model.backbone(model.normaliser(images))))
    assert torch.equal(run(model.chain(), images), whole)


def test_a_sequential_with_a_forward_of_its_own_stays_whole() -> None:
    class Doubled(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            result: torch.Tensor = 2 * super().forward(x)
            return result

    def build(channels: int, labels: Any) -> nn.Module:
        return Doubled(*fakes.head(channels, labels))

    spec = fakes.model(head=fakes.choice("head", build))
    model = assemble(fakes.recipe(model=spec), fakes.LABELS)
    assert [name for name, _ in model.chain()][-1] == "head"


def test_weights_follow_the_seed_part_by_part() -> None:
    se = fakes.choice("attention", lambda channels: nn.Conv2d(channels, channels, 1), "conv")
    plain = assemble(fakes.recipe(), fakes.LABELS).state_dict()
    again = assemble(fakes.recipe(), fakes.LABELS).state_dict()
    attended = assemble(fakes.recipe(model=fakes.model(attention=se)), fakes.LABELS).state_dict()
    other = assemble(fakes.recipe(seed=5), fakes.LABELS).state_dict()
    assert fakes.same(plain, again)
    assert torch.equal(plain["head.2.weight"], attended["head.2.weight"])
    assert not torch.equal(plain["head.2.weight"], other["head.2.weight"])


def without(name: str) -> Any:
    def build() -> nn.Module:
        backbone = fakes.Backbone()
        if name == "stages":
            del backbone.stages
        else:
            setattr(backbone, name, None)
        return backbone

    return build


class Pair(nn.Module):
    def forward(self, x: torch.Tensor) -> Any:
        return x, x


def wrong_channels() -> nn.Module:
    backbone = fakes.Backbone()
    backbone.channels = 17
    return backbone


def fails() -> nn.Module:
    raise ZeroDivisionError("oh")


@pytest.mark.parametrize(
    ("part", "build", "message"),
    [
        ("backbone", without("stages"), "no 'stages'"),
        ("backbone", without("channels"), "'channels'"),
        ("backbone", without("contract"), "contract.mean"),
        ("backbone", wrong_channels, r"gives shape \(2, 16, 2, 2\).*it must be \(2, 17, h, w\)"),
        ("backbone", fails, r"failed in \w+: ZeroDivisionError: oh"),
        ("backbone", lambda: 3, "built a int"),
        ("attention", lambda channels: nn.MaxPool2d(2), "keeps the shape"),
        (
            "attention",
            lambda channels: nn.Conv2d(5, 5, 1),
            r"fails on feature maps \(2, 16, 2, 2\)",
        ),
        ("head", lambda channels, labels: nn.Flatten(), r"must be \(2, 3\)"),
        ("head", lambda channels, labels: Pair(), "gives a tuple"),
    ],
)
def test_a_part_that_breaks_its_contract_is_named_with_its_owner(
    part: str, build: Any, message: str
) -> None:
    spec: ModelSpec = fakes.model(**{part: fakes.choice(part, build, "odd")})
    with pytest.raises(PluginError, match=message) as caught:
        assemble(fakes.recipe(model=spec), fakes.LABELS)
    assert f"{part} 'odd' (from fakes 1.0)" in str(caught.value)


def test_images_that_are_too_small_are_the_recipes_mistake() -> None:
    def deep() -> nn.Module:
        backbone = fakes.Backbone()
        backbone.stages.append(nn.MaxPool2d(4))
        return backbone

    spec = fakes.model(backbone=fakes.choice("backbone", deep, "deep"))
    with pytest.raises(PluginError, match=r"takes no images of 16 px .*raise image.size") as caught:
        assemble(fakes.recipe(model=spec), fakes.LABELS)
    assert caught.value.code == 2


def test_what_is_not_available_stays_so() -> None:
    def build() -> nn.Module:
        raise NotAvailable("no weights here")

    with pytest.raises(NotAvailable, match="no weights here"):
        assemble(
            fakes.recipe(model=fakes.model(backbone=fakes.choice("backbone", build))), fakes.LABELS
        )
