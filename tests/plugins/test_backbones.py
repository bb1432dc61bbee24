"""Backbones: stages that are the network, weights from files, and quick refusals."""

from __future__ import annotations

import hashlib
import socket
import threading
import time
from dataclasses import astuple
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from leukreg_plugins import plugins_in
from leukreg_plugins import pretrained_weights as weights_module
from leukreg_plugins.backbones import (
    Cellnet,
    DenseNet201,
    EfficientNetB0,
    ResNet18,
    ResNet50,
    Timm,
)
from leukreg_plugins.extractors import Cells
from leukreg_plugins.nn.timm_stages import cut
from leukreg_plugins.pretrained_weights import import_timm

from leukreg import LeukregError, NotAvailable

STAGES = {
    "resnet18": "stem layer1 layer2 layer3 layer4",
    "densenet121": "stem denseblock1 transition1 denseblock2 transition2 denseblock3 transition3 "
    "denseblock4",
    "efficientnet_b0": "stem blocks0 blocks1 blocks2 blocks3 blocks4 blocks5 blocks6 conv_head",
    "mobilenetv3_small_050": "stem blocks0 blocks1 blocks2 blocks3 blocks4 blocks5",
    "convnext_atto": "stem stages0 stages1 stages2 stages3",
    "vit_tiny_patch16_224": "stem " + " ".join(f"blocks{number}" for number in range(12)),
}


@pytest.fixture
def images() -> torch.Tensor:
    return torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(1))


@pytest.fixture(autouse=True)
def _an_empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)


def _no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> socket.socket:
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)


@pytest.mark.parametrize("name", STAGES)
def test_stages_in_order_are_timms_own_forward_pass(name: str, images: torch.Tensor) -> None:
    torch.manual_seed(0)
    module = Timm(model=name, weights="random").build().eval()
    torch.manual_seed(0)
    options = {"dynamic_img_size": True} if name.startswith("vit") else {}
    theirs = import_timm().create_model(name, num_classes=0, **options).eval()
    with torch.no_grad():
        value = images
        for stage in module.stages:
            value = stage(value)
        expected = theirs.forward_features(images)
    if expected.ndim == 3:
        expected = expected[:, 1:].transpose(1, 2).reshape(2, -1, 4, 4)
    assert torch.equal(value, expected)
    assert torch.equal(module(images), expected)
    assert value.shape[1] == module.channels
    assert " ".join(dict(module.stages.named_children())) == STAGES[name]


def test_stages_agree_in_training_too(images: torch.Tensor) -> None:
    torch.manual_seed(0)
    module = Timm(model="efficientnet_b0", weights="random").build()
    torch.manual_seed(0)
    theirs = import_timm().create_model("efficientnet_b0", num_classes=0)
    assert module.training
    assert torch.equal(module(images), theirs.forward_features(images))


@pytest.mark.parametrize(
    ("plugin", "channels", "parameters"),
    [(ResNet50, 2048, 23.5), (ResNet18, 512, 11.2), (EfficientNetB0, 1280, 4.0)],
)
def test_named_networks_are_what_their_listing_says(
    plugin: Any, channels: int, parameters: float
) -> None:
    module = plugin(weights="random").build()
    millions = sum(each.numel() for each in module.parameters()) / 1e6
    assert module.channels == channels
    assert round(millions, 1) == parameters
    assert f"{parameters} million" in plugin.__doc__
    assert f"{channels} channels" in plugin.__doc__
    assert module.contract.mean == (0.485, 0.456, 0.406)
    assert module.contract.std == (0.229, 0.224, 0.225)


def test_densenet201_is_what_its_listing_says() -> None:
    module = DenseNet201(weights="random").build()
    assert module.channels == 1920
    assert round(sum(each.numel() for each in module.parameters()) / 1e6, 1) == 18.1


def test_a_network_whose_parts_do_not_follow_one_another_is_not_cut() -> None:
    class Crossed(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.one = torch.nn.Conv2d(3, 3, 3)
            self.two = torch.nn.Conv2d(3, 3, 3)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self.one(self.two(x))

    torch.manual_seed(0)
    model, probe = Crossed().eval(), torch.randn(1, 3, 9, 9)
    with torch.no_grad():
        assert cut(model, probe, model(probe)) is None


def test_random_weights_follow_torchs_seed() -> None:
    built = []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        built.append(
            ResNet18(weights="random").build().state_dict()["stages.layer1.0.conv1.weight"]
        )
    assert torch.equal(built[0], built[1])
    assert not torch.equal(built[0], built[2])


@pytest.fixture
def trained() -> torch.nn.Module:
    torch.manual_seed(11)
    return import_timm().create_model("resnet18", num_classes=4).eval()


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_weights_of_a_file_are_the_ones_that_run(
    suffix: str, trained: torch.nn.Module, tmp_path: Path, images: torch.Tensor
) -> None:
    path = tmp_path / f"mine{suffix}"
    if suffix == ".pth":
        torch.save(trained.state_dict(), path)
    else:
        safetensors.torch.save_file(trained.state_dict(), path)
    plugin = ResNet18(weights=str(path))
    plugin.ready()
    module = plugin.build().eval()
    with torch.no_grad():
        assert torch.equal(module(images), trained.forward_features(images))  # type: ignore[operator]
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert plugin.describe() == {
        "model": "resnet18.a1_in1k",
        "weights": str(path),
        "sha256": digest,
    }


def test_weights_of_another_network_are_refused(trained: torch.nn.Module, tmp_path: Path) -> None:
    path = tmp_path / "resnet18.safetensors"
    safetensors.torch.save_file(trained.state_dict(), path)
    for other in (ResNet50, EfficientNetB0):
        with pytest.raises(LeukregError, match=r"resnet18\.safetensors"):
            other(weights=str(path)).build()


def test_weights_that_lack_or_exceed_the_networks_are_refused(
    trained: torch.nn.Module, tmp_path: Path
) -> None:
    state = trained.state_dict()
    path = tmp_path / "part.safetensors"
    part = {name: value for name, value in state.items() if not name.startswith("layer4.1")}
    safetensors.torch.save_file(part, path)
    with pytest.raises(LeukregError, match=r"it lacks layer4\.1\.bn1\.bias"):
        ResNet18(weights=str(path)).build()
    deeper = import_timm().create_model("resnet34", num_classes=0)
    safetensors.torch.save_file(deeper.state_dict(), path)
    with pytest.raises(LeukregError, match=r"it also has layer1\.2\.bn1\.bias"):
        ResNet18(weights=str(path)).build()


def test_files_that_are_no_weights_are_refused(tmp_path: Path) -> None:
    for suffix in (".pth", ".safetensors"):
        path = tmp_path / f"noise{suffix}"
        path.write_bytes(b"not weights at all" * 9)
        with pytest.raises(LeukregError, match="does not fit"):
            ResNet18(weights=str(path)).build()
    path = tmp_path / "pickle.pth"
    torch.save({"code": hashlib.sha256}, path)
    with pytest.raises(LeukregError, match="does not fit"):
        ResNet18(weights=str(path)).build()


def test_a_missing_file_can_be_replaced_by_a_fallback_a_typing_error_cannot() -> None:
    with pytest.raises(NotAvailable, match=r"there is no weights file .nowhere\.pth"):
        ResNet18(weights="nowhere.pth").ready()
    with pytest.raises(LeukregError, match="did you mean 'imagenet'") as caught:
        ResNet18(weights="imagnet").ready()
    assert not isinstance(caught.value, NotAvailable)


def test_random_weights_need_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    _no_network(monkeypatch)
    ResNet18(weights="random").ready()
    assert ResNet18(weights="random").describe() == {
        "model": "resnet18.a1_in1k",
        "weights": "random",
    }


def test_without_a_network_the_refusal_is_quick_and_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _no_network(monkeypatch)
    begun = time.perf_counter()
    with pytest.raises(NotAvailable, match=r'weights = "path/to/model\.safetensors"') as caught:
        ResNet50().ready()
    assert time.perf_counter() - begun < 1
    assert "timm/resnet50.a1_in1k" in str(caught.value)
    assert "Network is unreachable" in str(caught.value)


def test_a_network_that_never_answers_is_given_up_within_a_second(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never = threading.Event()
    monkeypatch.setattr(weights_module, "PROBE_SECONDS", 0.05)

    def wait(*_: Any, **__: Any) -> socket.socket:
        never.wait(60)
        raise TimeoutError

    monkeypatch.setattr(socket, "create_connection", wait)
    begun = time.perf_counter()
    with pytest.raises(NotAvailable, match="no answer from"):
        ResNet50().ready()
    assert time.perf_counter() - begun < 1
    never.set()


def test_offline_mode_is_honoured_without_a_try(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> None:
        pytest.fail("the network was touched")

    monkeypatch.setattr(socket, "create_connection", fail)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(NotAvailable, match="HF_HUB_OFFLINE is set"):
        EfficientNetB0().ready()


def test_the_hubs_cache_is_used_without_a_network(
    monkeypatch: pytest.MonkeyPatch, trained: torch.nn.Module, tmp_path: Path, images: torch.Tensor
) -> None:
    _no_network(monkeypatch)
    repository = tmp_path / "hub" / "models--timm--resnet18.a1_in1k"
    snapshot = repository / "snapshots" / "0123abc"
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text("0123abc")
    safetensors.torch.save_file(trained.state_dict(), snapshot / "model.safetensors")
    for plugin in (ResNet18(), Timm(model="resnet18")):
        plugin.ready()
        with torch.no_grad():
            assert torch.equal(plugin.build().eval()(images), trained.forward_features(images))  # type: ignore[operator]
        assert len(plugin.describe()["sha256"]) == 64


def test_a_download_that_fails_is_known_before_any_work_starts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import huggingface_hub

    def breaks(repo: str, name: str) -> str:
        raise OSError(f"connection lost while fetching {repo}/{name}")

    monkeypatch.setattr(weights_module, "unreachable", lambda url: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", breaks)
    with pytest.raises(NotAvailable, match="download failed: connection lost"):
        ResNet18().ready()


def test_a_download_is_made_once_and_used(
    monkeypatch: pytest.MonkeyPatch, trained: torch.nn.Module, tmp_path: Path, images: torch.Tensor
) -> None:
    import huggingface_hub

    path = tmp_path / "model.safetensors"
    asked: list[str] = []

    def download(repo: str, name: str) -> str:
        asked.append(f"{repo}/{name}")
        safetensors.torch.save_file(trained.state_dict(), path)
        return str(path)

    monkeypatch.setattr(weights_module, "unreachable", lambda url: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    plugin = ResNet18()
    plugin.ready()
    assert asked == ["timm/resnet18.a1_in1k/model.safetensors"]
    with torch.no_grad():
        assert torch.equal(plugin.build().eval()(images), trained.forward_features(images))  # type: ignore[operator]


@pytest.mark.parametrize("suffix", [".safetensors", ".pth"])
def test_cellnet_takes_the_weights_of_a_file(suffix: str, tmp_path: Path) -> None:
    torch.manual_seed(2)
    model = Cellnet().build().eval()
    path = tmp_path / f"cells{suffix}"
    if suffix == ".pth":
        torch.save(model.state_dict(), path)
    else:
        safetensors.torch.save_file(model.state_dict(), path)
    plugin = Cellnet(weights=str(path))
    plugin.ready()
    images = torch.randn(2, 3, 32, 32)
    with torch.no_grad():
        assert torch.equal(plugin.build().eval()(images), model(images))
        assert model(images).shape == (2, 128, 2, 2)
    assert len(plugin.describe()["sha256"]) == 64
    path.write_bytes(b"nothing of use")
    with pytest.raises(LeukregError, match="does not fit cellnet"):
        plugin.build()
    with pytest.raises(NotAvailable, match="no weights file"):
        Cellnet(weights="nowhere.pth").ready()


def test_cellnet_begins_with_the_weights_that_the_extractor_cells_has() -> None:
    plugin = Cellnet(weights="cells")
    plugin.ready()
    module, cells = plugin.build().eval(), Cells().build()
    images = torch.randint(256, (2, 3, 64, 64), dtype=torch.uint8)
    mean, std = (torch.tensor(each).view(3, 1, 1) for each in astuple(module.contract))
    with torch.no_grad():
        features = module((images / 255 - mean) / std).mean((2, 3))
        assert torch.allclose(features, cells(images), atol=1e-5)
    facts = plugin.describe()
    assert facts["weights"] == "cells (shipped with leukreg)"
    assert facts["sha256"] == Cells().describe()["digest"]
    with pytest.raises(LeukregError, match=r'neither "cells" nor .* did you mean \'cells\''):
        Cellnet(weights="cell").ready()


def test_an_unknown_timm_model_is_refused_with_a_suggestion() -> None:
    with pytest.raises(LeukregError, match="did you mean 'resnet50'"):
        Timm(model="resnet50_", weights="random").ready()
    with pytest.raises(LeukregError, match=r"did you mean 'resnet50\.a1_in1k'"):
        Timm(model="resnet50.a1_in1kk", weights="random").build()


def test_a_timm_model_without_published_weights_says_so() -> None:
    with pytest.raises(NotAvailable, match="timm publishes no weights"):
        Timm(model=_without_weights()).ready()


def _without_weights() -> str:
    timm = import_timm()
    pretrained = {name.split(".")[0] for name in timm.list_pretrained()}
    return next(name for name in timm.list_models() if name not in pretrained)


def test_all_backbones_are_listed() -> None:
    names = {cls.leukreg_name for cls in plugins_in("backbones")}  # type: ignore[attr-defined]
    assert names == {
        "resnet50", "densenet201", "efficientnet-b0", "resnet18", "timm", "cellnet",
        *(f"efficientnet-lite{number}" for number in range(3)),
        *(f"dinobloom-{size}" for size in "sblg"),
    }  # fmt: skip
