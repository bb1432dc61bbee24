"""A model card in Markdown (Mitchell et al., Model cards for model reporting, 2019)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from leukreg import __version__
from leukreg.evaluate.scoring import declared, main_ones, of_classes
from leukreg.predict.trained_run import Trained
from leukreg.record import RunRecord
from leukreg.registry import installed
from leukreg.text import rounded, visible
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
    parts = [
        _head(result),
        ("## Input and output", *_interface(about)),
        ("## Data", *_data(result)),
        ("## Figures", *_figures(result)),
        ("## Findings of the audit", *_findings(result)),
        ("## Limits", *_limits(result, about)),
        ("## Licence and attribution", *_licence(result, attribution)),
    ]
    return visible("\n\n".join("\n".join(part) for part in parts)) + "\n"


def _head(result: RunRecord) -> tuple[str, ...]:
    title = result.recipe.get("title") or result.recipe.get("name") or result.name
    model = result.recipe.get("model")
    parts = model if isinstance(model, Mapping) else {}
    used = [_use(parts.get(part)) for part in ("backbone", "attention", "head")]
    return (
        f"# {_text(title)}",
        "",
        "**For research, not for diagnosis.** Not a medical device.",
        "",
        f"Run `{result.name}`, trained with leukreg: {', '.join(u for u in used if u)}. "
        f"{_count(len(result.folds), 'fold')}, seed {result.recipe.get('seed')}. "
        "The recipe is in the run folder.",
    )


def _use(choice: Any) -> str:
    if not isinstance(choice, Mapping):
        return ""
    weights = choice.get("weights")
    name = _text(choice.get("use"))
    return f"{name} ({_text(weights)} weights at the start)" if weights else name


def _interface(about: Mapping[str, Any]) -> Iterator[str]:
    given, found = about["input"], about["output"]
    yield from ("", f"Format {about['format']}: {', '.join(f'`{f}`' for f in about['files'])}.", "")
    yield f"- Input `{given['name']}`: {given['type']}, shape {given['shape']}, {given['colour']}."
    yield f"- Bring a picture to size so: {given['resize']}. Inside: {given['inside']}."
    yield f"- Output `{found['name']}`: {found['type']}, {found['shape']}; {found['meaning']}."
    yield f"- Classes in order: {', '.join(_text(name) for name in about['classes'])}."
    if about["threshold"]:
        cut = about["threshold"]
        yield f"- Answer {_text(cut['class'])} from a probability of {rounded(cut['at_least'], 4)}."
    if about["folds"] > 1:
        yield f"- The mean of {about['folds']} models, one per fold."
    if about["temperatures"]:
        yield "- Calibrated by temperature scaling, fitted on validation images."
    if about["mc_dropout"]:
        yield "- leukreg itself adds MC dropout; an exported model has none: one pass, no draw."
    seen = about["compared"]
    yield (
        f"- Compared with leukreg on {seen['images']} real images: largest difference of a "
        f"probability {seen['largest_difference']:.2g}."
    )


def _data(result: RunRecord) -> Iterator[str]:
    scored = Counter(result.predictions.label.tolist())
    learned = {row for fold in result.folds for row in (*fold.train, *fold.validation)}
    trained = Counter(result.samples.rows[row].label for row in learned)
    yield ""
    for notice in result.notices:
        yield f"**{_text(notice)}.** {_text(notice.why)}"
        yield ""
    yield from _table(
        ("class", "trained on", "scored"),
        [(name, f"{trained[name]:,}", f"{scored[index]:,}")
         for index, name in enumerate(result.samples.classes)],
    )  # fmt: skip
    yield ""
    origins = Counter(row.origin for row in result.samples.rows)
    patients = {row.patient for row in result.samples.rows} - {None}
    known = f"{len(patients):,} patients" if patients else "patients unknown"
    yield (
        f"{', '.join(f'{n:,} {origin}' for origin, n in origins.items())} images; {known}. "
        f"Data digest `{result.digests.data or 'not recorded'}`."
    )


def _figures(result: RunRecord) -> Iterator[str]:
    yield ""
    folds = len(result.folds)
    yield (
        "On held-out images, each scored by a model that had not seen it."
        if folds > 1
        else ("On held-out images.")
    )
    if folds > 1:
        yield (
            "They are the figures of single folds' models; the mean of them, which is what is "
            "exported, was not scored."
        )
    yield ""
    known = declared(installed())
    titles = {figure.name: figure.title for figure in main_ones(known)}
    whole = [score for score in result.scores if score.name in titles and score.label is None]
    yield from _table(
        ("figure", "value", "95 % interval"),
        [(titles[s.name], _value(s), _interval(s)) for s in whole],
    )
    how = next((s.why for s in whole if s.low is not None and s.why), "")
    yield from ("", f"Intervals: {how}." if how else "No intervals were made.", "")
    found = {(s.name, s.label): s for s in result.scores if s.label is not None}
    each = of_classes(known)
    yield from _table(
        ("class", *(figure.title for figure in each)),
        [(name, *(_cell(found.get((figure.name, name))) for figure in each))
         for name in result.predictions.classes],
    )  # fmt: skip


def _findings(result: RunRecord) -> Iterator[str]:
    yield ""
    if not result.findings:
        yield "The audit found nothing."
    for finding in result.findings:
        mark, first, second = finding.lines()
        yield f"- **{_text(mark)}**: {_text(first)} ({_text(second)})"


def _limits(result: RunRecord, about: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield (
        "- Not for diagnosis, nor for any decision on a patient: no clinical evaluation was made."
    )
    yield (
        "- The figures hold for images like those above: same microscope, stain, camera and choice "
        "of cells. Score images from elsewhere with `leukreg evaluate` before believing more."
    )
    yield f"- It answers one of its {len(about['classes'])} classes, whatever is shown to it."
    if not any(row.patient for row in result.samples.rows):
        yield "- Patients are unknown: figures may be too good for new patients."
    if any(row.origin != "real" for row in result.samples.rows):
        yield "- Not all training images are real cells (see Data)."


def _licence(result: RunRecord, attribution: str) -> Iterator[str]:
    weights = result.digests.weights
    yield ""
    yield (
        f"- Training images: {attribution}"
        if attribution
        else (
            "- Training images: their licence is not known to leukreg. If it asks for attribution, "
            "that must travel with this model (`leukreg export --attribution`)."
        )
    )
    if isinstance(weights, Mapping):
        said = ", ".join(_text(f"{key} {value}") for key, value in weights.items())
        yield f"- Network: {said}. Weights it started from have a licence of their own."
    yield "- Written by leukreg, which is under the MIT licence; that says nothing of the model."


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield f"|{'|'.join('---' for _ in head)}|"
    for row in rows:
        yield f"| {' | '.join(_text(cell) for cell in row)} |"


def _cell(score: Score | None) -> str:
    if score is None:
        return ""
    return " ".join(part for part in (_value(score), _interval(score)) if part)


def _value(score: Score) -> str:
    return "undefined" if score.value is None else rounded(score.value)


def _interval(score: Score) -> str:
    if score.low is None or score.high is None:
        return ""
    return f"({rounded(score.low)} to {rounded(score.high)})"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'' if n == 1 else 's'}"


def _text(value: object) -> str:
    """Text that Markdown takes as it is: no markup, no HTML, no emoji's name."""
    text = " ".join(visible(str(value)).split())
    return _MARKUP.sub(r"\\\g<0>", text)


def contract(
    trained: Trained, name: str, files: tuple[str, ...], images: int, difference: float
) -> dict[str, Any]:
    """Input, output, classes, threshold, and how the export was compared with leukreg."""
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
    }
