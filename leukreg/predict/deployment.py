"""Models in formats that outlive leukreg, each checked in its own runtime before it is kept."""

from __future__ import annotations

import copy
import importlib.util
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from leukreg.engine.assembly import assemble
from leukreg.engine.classifier import Classifier
from leukreg.engine.mc_dropout import views
from leukreg.errors import LeukregError, NotAvailable, RunError
from leukreg.files import CHECKSUMS, settle, unwritable, write_file, write_stream, write_text
from leukreg.output_folder import new_folder, require_replaceable
from leukreg.predict.ensemble import together, without_weights
from leukreg.predict.inputs import given_images, image_of, read_batches
from leukreg.predict.model_card import INPUT, OUTPUT, contract, model_card
from leukreg.predict.trained_run import Trained
from leukreg.predict.training_images import learned_rows
from leukreg.prepare import labels_of
from leukreg.progress import SILENT, Progress, quiet
from leukreg.runs.codec import write_json

Pixels = NDArray[np.uint8]
TINY = 1e-30
"""Smallest probability whose logarithm is taken in float32."""
TOLERANCE = 1e-4
"""Largest difference of a probability that is put down to another order of adding."""
CHECKED = 16
"""Images on which the export is compared with leukreg."""
EXPORTERS = ("torch.onnx", "onnxscript", "torch.export")
"""Their talk of their own progress and deprecations is no concern of a reader."""
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


def _own_answers(trained: Trained, images: Sequence[Path]) -> tuple[Pixels, NDArray[np.float64]]:
    """Pixels ``(n, size, size, 3)`` of real images, and leukreg's probabilities of them."""
    given = given_images(list(images) or _some_of(trained))
    size = trained.recipe.read_image.size
    unreadable: list[str | None] = [None] * len(given)
    first = next(read_batches(given, size, CHECKED, unreadable, marks=False), None)
    if first is None:
        raise NotAvailable(
            "an export is compared with leukreg on real images, and none of the run's own is "
            "still there; name some with --images"
        )
    seen = trained.scan([given[row] for row in first.rows], dropout=False)
    return first.pixels(size), together(seen, trained.result).probabilities


def _some_of(trained: Trained) -> list[Path | Image.Image]:
    rows = [trained.result.samples.rows[row] for row in learned_rows(trained.result)]
    there = [row for row in rows if row.origin != "synthetic" or len(rows) < CHECKED]
    there = [row for row in there if Path(row.path).is_file()]
    count = min(len(there), CHECKED)
    chosen = (there[i * len(there) // count] for i in range(count))
    return [image_of(Path(row.path), row.box) for row in chosen]


def _written(kind: Format, trained: Trained, folder: Path) -> tuple[str, ...]:
    try:
        return kind.write(trained, folder)
    except LeukregError:
        raise
    except OSError as error:  # the model has nothing to do with it
        raise unwritable(folder, error) from error
    except Exception as error:  # an exporter meets a network it cannot trace in its own words
        said = f"this model cannot be exported: {_first_line(error)}; try another format"
        raise RunError(said) from error


def _compared(
    kind: Format,
    name: str,
    trained: Trained,
    folder: Path,
    pixels: Pixels,
    wanted: NDArray[np.float64],
) -> float:
    """The largest difference, one batch and one by one: a batch size must not be built in.

    Raises:
        RunError: It is above the tolerance, or the runtime cannot run the model.
    """
    difference = 0.0
    for n in (len(pixels), 1):
        try:
            with torch.no_grad():
                found = kind.answer(trained, folder, pixels[:n])
        except Exception as error:
            said = f"the exported model does not run: {_first_line(error)}; nothing was written"
            raise RunError(said) from error
        alike = found.shape == wanted[:n].shape
        difference = max(difference, np.abs(found - wanted[:n]).max() if alike else math.inf)
    if not difference <= TOLERANCE:
        raise RunError(
            f"the {name} model differs from leukreg by {difference:.3g} on {len(pixels)} images, "
            f"more than {TOLERANCE:g}; nothing was written"
        )
    return float(difference)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {next(iter(str(error).strip().splitlines()), '')}"


class Deployed(nn.Module):
    """From uint8 images ``(n, size, size, 3)``, RGB, to probabilities ``(n, k)`` in float32.

    Preprocessing, normalising, turned views of test-time augmentation, calibration and the mean
    over folds are inside; MC dropout is not, since dropout is off.
    """

    def __init__(self, trained: Trained, models: Iterable[Classifier] | None = None) -> None:
        """Copies on the CPU of the run's models, or of others in their place."""
        super().__init__()
        heat = trained.result.fitted.temperature_by_fold()
        tta = trained.recipe.evaluate.tta
        own = models or [one.model for one in trained.models]
        self.folds = nn.ModuleList(copy.deepcopy(one).cpu() for one in own)
        for one in self.folds:
            one.set_channels_last(False)  # type: ignore[operator]
        self.eval().requires_grad_(False)
        self.temperatures = [heat.get(one.fold, 1.0) if heat else None for one in trained.models]
        self.views = tta.views if tta else 1

    def forward(self, images: Tensor) -> Tensor:
        found = []
        for model, temperature in zip(self.folds, self.temperatures, strict=True):
            pixels = model.preprocessing(images).permute(0, 3, 1, 2)  # type: ignore[operator]
            seen = [model(view).float().softmax(-1) for view in views(pixels, self.views)]
            p = torch.stack(seen).mean(0)
            if temperature is not None:
                p = (p.clamp(min=TINY).log() / temperature).softmax(-1)
            found.append(p)
        return torch.stack(found).mean(0)


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


class Onnx:
    """ONNX, one graph for all folds, run by onnxruntime."""

    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime", "onnxscript")
    file = "model.onnx"

    def write(self, trained: Trained, folder: Path) -> tuple[str, ...]:
        with quiet(*EXPORTERS):
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


class TorchExport:
    """A program of torch.export, one for all folds, run by PyTorch alone."""

    needs: ClassVar[tuple[str, ...]] = ()
    file = "model.pt2"

    def write(self, trained: Trained, folder: Path) -> tuple[str, ...]:
        with quiet(*EXPORTERS), torch.no_grad():
            program = torch.export.export(
                Deployed(trained),
                (_example(trained),),
                dynamic_shapes={"images": {0: torch.export.Dim("batch")}},
            )
            write_stream(folder / self.file, lambda file: torch.export.save(program, file))
        return (self.file,)

    def answer(self, trained: Trained, folder: Path, pixels: Pixels) -> NDArray[np.float64]:
        with quiet(*EXPORTERS), torch.no_grad():
            program = torch.export.load(folder / self.file)
            found = program.module()(torch.from_numpy(pixels))
        return np.asarray(found.numpy(), dtype=np.float64)


class Safetensors:
    """The weights alone, a safetensors file per fold, and the recipe that names their network."""

    needs: ClassVar[tuple[str, ...]] = ()
    recipe = "recipe.json"
    file = "model-fold-{}.safetensors"

    def write(self, trained: Trained, folder: Path) -> tuple[str, ...]:
        about = {"format": "pt", "classes": json.dumps(trained.result.samples.classes)}
        names = [self.file.format(one.fold) for one in trained.models]
        for name, one in zip(names, trained.models, strict=True):
            weights = {n: v.cpu().contiguous() for n, v in one.model.state_dict().items()}
            write_file(folder / name, safetensors.torch.save(weights, about))
        write_json(folder / self.recipe, dict(trained.result.recipe))
        return (*names, self.recipe)

    def answer(self, trained: Trained, folder: Path, pixels: Pixels) -> NDArray[np.float64]:
        recipe = without_weights(trained.recipe) or trained.recipe
        models = []
        for one in trained.models:
            model = assemble(recipe, labels_of(recipe, trained.result.samples, ()))
            name = folder / self.file.format(one.fold)
            model.load_state_dict(safetensors.torch.load_file(name))
            models.append(model)
        with torch.no_grad():
            found = Deployed(trained, models)(torch.from_numpy(pixels))
        return np.asarray(found.numpy(), dtype=np.float64)


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
    size = trained.recipe.read_image.size
    return torch.zeros((2, size, size, 3), dtype=torch.uint8)
