"""Backbones: timm's networks, cut into ordered stages, and a small one for single cells."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from leukreg import LeukregError, NotAvailable, plugin
from leukreg_plugins.pretrained_weights import FILES, HubWeights, local_file, sha256

if TYPE_CHECKING:
    from leukreg_plugins.nn.timm_stages import StagedBackbone


@dataclass(frozen=True, kw_only=True)
class _Pretrained:
    """What all backbones here share: a model and where its weights come from."""

    timm_name: ClassVar[str]
    """The name of architecture and weights, ``architecture.tag`` of timm."""

    weights: str = "imagenet"
    """"imagenet": the weights timm publishes (its tag says what they were trained on), from the
    Hugging Face cache or, with a network, from its hub; "random": untrained; otherwise the path of
    a file with this network's weights (.safetensors, .pth), relative to the working directory."""

    def ready(self) -> None:
        """Have the weights on this machine: a download that fails, fails before any work starts.

        Without a network it takes a second to say so.

        Raises:
            NotAvailable: They are not on this machine and cannot be downloaded.
            LeukregError: ``weights`` is no keyword and no weights file, or there is no such model.
        """
        self._full_name()
        self._file(download=True)

    def build(self) -> StagedBackbone:
        """The network without its classifier; random weights come from torch's seed.

        Raises:
            NotAvailable: The weights are not on this machine and cannot be downloaded.
            LeukregError: The weights file is not of this network.
        """
        from leukreg_plugins.nn.timm_stages import staged

        return staged(self._full_name(), self._file(download=True))

    def describe(self) -> dict[str, str]:
        """Model, origin of its weights and, where there is a file, its SHA-256."""
        facts = {"model": self._full_name(), "weights": self.weights}
        if (hub := self._hub()) is not None:
            facts["weights"] = f"imagenet ({hub.repo})"
        path = self._file(download=False)
        return facts if path is None else facts | {"sha256": sha256(path)}

    def _full_name(self) -> str:
        return self.timm_name

    def _hub(self) -> HubWeights | None:
        """Where the weights are published, if the published ones are wanted."""
        return HubWeights(f"timm/{self.timm_name}") if self.weights == "imagenet" else None

    def _file(self, download: bool) -> Path | None:
        if self.weights == "random":
            return None
        if (hub := self._hub()) is not None:
            return hub.fetch() if download else hub.cached()
        return local_file(self.weights)


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


@plugin("timm")
class Timm(_Pretrained):
    """Any image network of the timm library, by its name.

    A network whose parts do not simply follow one another becomes a single stage.
    """

    model: str = "mobilenetv3_small_100.lamb_in1k"
    """timm's name of the architecture, with or without a tag for the weights."""

    def _full_name(self) -> str:
        return _known(self.model)

    def _hub(self) -> HubWeights | None:
        return _published(self._full_name()) if self.weights == "imagenet" else None


@plugin("cellnet")
class Cellnet(_Pretrained):
    """A small residual network for single cells of 32 to 128 px, 1.0 million parameters.

    Quick to train from scratch on a CPU. Its 128 channels are what the extractor "cells" uses.
    """

    timm_name = "cellnet"

    weights: str = "random"
    """"random": untrained; otherwise the path of a file with this network's weights
    (.safetensors, .pth), relative to the working directory."""

    def build(self) -> StagedBackbone:
        """The network; random weights come from torch's seed.

        Raises:
            NotAvailable: The weights file is not on this machine.
            LeukregError: It is not of this network.
        """
        from leukreg_plugins.nn.cellnet import CellNet, load_cellnet

        path = self._file(download=False)
        return CellNet() if path is None else load_cellnet(path)

    def _hub(self) -> None:
        """Nobody publishes weights of it."""


def _known(name: str) -> str:
    """timm's full ``architecture.tag`` for a name, or the name where no weights are published."""
    from leukreg_plugins.pretrained_weights import import_timm

    timm = import_timm()
    tags = timm.list_pretrained()
    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture) or (tag and name not in tags):
        choice = tags if tag else timm.list_models()
        close = difflib.get_close_matches(name, choice, n=1) or difflib.get_close_matches(
            architecture, timm.list_models(), n=1
        )
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise LeukregError(f"timm {timm.__version__} has no model {name!r}{hint}")
    config = timm.get_pretrained_cfg(name)
    return f"{architecture}.{config.tag}" if config is not None and config.tag else name


def _published(tag: str) -> HubWeights:
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


BACKBONES: list[type] = [ResNet50, DenseNet201, EfficientNetB0, ResNet18, Timm, Cellnet]
