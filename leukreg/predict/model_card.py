"""A model card in Markdown (Mitchell et al., Model cards for model reporting, 2019)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from leukreg import __version__
from leukreg.evaluate.scoring import declared, main_ones, of_classes
from leukreg.predict.patient_export import patients_contract
from leukreg.predict.trained_run import Trained
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.text import counted, rounded, visible
from leukreg.types import Score

INPUT, OUTPUT = "images", "probabilities"
"""Names of what an exported model takes and gives."""
_MARKUP = re.compile(r"[\\`*_\[\]<>|#&~$]|:(?=[\w+-]+:)")


def model_card(result: RunRecord, about: Mapping[str, Any], attribution: str = "") -> str:
    """Data, figures with their intervals, findings and limits of a run, for whoever gets its model.

    Args:
        result: The run.
        about: The contract of the export (see :func:`leukreg.predict.model_card.contract`).
        attribution: What the licence of the training images asks to be said.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    known, samples = declared(installed()), result.samples
    titles = {figure.name: figure.title for figure in main_ones(known)}
    of = result.about_patients.scores if result.patients else ()
    whole, of_patients = (
        [score for score in scores if score.name in titles and score.label is None]
        for scores in (result.scores, of)
    )
    learned = {row for fold in result.folds for row in (*fold.train, *fold.validation)}
    model: Any = result.recipe.get("model") or {}
    environment = Environment(
        loader=PackageLoader("leukreg.predict"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"text": _text, "rounded": rounded, "counted": counted}
    card = environment.get_template("model_card.md.j2").render(
        result=result,
        about=about,
        attribution=attribution,
        parts=[model[part] for part in ("backbone", "attention", "head") if model.get(part)],
        trained=Counter(samples.rows[row].label for row in learned),
        scored=Counter(result.predictions.label.tolist()),
        origins=Counter(row.origin for row in samples.rows),
        patients=len({row.patient for row in samples.rows} - {None}),
        titles=titles,
        whole=whole,
        of_patients=of_patients,
        tested=len(set(result.patients.predictions.id)) if result.patients else 0,
        how=_how(whole),
        how_of_patients=_how(of_patients),
        of_class=of_classes(known),
        found={(score.name, score.label): score for score in result.scores},
    )
    return visible(card) + "\n"


def _how(scores: Iterable[Score]) -> str:
    """How their intervals were made; empty without any."""
    return next((score.why for score in scores if score.low is not None and score.why), "")


def _text(value: object) -> str:
    """Text that Markdown takes as it is: no markup, no HTML, no emoji's name."""
    text = " ".join(visible(str(value)).split())
    return _MARKUP.sub(r"\\\g<0>", text)


def contract(
    trained: Trained, name: str, files: tuple[str, ...], images: int, difference: float
) -> dict[str, Any]:
    """Input, output, classes, threshold, how the export was compared with leukreg, and patients."""
    result, recipe = trained.result, trained.recipe
    size = recipe.read_image.size
    spec = recipe.evaluate
    threshold = result.threshold
    steps = [f"preprocessing {choice.name}" for choice in recipe.preprocessing]
    return {
        "run": result.name,
        "format": name,
        "files": list(files),
        "leukreg": __version__,
        "input": {
            "name": INPUT,
            "type": "uint8",
            "shape": ["batch", size, size, 3],
            "colour": "RGB, 0 to 255",
            "resize": f"upright, squashed (not cropped) to {size} x {size} pixels with Pillow: "
            f"image.resize(({size}, {size}), Image.Resampling.BILINEAR, reducing_gap=3.0)",
            "inside": ", ".join([*steps, "normalising and everything after it"]),
        },
        "output": {
            "name": OUTPUT,
            "type": "float32",
            "shape": ["batch", len(result.samples.classes)],
            "meaning": "class probabilities in the order of classes; rows sum to 1",
        },
        "classes": list(result.samples.classes),
        "threshold": None
        if threshold is None
        else {"class": str(trained.classes_[trained.positive]), "at_least": threshold},
        "folds": len(trained.models),
        "views": spec.tta.views if spec.tta else 1,
        "temperatures": result.fitted.temperature_by_fold() or None,
        "mc_dropout": "not in the export" if spec.mc_dropout else None,
        "compared": {"images": images, "largest_difference": difference},
        "patients": None
        if result.patients is None
        else patients_contract(trained, [one for one in files if one.startswith("aggregator")]),
    }
