"""Models in formats that outlive leukreg, each checked in its own runtime before it is kept."""

from __future__ import annotations

import copy
import functools
import importlib.util
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from leukreg.engine.assembly import assemble
from leukreg.engine.bags import build_aggregator, class_labels, reads_features
from leukreg.engine.classifier import Classifier, Pooled, run
from leukreg.engine.mc_dropout import views
from leukreg.errors import LeukregError, NotAvailable, RunError
from leukreg.files import CHECKSUMS, settle, unwritable, write_file, write_stream, write_text
from leukreg.output_folder import new_folder, require_replaceable
from leukreg.predict.ensemble import together, without_weights
from leukreg.predict.inputs import given_images, image_of, read_batches
from leukreg.predict.model_card import INPUT, OUTPUT, contract, model_card
from leukreg.predict.patient_answers import aggregated, require_patients
from leukreg.predict.patient_export import (
    CELLS,
    PATIENT,
    WEIGHTS,
    DeployedAggregators,
    cooled,
    learns,
    width_of,
)
from leukreg.predict.trained_run import Trained
from leukreg.predict.training_images import learned_rows
from leukreg.prepare import labels_of
from leukreg.progress import SILENT, Progress, quiet
from leukreg.runs.codec import write_json

Pixels = NDArray[np.uint8]
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
        pixels, wanted, patients = _own_answers(trained, images)
        advance(note="writing")
        with new_folder(folder) as aside:
            files = _written(kind, trained, aside)
            advance(note="comparing")
            difference = _compared(kind, name, trained, aside, pixels, wanted, patients)
            advance(note="describing")
            about = contract(trained, name, files, len(pixels), difference)
            write_json(aside / CONTRACT, about)
            write_text(aside / CARD, model_card(trained.result, about, attribution))
            settle(aside)
            advance()
    return Exported(folder, (*files, CONTRACT, CARD, CHECKSUMS), len(pixels), difference)


def _own_answers(
    trained: Trained, images: Sequence[Path]
) -> tuple[Pixels, NDArray[np.float64], Mapping[int, NDArray[np.float64]]]:
    """Pixels ``(n, size, size, 3)`` of real images, and leukreg's probabilities of them; and those
    of a patient whose cells they all are, and of one of the first cell, by number of cells."""
    given = given_images(list(images) or _some_of(trained))
    size = trained.recipe.read_image.size
    unreadable: list[str | None] = [None] * len(given)
    first = next(read_batches(given, size, CHECKED, unreadable, marks=False), None)
    if first is None:
        raise NotAvailable(
            "an export is compared with leukreg on real images, and none of the run's own is "
            "still there; name some with --images"
        )
    seen, n = trained.scan([given[row] for row in first.rows], dropout=False), len(first.rows)
    patients = {}
    if trained.result.patients is not None:
        bags = [range(n), range(1)]
        p, _ = aggregated(trained.result, trained.recipe, trained.aggregators, seen, bags)
        patients = {n: p[0], 1: p[1]}
    return first.pixels(size), together(seen, trained.result).probabilities, patients


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
    patients: Mapping[int, NDArray[np.float64]],
) -> float:
    """The largest difference, one batch and one by one: a batch size must not be built in.

    Raises:
        RunError: It is above the tolerance, or the runtime cannot run the model.
    """
    difference = 0.0
    for n in (len(pixels), 1):
        try:
            with torch.no_grad():
                found = [(kind.answer(trained, folder, pixels[:n]), wanted[:n])]
                if n in patients:
                    found.append((kind.patient(trained, folder, pixels[:n]), patients[n]))
        except Exception as error:
            said = f"the exported model does not run: {_first_line(error)}; nothing was written"
            raise RunError(said) from error
        for own, asked in found:
            alike = own.shape == asked.shape
            difference = max(difference, np.abs(own - asked).max() if alike else math.inf)
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
    over folds are inside; MC dropout is not, since dropout is off. Of a run that answers about
    patients a second output ``(n, folds, width)`` is what the folds' aggregators read.
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
        self.of_patients = trained.result.patients is not None
        self.pooled = Pooled() if self.of_patients and reads_features(trained.recipe) else None

    def forward(self, images: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        found, cells = [], []
        for model, temperature in zip(self.folds, self.temperatures, strict=True):
            pixels = model.preprocessing(images).permute(0, 3, 1, 2)  # type: ignore[operator]
            maps = [run(model.front(), view) for view in views(pixels, self.views)]  # type: ignore[operator]
            p = torch.stack([model.head(one).float().softmax(-1) for one in maps]).mean(0)  # type: ignore[operator]
            cells.append(self.pooled(maps[0]) if self.pooled else p)
            found.append(cooled(p, temperature))
        together = torch.stack(found).mean(0)
        return (together, torch.stack(cells, 1)) if self.of_patients else together


@dataclass(frozen=True, slots=True)
class Part:
    """A network of an export: the model of images, or the aggregators of patients."""

    name: str
    build: Callable[[], nn.Module]
    example: Tensor
    takes: str
    gives: tuple[str, ...]


MODEL, AGGREGATOR = "model", "aggregator"


def parts(trained: Trained) -> dict[str, Part]:
    """The networks of a run, by name; an aggregator that has learned nothing is none."""
    size, patients = trained.recipe.read_image.size, trained.result.patients is not None
    example = torch.zeros((2, size, size, 3), dtype=torch.uint8)
    gives = (OUTPUT, CELLS) if patients else (OUTPUT,)
    found = [Part(MODEL, lambda: Deployed(trained), example, INPUT, gives)]
    if learns(trained):
        example = torch.zeros((3, len(trained.models), width_of(trained)))
        gives = (PATIENT, WEIGHTS)
        built = functools.partial(DeployedAggregators, trained)
        found.append(Part(AGGREGATOR, built, example, CELLS, gives))
    return {part.name: part for part in found}


class Format:
    """One way to write a run's networks down."""

    needs: ClassVar[tuple[str, ...]] = ()
    """Modules that it cannot do without."""
    file: ClassVar[str]
    """Of a part, by its name."""

    def write(self, trained: Trained, folder: Path) -> tuple[str, ...]:
        """Write the files and return their names."""
        found = {self.file.format(name): part for name, part in parts(trained).items()}
        for name, part in found.items():
            self.save(part, folder / name)
        return tuple(found)

    def save(self, part: Part, path: Path) -> None:
        """Write a part down."""
        raise NotImplementedError

    def outputs(
        self, trained: Trained, folder: Path, name: str, given: NDArray[Any]
    ) -> tuple[NDArray[Any], ...]:
        """What the part of this name, read from its files in their own runtime, makes of ``given``:
        images ``(n, size, size, 3)``, or cells ``(n, folds, width)``."""
        raise NotImplementedError

    def answer(self, trained: Trained, folder: Path, pixels: Pixels) -> NDArray[np.float64]:
        """Probabilities of images ``(n, size, size, 3)``."""
        return self.outputs(trained, folder, MODEL, pixels)[0].astype(np.float64)

    def patient(self, trained: Trained, folder: Path, pixels: Pixels) -> NDArray[np.float64]:
        """Probabilities ``(k,)`` of the patient whose cells these are."""
        cells = self.outputs(trained, folder, MODEL, pixels)[1]
        if learns(trained):
            return self.outputs(trained, folder, AGGREGATOR, cells)[0].astype(np.float64)
        return np.asarray(DeployedAggregators(trained)(torch.from_numpy(cells))[0], np.float64)


def _arrays(found: Tensor | tuple[Tensor, ...]) -> tuple[NDArray[Any], ...]:
    return tuple(one.numpy() for one in (found if isinstance(found, tuple) else (found,)))


class Onnx(Format):
    """ONNX, one graph for all folds, run by onnxruntime."""

    needs: ClassVar[tuple[str, ...]] = ("onnx", "onnxruntime", "onnxscript")
    file = "{}.onnx"

    def save(self, part: Part, path: Path) -> None:
        with quiet(*EXPORTERS):
            torch.onnx.export(
                part.build(),
                (part.example,),
                path,
                input_names=[part.takes],
                output_names=list(part.gives),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
                dynamo=True,
                external_data=False,
                verbose=False,
            )

    def outputs(
        self, trained: Trained, folder: Path, name: str, given: NDArray[Any]
    ) -> tuple[NDArray[Any], ...]:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(
            folder / self.file.format(name), options, providers=["CPUExecutionProvider"]
        )
        part = parts(trained)[name]
        return tuple(session.run(list(part.gives), {part.takes: given}))


class TorchExport(Format):
    """A program of torch.export, one for all folds, run by PyTorch alone."""

    file = "{}.pt2"

    def save(self, part: Part, path: Path) -> None:
        with quiet(*EXPORTERS), torch.no_grad():
            program = torch.export.export(
                part.build(),
                (part.example,),
                dynamic_shapes=({0: torch.export.Dim("batch")},),
            )
            write_stream(path, lambda file: torch.export.save(program, file))

    def outputs(
        self, trained: Trained, folder: Path, name: str, given: NDArray[Any]
    ) -> tuple[NDArray[Any], ...]:
        with quiet(*EXPORTERS), torch.no_grad():
            program = torch.export.load(folder / self.file.format(name))
            return _arrays(program.module()(torch.from_numpy(given)))


class Safetensors(Format):
    """The weights alone, a safetensors file per fold, and the recipe that names their network."""

    recipe = "recipe.json"
    file = "{}-fold-{}.safetensors"

    def write(self, trained: Trained, folder: Path) -> tuple[str, ...]:
        classes = {MODEL: trained.result.samples.classes}
        modules: dict[str, list[nn.Module]] = {MODEL: [one.model for one in trained.models]}
        if learns(trained):
            classes[AGGREGATOR] = require_patients(trained.result).predictions.classes
            modules[AGGREGATOR] = [one.module for one in trained.aggregators]
        written = []
        for name, folds in modules.items():
            about = {"format": "pt", "classes": json.dumps(classes[name])}
            for one, module in zip(trained.models, folds, strict=True):
                weights = {n: v.cpu().contiguous() for n, v in module.state_dict().items()}
                written.append(self.file.format(name, one.fold))
                write_file(folder / written[-1], safetensors.torch.save(weights, about))
        write_json(folder / self.recipe, dict(trained.result.recipe))
        return (*written, self.recipe)

    def outputs(
        self, trained: Trained, folder: Path, name: str, given: NDArray[Any]
    ) -> tuple[NDArray[Any], ...]:
        recipe, samples = without_weights(trained.recipe) or trained.recipe, trained.result.samples
        modules: list[Any] = []
        for one in trained.models:
            if name == MODEL:
                modules.append(assemble(recipe, labels_of(recipe, samples, ())))
            else:
                labels = class_labels(recipe, samples)
                modules.append(build_aggregator(recipe, labels, width_of(trained)).module)
            file = folder / self.file.format(name, one.fold)
            modules[-1].load_state_dict(safetensors.torch.load_file(file))
        deployed = Deployed if name == MODEL else DeployedAggregators
        with torch.no_grad():
            return _arrays(deployed(trained, modules)(torch.from_numpy(given)))


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
