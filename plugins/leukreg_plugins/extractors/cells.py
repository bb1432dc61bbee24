"""The extractor "cells": a small network that was trained on real blood cells."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from leukreg import NotAvailable, expanded, plugin
from leukreg_plugins.weights import sha256

if TYPE_CHECKING:
    from torch import nn

SHIPPED = Path(__file__).with_name("cells.safetensors")


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
        from leukreg_plugins.nn.cell_features import CellFeatures
        from leukreg_plugins.nn.cellnet import load_cellnet

        return CellFeatures(load_cellnet(self._file()))

    def describe(self) -> dict[str, str]:
        """The file's SHA-256, and what it says of its training."""
        from leukreg_plugins.nn.cell_features import read_metadata

        path = self._file()
        return read_metadata(path) | {"digest": sha256(path)}

    def _file(self) -> Path:
        path = SHIPPED if self.path is None else expanded(self.path)
        if not path.is_file():
            raise NotAvailable(
                f"extractor 'cells': there is no weights file {path}; name another "
                "(cells:path/to/file.safetensors), or train one with experiments/cells.toml"
            )
        return path
