"""The formats: how each is written, and how its own runtime reads it."""

from __future__ import annotations

import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray

from leukreg.engine.assembly import assemble
from leukreg.errors import LeukregError, NotAvailable
from leukreg.files import write_file, write_stream
from leukreg.predict.export.deployed import Deployed
from leukreg.predict.models import without_weights
from leukreg.predict.trained import Trained
from leukreg.prepare import labels_of
from leukreg.runs.codec import write_json

INPUT, OUTPUT = "images", "probabilities"
Pixels = NDArray[np.uint8]


class Format(Protocol):
    """One way to write a model down."""

    needs: ClassVar[tuple[str, ...]]
    """Modules that it cannot do without."""

    def write(self, trained: Trained, folder: Path) -> tuple[str, ...]:
        """Write the model's files and return their names."""
        ...

    def answer(self, trained: Trained, folder: Path, pixels: Pixels) -> NDArray[np.float64]:
        """Read the files in their own runtime; probabilities of images ``(n, size, size, 3)``."""
        ...


@dataclass(frozen=True)
class Onnx:
    """ONNX, one graph for all folds, run by onnxruntime."""

    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime", "onnxscript")
    file: str = "model.onnx"

    def write(self, trained: Trained, folder: Path) -> tuple[str, ...]:
        with _quiet():
            torch.onnx.export(
                Deployed(trained),
                (_example(trained),),
                folder / self.file,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        return (self.file,)

    def answer(self, trained: Trained, folder: Path, pixels: Pixels) -> NDArray[np.float64]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(
            folder / self.file, options, providers=["CPUExecutionProvider"]
        )
        (found,) = session.run([OUTPUT], {INPUT: pixels})
        return np.asarray(found, dtype=np.float64)


@dataclass(frozen=True)
class TorchExport:
    """A program of torch.export, one for all folds, run by PyTorch alone."""

    needs: ClassVar[tuple[str, ...]] = ()
    file: str = "model.pt2"

    def write(self, trained: Trained, folder: Path) -> tuple[str, ...]:
        with _quiet(), torch.no_grad():
            program = torch.export.export(
                Deployed(trained),
                (_example(trained),),
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            )
            write_stream(folder / self.file, lambda file: torch.export.save(program, file))
        return (self.file,)

    def answer(self, trained: Trained, folder: Path, pixels: Pixels) -> NDArray[np.float64]:
        with _quiet(), torch.no_grad():
            program = torch.export.load(folder / self.file)
            found = program.module()(torch.from_numpy(pixels))
        return np.asarray(found.numpy(), dtype=np.float64)


@dataclass(frozen=True)
class Safetensors:
    """The weights alone, a safetensors file per fold, and the recipe that names their network."""

    needs: ClassVar[tuple[str, ...]] = ()
    recipe: str = "recipe.json"

    def write(self, trained: Trained, folder: Path) -> tuple[str, ...]:
        from safetensors.torch import save

        names = []
        for one in trained.models:
            weights = {n: v.contiguous() for n, v in one.model.cpu().state_dict().items()}
            about = {"format": "pt", "classes": json.dumps(trained.result.samples.classes)}
            names.append(self._name(one.fold))
            write_file(folder / names[-1], save(weights, about))
            one.model.to(one.compute.device)
        write_json(folder / self.recipe, dict(trained.result.recipe))
        return (*names, self.recipe)

    def answer(self, trained: Trained, folder: Path, pixels: Pixels) -> NDArray[np.float64]:
        from leukreg.predict.models import FoldModel

        read = tuple(
            FoldModel(one.fold, self._read(trained, folder, one.fold), one.compute)
            for one in trained.models
        )
        again = Trained(trained.result, trained.recipe)
        vars(again)["models"] = read
        with torch.no_grad():
            found = Deployed(again)(torch.from_numpy(pixels))
        return np.asarray(found.numpy(), dtype=np.float64)

    def _read(self, trained: Trained, folder: Path, fold: int) -> Any:
        from safetensors.torch import load_file

        recipe = without_weights(trained.recipe) or trained.recipe
        model = assemble(recipe, labels_of(recipe, trained.result.samples, ()))
        model.load_state_dict(load_file(folder / self._name(fold)))
        return model.eval()

    def _name(self, fold: int) -> str:
        return f"model-fold-{fold}.safetensors"


FORMATS: Mapping[str, Format] = {
    "onnx": Onnx(),
    "torch-export": TorchExport(),
    "safetensors": Safetensors(),
}


def require(name: str) -> Format:
    """The format of this name.

    Raises:
        NotAvailable: What it needs is not installed; the message says what to install.
        LeukregError: There is none.
    """
    if name not in FORMATS:
        raise LeukregError(f"there is no format {name!r}; there are {', '.join(FORMATS)}")
    missing = [part for part in FORMATS[name].needs if importlib.util.find_spec(part) is None]
    if missing:
        raise NotAvailable(
            f"{name} needs {', '.join(missing)}: python -m pip install 'leukreg[export]' "
            "(about 120 MB), or choose another format"
        )
    return FORMATS[name]


def _example(trained: Trained) -> torch.Tensor:
    size = trained.recipe.image.size
    return torch.zeros((2, size, size, 3), dtype=torch.uint8)


@contextmanager
def _quiet() -> Iterator[None]:
    """The exporters' talk of their own progress and deprecations is no concern of a reader."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "torch.export")]
    levels = [logger.level for logger in loggers]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for logger in loggers:
            logger.setLevel(logging.ERROR)
        try:
            yield
        finally:
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)
