"""Extractors: networks in whose features real and synthetic images are compared."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from leukreg import (
    LeukregError,
    NotAvailable,
    expanded,
    import_torchvision,
    load_tensors,
    plugin,
)
from leukreg_plugins.pretrained_weights import CELLS, sha256, unreachable

if TYPE_CHECKING:
    from torch import Tensor, nn


@plugin("cells")
class Cells:
    """128 features of a small network trained on real blood cells; ships with leukreg.

    Trained by experiments/cells.toml on the cells of Acevedo et al. (Data in Brief 2020, CC BY 4.0)
    at 64 px: on 3,415 held-out cells of the same source it is right for 98.3 % of them. Works
    without a network; the default of `leukreg fidelity`.
    """

    path: str | None = None
    """A file with other weights of this network (backbone "cellnet", .safetensors)."""

    def ready(self) -> None:
        """Look whether the weights are there.

        Raises:
            NotAvailable: They are not.
        """
        self._file()

    def build(self) -> nn.Module:
        """From uint8 images of any size to their features; images are brought to 64 px.

        Raises:
            NotAvailable: The weights are not there.
            LeukregError: The file is not of this network.
        """
        from leukreg_plugins.nn.cellnet import CellFeatures, load_cellnet

        return CellFeatures(load_cellnet(self._file()))

    def describe(self) -> dict[str, str]:
        """The file's SHA-256, and what it says of its training."""
        from leukreg_plugins.nn.cellnet import read_metadata

        path = self._file()
        return read_metadata(path) | {"digest": sha256(path)}

    def _file(self) -> Path:
        path = CELLS.path if self.path is None else expanded(self.path)
        if not path.is_file():
            raise NotAvailable(
                f"extractor 'cells': there is no weights file {path}; name another "
                "(cells:path/to/file.safetensors), or train one with experiments/cells.toml"
            )
        return path


FILE = "weights-inception-2015-12-05-6726825d.pth"
ADDRESS = f"https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/{FILE}"
"""Where torch-fidelity publishes its weights; the name ends in the file's SHA-256."""
LAYER = "2048"
"""The layer of InceptionV3 that FID and KID are about, by its number of features."""


@plugin("inception")
class Inception:
    """2048 features of InceptionV3, torch-fidelity's own; figures compare with the literature.

    Trained on photographs of things, so that it sees less in cells than "cells" does. The weights
    (95 MB) are downloaded once, or taken from a path.
    """

    path: str | None = None
    """The weights file, .pth; by default the one in torch's cache, downloaded where absent."""

    def ready(self) -> None:
        """Have the weights on this machine; without a network it takes a second to say so.

        Raises:
            NotAvailable: They are not here and cannot be downloaded.
        """
        self._file()

    def build(self) -> nn.Module:
        """From uint8 images of any size to features; images are brought to 299 px.

        Raises:
            NotAvailable: The weights are not here and cannot be downloaded.
            LeukregError: The file is not of this network.
        """
        import torch

        import_torchvision()
        from torch_fidelity import FeatureExtractorInceptionV3

        class InceptionV3(FeatureExtractorInceptionV3):  # type: ignore[misc]
            dimensions = int(LAYER)

            def forward(self, images: Tensor) -> Tensor:
                found: tuple[Tensor, ...] = super().forward(images)
                return found[0]

        path = self._file()
        try:
            # torch-fidelity would load the file with whatever code is in it: hand it a clean copy.
            clean = io.BytesIO()
            torch.save(load_tensors(path), clean)
            clean.seek(0)
            return InceptionV3("inception", [LAYER], feature_extractor_weights_path=clean)
        except Exception as error:  # torch-fidelity raises its own
            reason = " ".join(str(error).split())[:300]
            raise LeukregError(f"{path} holds no weights of InceptionV3: {reason}") from error

    def describe(self) -> dict[str, str]:
        """The file's SHA-256."""
        return {"network": "InceptionV3 of torch-fidelity", "digest": sha256(self._file())}

    def _file(self) -> Path:
        if self.path is not None:
            path = expanded(self.path)
            if not path.is_file():
                raise NotAvailable(f"extractor 'inception': there is no weights file {path}")
            return path
        from torch import hub

        path = Path(hub.get_dir()) / "checkpoints" / FILE
        if path.is_file():
            return path
        reason = unreachable(ADDRESS)
        if reason is None:
            try:  # the file appears whole and with the right digest, or not at all
                path.parent.mkdir(parents=True, exist_ok=True)
                digest = FILE.rpartition("-")[2].removesuffix(".pth")
                hub.download_url_to_file(ADDRESS, str(path), hash_prefix=digest, progress=False)
                return path
            except (OSError, RuntimeError) as error:
                reason = f"download failed: {error}"
        raise NotAvailable(
            f"extractor 'inception': its weights are not on this machine, and cannot be had from "
            f"github.com ({reason}). On a machine with a network, download\n  {ADDRESS}\nand put "
            f"the file at\n  {path}\nor name it: --extractor inception:path/to/{FILE}; the "
            "extractor 'cells' needs no download"
        )


@plugin("run")
class RunBackbone:
    """The trained backbone of a run's first fold: its last feature map, averaged over the image."""

    path: str
    """The run folder, such as runs/v6-20261123-101500-ab12."""

    def ready(self) -> None:
        """Look whether the run and its model are there.

        Raises:
            NotAvailable: They are not.
        """
        from leukreg import Trained

        Trained.backbone(self.path)

    def build(self) -> nn.Module:
        """From uint8 images of any size to features; images are brought to the run's size.

        Raises:
            NotAvailable: The run folder or its model is not there.
            LeukregError: The model does not fit the run's recipe.
        """
        from leukreg import Trained

        return Trained.backbone(self.path).build()

    def describe(self) -> dict[str, str]:
        """The model file's SHA-256, the run and the recipe."""
        from leukreg import Trained

        found = Trained.backbone(self.path)
        return {**found.describe(), "digest": sha256(found.model_path)}
