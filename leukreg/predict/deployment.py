"""Models in formats that outlive leukreg, each checked in its own runtime before it is kept."""

from __future__ import annotations

import copy
import importlib.util
import json
import logging
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukreg.engine.assembly import assemble
from leukreg.engine.classifier import Classifier
from leukreg.engine.mc_dropout import views
from leukreg.errors import LeukregError, NotAvailable, RunError
from leukreg.files import CHECKSUMS, settle, unwritable, write_file, write_stream, write_text
from leukreg.output_folder import new_folder, require_replaceable
from leukreg.predict.ensemble import together, without_weights
from leukreg.predict.inputs import Given, given_images
from leukreg.predict.model_card import INPUT, OUTPUT, contract, model_card
from leukreg.predict.trained_run import Trained
from leukreg.predict.training_images import learned_rows
from leukreg.prepare import labels_of
from leukreg.progress import SILENT, Progress
from leukreg.runs.codec import write_json

TOLERANCE = 1e-4
"""Largest difference of a probability that is put down to another order of adding."""
CHECKED = 16
"""Images on which the export is compared with leukreg."""
CARD, CONTRACT = "MODEL_CARD.md", "contract.json"


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    folder: Path
    files: tuple[str, ...]
    images: int
    """Real images on which both were compared."""
    difference: float
    """Largest difference of any probability."""


def export(
    trained: Trained,
    name: str,
    folder: Path,
    images: Sequence[Path] = (),
    attribution: str = "",
    progress: Progress = SILENT,
) -> Exported:
    """Write the models of a run, with a contract of their input and a model card beside them.

    Args:
        trained: The run.
        name: The format: "onnx", "torch-export" or "safetensors".
        folder: A new or empty folder.
        images: Real images to compare on; by default some of the run's own.
        attribution: What the licence of the training images asks to be said, for the card.
        progress: Told of the steps.

    Raises:
        DataError: ``folder`` cannot be replaced, or no image can be read.
        NotAvailable: The format's libraries are not installed, or there are no images to compare.
        RunError: The export gives other probabilities than leukreg; nothing is written.
    """
    kind = require(name)
    require_replaceable(folder)
    with progress.task(f"Exporting to {name}", 4) as advance:
        pixels, wanted = _own_answers(trained, images)
        advance(note="writing")
        with new_folder(folder) as aside:
            files = _written(kind, trained, aside)
            advance(note="comparing")
            difference = _compared(kind, name, trained, aside, pixels, wanted)
            advance(note="describing")
            about = contract(trained, name, files, len(pixels), difference)
            write_json(aside / CONTRACT, about)
            write_text(aside / CARD, model_card(trained.result, about, attribution))
            settle(aside)
            advance()
    return Exported(folder, (*files, CONTRACT, CARD, CHECKSUMS), len(pixels), difference)


def _own_answers(
    trained: Trained, images: Sequence[Path]
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Pixels ``(n, size, size, 3)`` of real images, and leukreg's probabilities of them."""
    given = given_images(list(images) or _some_of(trained))
    size = trained.recipe.image.size
    readable = (one for one in given if not isinstance(one.read(size, marks=False), str))
    read = list(islice(readable, CHECKED))
    if not read:
        raise NotAvailable(
            "an export is compared with leukreg on real images, and none of the run's own is "
            "still there; name some with --images"
        )
    found = together(trained.scan(read, dropout=False), trained.result).probabilities
    return np.stack([_pixels(one, size) for one in read]), found


def _some_of(trained: Trained) -> list[Path]:
    rows = [trained.result.samples.rows[row] for row in learned_rows(trained.result)]
    there = [Path(row.path) for row in rows if row.origin != "synthetic" or len(rows) < CHECKED]
    there = [path for path in there if path.is_file()]
    count = min(len(there), CHECKED)
    return [there[i * len(there) // count] for i in range(count)]


def _pixels(one: Given, size: int) -> NDArray[np.uint8]:
    picture = one.read(size)
    assert not isinstance(picture, str)
    return np.frombuffer(picture.pixels, np.uint8).reshape(size, size, 3).copy()


def _written(kind: Format, trained: Trained, folder: Path) -> tuple[str, ...]:
    try:
        return kind.write(trained, folder)
    except LeukregError:
        raise
    except OSError as error:  # the model has nothing to do with it
        raise unwritable(folder, error) from error
    except Exception as error:  # an exporter meets a network it cannot trace in its own words
        first = (str(error).strip().splitlines() or [""])[0]
        raise RunError(
            f"this model cannot be exported: {type(error).__name__}: {first}; try another format"
        ) from error


def _compared(
    kind: Format,
    name: str,
    trained: Trained,
    folder: Path,
    pixels: NDArray[np.uint8],
    wanted: NDArray[np.float64],
) -> float:
    """The largest difference, one batch and one by one: a batch size must not be built in.

    Raises:
        RunError: It is above the tolerance, or the runtime cannot run the model.
    """
    try:
        with torch.no_grad():
            whole = kind.answer(trained, folder, pixels)
            first = kind.answer(trained, folder, pixels[:1])
    except Exception as error:
        text = (str(error).strip().splitlines() or [""])[0]
        raise RunError(
            f"the exported model does not run: {type(error).__name__}: {text}; nothing was written"
        ) from error
    difference = max(_furthest(whole, wanted), _furthest(first, wanted[:1]))
    if not difference <= TOLERANCE:
        raise RunError(
            f"the {name} model differs from leukreg by {difference:.3g} on {len(pixels)} images, "
            f"more than {TOLERANCE:g}; nothing was written"
        )
    return difference


def _furthest(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    return float(np.abs(one - other).max()) if one.shape == other.shape else float("inf")


TINY = 1e-30
"""Smallest probability whose logarithm is taken in float32."""


class Deployed(nn.Module):
    """From uint8 images ``(n, size, size, 3)``, RGB, to probabilities ``(n, k)`` in float32.

    Normalising, turned views of test-time augmentation, calibration and the mean over folds are
    inside; MC dropout is not, since dropout is off.
    """

    def __init__(self, trained: Trained) -> None:
        super().__init__()
        heat = trained.result.fitted.temperature_by_fold()
        tta = trained.recipe.evaluate.tta
        self.folds = nn.ModuleList(plain(one.model) for one in trained.models)
        self.temperatures = [heat.get(one.fold, 1.0) if heat else None for one in trained.models]
        self.views = tta.views if tta else 1

    def forward(self, images: Tensor) -> Tensor:
        pixels = images.permute(0, 3, 1, 2)
        found = []
        for model, temperature in zip(self.folds, self.temperatures, strict=True):
            seen = [model(view).float().softmax(-1) for view in views(pixels, self.views)]
            p = torch.stack(seen).mean(0)
            if temperature is not None:
                p = (p.clamp(min=TINY).log() / temperature).softmax(-1)
            found.append(p)
        return torch.stack(found).mean(0)


def plain(model: Classifier) -> Classifier:
    """A copy on the CPU, in eval mode and the usual memory layout."""
    own = copy.deepcopy(model).cpu().eval()
    own.set_channels_last(False)
    return own.requires_grad_(False)


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
        from leukreg.predict.ensemble import FoldModel

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
