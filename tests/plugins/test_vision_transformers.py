"""Vision Transformers: a stage a block, sizes that patches fill, DinoBloom from two formats."""

from __future__ import annotations

import importlib.util
import socket
import time
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from leukreg_plugins.backbones import DinoBloomB, DinoBloomG, DinoBloomL, DinoBloomS, Timm
from leukreg_plugins.pretrained_weights import import_timm
from torch import nn

import leukreg
from leukreg import LeukregError, NotAvailable
from leukreg.engine.assembly import assemble
from leukreg.engine.frozen_prefix import frozen_length
from leukreg.engine.unfreeze import chosen, layers, unfreeze
from leukreg.errors import PluginError, PluginFault
from leukreg.predict.deployment import export
from leukreg.recipe import Recipe, parse
from leukreg.testing import check_backbone
from leukreg.types import Labels
from tests import trained

ALL: Any = (DinoBloomS, DinoBloomB, DinoBloomL, DinoBloomG)
LABELS = Labels(names=("a", "b"), counts=(1, 1))


def transformer(size: int) -> Recipe:
    return parse(f"""
schema = 1
[data]
use = "demo"
[image]
size = {size}
[model]
backbone = {{ use = "timm", model = "test_vit", weights = "random" }}
head = "linear"
[loss]
use = "cross-entropy"
[[phase]]
name = "head"
optimizer = "adamw"
""")


@pytest.mark.parametrize("cls", ALL)
def test_dinobloom_is_what_its_listing_says(cls: Any) -> None:
    with torch.device("meta"):  # the largest would take 4.5 GB
        model = import_timm().create_model(cls.timm_name, num_classes=0, img_size=224)
    millions = sum(each.numel() for each in model.parameters()) / 1e6
    assert f"{millions:,.1f} million parameters, {model.num_features} channels" in cls.__doc__


@pytest.mark.slow
def test_the_smallest_keeps_the_contract() -> None:
    check_backbone(DinoBloomS(weights="random"), size=56)


def of_timm(seed: int = 5) -> nn.Module:
    """The tiny network that stands for DinoBloom's here, trained for other sizes of images."""
    torch.manual_seed(seed)
    model: nn.Module = import_timm().create_model(
        "test_vit", num_classes=0, img_size=224, dynamic_img_size=True
    )
    return model.eval()


@pytest.mark.usefixtures("tiny_dinobloom")
def test_both_formats_give_the_same_network(tmp_path: Path) -> None:
    model = of_timm()
    state = model.state_dict()
    safetensors.torch.save_file(state, tmp_path / "hub.safetensors")
    teacher = {f"backbone.{name}": value for name, value in state.items()}
    teacher["backbone.mask_token"] = torch.zeros(1, 64)
    teacher["dino_head.mlp.0.weight"] = teacher["ibot_head.mlp.0.weight"] = torch.zeros(8, 64)
    torch.save({"teacher": teacher}, tmp_path / "DinoBloom-S.pth")
    bare = {name.removeprefix("backbone."): value for name, value in teacher.items()}
    backbone = {name: value for name, value in bare.items() if "_head" not in name}
    torch.save(backbone, tmp_path / "dinov2.pth")
    images = torch.randn(2, 3, 96, 96)
    with torch.no_grad():
        tokens = model.forward_features(images)  # type: ignore[operator]
    expected = tokens[:, 1:].transpose(1, 2).reshape(2, 64, 6, 6)
    for name in ("hub.safetensors", "DinoBloom-S.pth", "dinov2.pth"):
        plugin = DinoBloomS(weights=str(tmp_path / name))
        plugin.ready()
        with torch.no_grad():
            assert torch.equal(plugin.build().eval()(images), expected), name
        assert len(plugin.describe()["sha256"]) == 64


@pytest.mark.usefixtures("tiny_dinobloom")
def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    resnet = import_timm().create_model("test_resnet", num_classes=0).state_dict()
    safetensors.torch.save_file(resnet, tmp_path / "resnet.safetensors")
    with pytest.raises(LeukregError, match=r"resnet\.safetensors is not of the model"):
        DinoBloomS(weights=str(tmp_path / "resnet.safetensors")).build()
    wider = {f"backbone.{name}": torch.zeros(3) for name in of_timm().state_dict()}
    torch.save({"teacher": wider}, tmp_path / "wide.pth")
    with pytest.raises(LeukregError, match=r"wide\.pth does not fit the model"):
        DinoBloomS(weights=str(tmp_path / "wide.pth")).build()
    torch.save({"teacher": 3}, tmp_path / "three.pth")
    with pytest.raises(LeukregError, match=r"three\.pth does not fit the model"):
        DinoBloomS(weights=str(tmp_path / "three.pth")).build()
    with pytest.raises(LeukregError, match='neither "dinobloom" nor "random"'):
        DinoBloomS(weights="imagenet").ready()


@pytest.mark.parametrize("cls", ALL)
def test_without_a_hub_the_refusal_is_quick_and_names_it(
    cls: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from huggingface_hub import constants

    def refuse(*_: Any, **__: Any) -> socket.socket:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    monkeypatch.setattr(socket, "create_connection", refuse)
    begun = time.perf_counter()
    with pytest.raises(NotAvailable, match=r"1aurent/vit_\w+_patch14_224\.dinobloom are not in"):
        cls().ready()
    assert time.perf_counter() - begun < 1


def test_images_that_patches_do_not_fill_are_refused_with_sizes_that_they_do() -> None:
    for size in (40, 250):
        with pytest.raises(PluginError, match=r"images of \d+ px .*image.size = ") as caught:
            assemble(transformer(size), LABELS)
        assert not isinstance(caught.value, PluginFault)
    assert "image.size = 240 or 256 would be" in str(caught.value)
    with pytest.raises(PluginError, match=r"image\.size = 16 would be"):
        assemble(transformer(8), LABELS)


def test_blocks_are_unfrozen_from_the_last_one_on() -> None:
    model = assemble(transformer(48), LABELS)
    names = layers(model)
    assert names[0] == "stages.stem.model"  # its own are the embeddings of places and the token
    assert {name.split(".")[1] for name in chosen(model, 2)} == {"blocks4", "blocks5"}
    assert chosen(model, 0.5) == tuple(names[len(names) // 2 :])
    assert chosen(model, "all") == tuple(names)
    unfreeze(model, chosen(model, 2))
    model.eval()
    for module in model.backbone.modules():
        module.training = any(each.requires_grad for each in module.parameters())
    links = [name for name, _ in model.chain()[: frozen_length(model.chain())]]
    assert links[-1] == "backbone.stages.blocks3"


def test_a_network_that_passes_more_than_tokens_stays_whole() -> None:
    module = Timm(model="eva02_tiny_patch14_224", weights="random").build().eval()
    assert [name for name, _ in module.stages.named_children()] == ["features"]
    with torch.no_grad():
        assert module(torch.randn(1, 3, 224, 224)).shape == (1, 192, 16, 16)


@pytest.mark.slow
def test_a_run_of_one_is_explained_and_exported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(trained, "RECIPE", trained.RECIPE.replace("test_resnet", "test_vit"))
    folder = trained.train(tmp_path, ("[M] pro", "benign"), "{ test = 0.3 }", "", 8)
    loaded = leukreg.load(folder)
    files = [row.path for row in loaded.result.samples.rows[:3]]
    maps = leukreg.explanation(loaded, files)
    assert maps.shape == (3, 32, 32)
    assert set(maps.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}
    if importlib.util.find_spec("onnxscript"):  # interpolated embeddings become part of the graph
        assert export(loaded, "onnx", tmp_path / "out").difference <= 1e-4
