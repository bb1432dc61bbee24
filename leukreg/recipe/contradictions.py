"""Keys that are each right and do not go together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from leukreg.choices import line
from leukreg.errors import DataError
from leukreg.patient_results import patient_labels_of
from leukreg.recipe.format import show
from leukreg.recipe.mistakes import KeyPath, Mistakes, dotted, undotted
from leukreg.recipe.model import (
    DataSpec,
    EvaluateSpec,
    FoldsSpec,
    LossSpec,
    PatientsSpec,
    PhaseSpec,
    Recipe,
    SynthesisSpec,
    TrainingSpec,
)
from leukreg.recipe.reader import WRONG
from leukreg.types import Samples

Table = Mapping[str, Any]


def check_tables(parts: Mapping[str, Any], tree: Table, stated: Table, mistakes: Mistakes) -> None:
    """What the tables of a recipe say together.

    ``parts`` are the fields of a recipe, as far as they have no mistakes; ``tree`` is the recipe
    as plain data, and ``stated`` what of it somebody wrote: a default contradicts nothing.
    """
    data, synthesis, evaluate, training = (
        None if (part := parts.get(name)) is WRONG else part
        for name in ("data", "synthesis", "evaluate", "training")
    )
    phases = () if (part := parts.get("phases", ())) is WRONG else part
    _each_once(tree.get("phase"), "name", ("phase",), mistakes)
    waived = tree.get("audit")
    waived = waived.get("waive") if isinstance(waived, dict) else None
    _each_once(waived, "rule", ("audit", "waive"), mistakes)
    check_layers(phases, training, mistakes)
    patients = parts.get("patients")
    if patients is not WRONG:
        check_bags(phases, patients, mistakes)
    if data is not None:
        check_folds(data.folds, _inner(_inner(stated, "data"), "folds"), mistakes)
        check_phases(phases, data.folds, mistakes)
        classes = data.source.options.get("classes")
        if isinstance(classes, Mapping):  # a source that maps its classes has named them all
            # Patients may have two classes where cells have more; only their labels tell.
            of_cells = evaluate if patients is None else None
            check_classes(list(classes), of_cells, synthesis, mistakes)
    if evaluate is not None:
        check_evaluate(evaluate, _inner(stated, "evaluate"), data, mistakes)
    if synthesis is not None:
        check_synthesis(synthesis, mistakes)


def _inner(table: Table, key: str) -> Table:
    """The table in a table as written; an empty one where there is none."""
    value = table.get(key)
    return value if isinstance(value, dict) else {}


def _each_once(tables: Any, key: str, path: KeyPath, mistakes: Mistakes) -> None:
    """No two tables of a list may be about the same."""
    listed = tables if isinstance(tables, list) else []
    names = [item.get(key) if isinstance(item, dict) else None for item in listed]
    for number, name in enumerate(names):
        if isinstance(name, str) and name in names[:number]:
            first = dotted((*path, names.index(name)))
            words = f"already the name of {first}; each needs its own"
            message = f"{show(name)} is {words if key == 'name' else 'already waived above'}"
            mistakes.add((*path, number, key), message)


def check_folds(folds: FoldsSpec, stated: Table, mistakes: Mistakes) -> None:
    """``stated`` is the table as written: a default contradicts nothing."""
    path: KeyPath = ("data", "folds")

    def clash(key: str, other: str, message: str, why: str = "") -> None:
        if key in stated:
            origin = mistakes.origin((*path, other), (*path, key))
            mistakes.add((*path, key), f"{message}{origin}{why}")

    if folds.use == "given":
        for key in ("k", "test"):
            why = ": the source says which rows are tested"
            clash(key, "use", 'means nothing with use = "given"', why)
        return
    if folds.k is not None:
        clash("test", "k", "does not go with k", ": with k folds every row is tested once")
    if folds.validation_is_test and folds.validation and "validation" in stated:
        other = "validation_is_test"
        clash("validation", other, f"does not go with {other}", ", which takes the test rows")


def has_validation(folds: FoldsSpec) -> bool:
    """Whether there will be rows to watch during training (a given split may hold some)."""
    return folds.use == "given" or folds.validation_is_test or folds.validation > 0


def _none(mistakes: Mistakes, beside: KeyPath) -> str:
    """Why there are no validation rows."""
    return f"data.folds.validation is 0{mistakes.origin(('data', 'folds', 'validation'), beside)}"


def check_phases(phases: Sequence[PhaseSpec], folds: FoldsSpec, mistakes: Mistakes) -> None:
    """A phase can only watch rows that there are, with the weights that it keeps."""
    for number, phase in enumerate(phases):
        if phase is WRONG:
            continue
        watched = has_validation(folds)
        if (phase.monitor or "").startswith("validation") and not watched:
            path: KeyPath = ("phase", number, "monitor")
            mistakes.add(path, f"there are no validation rows to watch: {_none(mistakes, path)}")
        if phase.ema and phase.restore_best and (phase.monitor == "train_loss" or not watched):
            path = ("phase", number, "ema")
            why = 'monitor is "train_loss"' if watched else _none(mistakes, path)
            mistakes.add(
                path,
                "no epoch's average is known to be the best: the training loss is that of the "
                f"weights under way, and {why}; write restore_best = false for the last average",
            )


def check_layers(
    phases: Sequence[PhaseSpec], training: TrainingSpec | None, mistakes: Mistakes
) -> None:
    """What changes the training of the backbone needs a phase that trains it."""
    kept = training is None or training.feature_views != 0
    for number, phase in enumerate(phases):
        if phase is WRONG or phase.unfreeze != 0:
            continue
        if phase.layer_decay is not None:
            path: KeyPath = ("phase", number, "layer_decay")
            mistakes.add(path, "there is no stage to slow down: this phase unfreezes none")
        for key in ("mixup", "cutmix"):
            if kept and getattr(phase, key) is not None:
                mistakes.add(
                    ("phase", number, key),
                    "mixes pixels, and this phase trains on features that were computed of whole "
                    "images; unfreeze a stage, or write training.feature_views = 0 to compute them "
                    "anew in every epoch",
                )


def check_bags(
    phases: Sequence[PhaseSpec], patients: PatientsSpec | None, mistakes: Mistakes
) -> None:
    """Phases that learn from patients, through an aggregator that is given features."""
    plain = [number for number, phase in enumerate(phases) if phase is WRONG or phase.bags is None]
    for number, phase in enumerate(phases):
        if phase is WRONG or phase.bags is None:
            continue
        path: KeyPath = ("phase", number, "bags")
        choice = None if patients is None else patients.aggregator
        if choice is None:
            message = "learns from patients, and there is no [patients]; name an aggregator there"
            mistakes.add(path, f"{message} that reads features, such as attention")
        elif getattr(choice.plugin, "reads", "") != "features":
            message = f"needs an aggregator that reads features, and {show(choice.name)} does not"
            mistakes.add(path, message + mistakes.origin(("patients", "aggregator"), path))
        if phase.unfreeze == 0:
            message = "opens nothing: this phase unfreezes none of the backbone; unfreeze a stage"
            mistakes.add(path, f"{message}, or leave bags away: [patients] learns on it as it is")
        elif not any(other > number for other in plain):
            message = "moves what the head is given, and the head learns from no patient; let a"
            mistakes.add(path, f"{message} phase without bags follow (unfreeze = 0 will do)")
        for key in ("mixup", "cutmix"):
            if getattr(phase, key) is not None:
                message = "mixes labels, and with bags a step has one; leave one of them away"
                mistakes.add(("phase", number, key), message)


def check_evaluate(
    evaluate: EvaluateSpec, stated: Table, data: DataSpec | None, mistakes: Mistakes
) -> None:
    """The threshold has a rule that needs rows; so have calibration and conformal sets."""
    path: KeyPath = ("evaluate", "threshold")
    check_fitted(evaluate, data, mistakes)
    threshold = evaluate.threshold
    if threshold is None or not isinstance(stated.get("threshold"), dict):
        return
    keys = stated["threshold"]
    if threshold.rule == "fixed" and "fitted_on" in keys:
        mistakes.add((*path, "fitted_on"), 'means nothing with rule = "fixed": nothing is fitted')
    if threshold.rule != "fixed" and "value" in keys:
        message = f'means nothing with rule = {show(threshold.rule)}; write rule = "fixed"'
        mistakes.add((*path, "value"), message)
    fits = threshold.rule != "fixed" and threshold.fitted_on == "validation"
    if fits and data is not None and not has_validation(data.folds):
        message = f"there are no validation rows to fit it on: {_none(mistakes, path)}"
        mistakes.add(path, message, on_value=False)


def check_fitted(evaluate: EvaluateSpec, data: DataSpec | None, mistakes: Mistakes) -> None:
    """Temperatures and conformal limits are fitted on validation rows, never on scored ones."""
    for key in ("calibration", "conformal"):
        if getattr(evaluate, key) is None or data is None:
            continue
        path: KeyPath = ("evaluate", key)
        why = ""
        if not has_validation(data.folds):
            why = f"there are no validation rows to fit it on: {_none(mistakes, path)}"
        elif data.folds.validation_is_test:
            why = "would be fitted on the rows it is judged on: data.folds.validation_is_test"
            why += mistakes.origin(("data", "folds", "validation_is_test"), path)
        elif evaluate.on == "all":
            why = 'would be fitted on rows it is judged on: evaluate.on is "all"'
        if why:
            mistakes.add(path, why, on_value=False)


def check_synthesis(synthesis: SynthesisSpec, mistakes: Mistakes) -> None:
    """Each class is made once."""
    path: KeyPath = ("synthesis", "classes")
    if not synthesis.classes:
        mistakes.add(path, "names no class to make; leave [synthesis] out, or set it to false")
    for number, name in enumerate(synthesis.classes):
        if name in synthesis.classes[:number]:
            mistakes.add((*path, number), f"{show(name)} stands here twice")
    if isinstance(synthesis.per_class, Mapping):
        check_counts(synthesis.per_class, synthesis.classes, mistakes)
    if synthesis.place == "before-split":
        for key, default in (("mix", "add"), ("seed", None)):
            if getattr(synthesis, key) != default:
                mistakes.add(("synthesis", key), 'does not go with place = "before-split"')


def check_counts(counts: Mapping[str, int], made: Sequence[str], mistakes: Mistakes) -> None:
    """A table of numbers has one for each class that is made, and for no other."""
    path: KeyPath = ("synthesis", "per_class")
    for name in counts:
        if name not in made:
            origin = mistakes.origin(("synthesis", "classes"), (*path, name))
            message = f"{show(name)} is not among the classes that are made{origin}"
            mistakes.add((*path, name), message)
    for name in dict.fromkeys(made):
        if name not in counts:
            origin = mistakes.origin(("synthesis", "classes"), path)
            mistakes.add(path, f"gives no number for class {show(name)}{origin}", on_value=False)


def check_positive(
    names: Sequence[str], evaluate: EvaluateSpec, loss: LossSpec, mistakes: Mistakes
) -> None:
    """What depends on which of two classes is positive needs a recipe that says which it is."""
    if len(names) != 2 or evaluate.positive is not None:
        return
    which = f"nothing says which of {show(names[0])} and {show(names[1])} is the positive class"
    advice = f"write {line(*names)}"
    if evaluate.threshold is not None:
        message = f"is a probability of the positive class, and {which}; {advice}"
        mistakes.add(("evaluate", "threshold"), message, on_value=False)
    if getattr(loss.loss.plugin, "needs_positive", False):
        message = f"{show(loss.loss.name)} treats the positive class apart, and {which}; {advice}"
        mistakes.add(("loss",), message, on_value=False)


def check_classes(
    names: Sequence[str],
    evaluate: EvaluateSpec | None,
    synthesis: SynthesisSpec | None,
    mistakes: Mistakes,
    of_patients: Sequence[str] = (),
) -> None:
    """What other tables say of classes must fit those of the task, or of its patients."""
    two = next((some for some in (of_patients, names) if len(some) == 2), None)
    known = ", ".join(show(name) for name in names)

    def note(path: KeyPath, message: str, on_value: bool = True) -> None:
        origin = mistakes.origin(("data", "classes"), path)
        mistakes.add(path, f"{message}; there are {known}{origin}", on_value=on_value)

    if evaluate is not None and evaluate.threshold is not None and two is None:
        note(("evaluate", "threshold"), "only a task of two classes has a threshold", False)
    if evaluate is not None and evaluate.positive is not None:
        if two is None:
            note(("evaluate", "positive"), "only a task of two classes has a positive one")
        elif evaluate.positive not in {*names, *of_patients}:
            note(("evaluate", "positive"), f"there is no class {show(evaluate.positive)}")
    for number, name in enumerate(synthesis.classes if synthesis else ()):
        if name not in names:
            note(("synthesis", "classes", number), f"there is no class {show(name)}")


def check_patients(recipe: Recipe, samples: Samples, mistakes: Mistakes) -> tuple[str, ...]:
    """The classes of patients, where there are to be answers about these; and what forbids them."""
    spec = recipe.patients
    if spec is None:
        return ()
    path: KeyPath = ("patients", "aggregator")
    try:
        known = patient_labels_of(samples)
    except DataError as error:
        mistakes.add(path, str(error), on_value=False)
        return ()
    name, plugin = spec.aggregator.name, spec.aggregator.plugin
    if known.classes != samples.classes and getattr(plugin, "reads", "") == "probabilities":
        own, cells = (", ".join(map(show, some)) for some in (known.classes, samples.classes))
        message = f"{show(name)} makes answers of the cells' classes ({cells}), and patients are"
        mistakes.add(path, f"{message} {own}; an aggregator that reads features learns these")
    if len(known.classes) == 2 and recipe.evaluate.positive not in known.classes:
        which = f"nothing says which of {' and '.join(map(show, known.classes))} is it"
        missing = f"the positive class of patients, and {which}; write {line(*known.classes)}"
        if getattr(plugin, "needs_positive", False):
            mistakes.add(path, f"{show(name)} asks for {missing}")
        # Of the same two classes the threshold of the cells says it.
        if recipe.evaluate.threshold is not None and known.classes != samples.classes:
            at: KeyPath = ("evaluate", "threshold")
            mistakes.add(at, f"is a probability of {missing}", on_value=False)
    return known.classes


def check_task(recipe: Recipe, samples: Samples) -> None:
    """Refuse what these samples make impossible: a class of which there is nothing, a threshold
    among three classes, or of a class that nobody named, a synthetic class the task has not.

    Raises:
        Problems: All of it, each with file and line.
    """
    marks = {tuple(map(_part, undotted(key))): mark for key, mark in recipe.where.items()}
    mistakes = Mistakes(marks, str(recipe.path or recipe.name))
    of_patients = check_patients(recipe, samples, mistakes)
    check_classes(samples.classes, recipe.evaluate, recipe.synthesis, mistakes, of_patients)
    check_positive(samples.classes, recipe.evaluate, recipe.loss, mistakes)
    made = recipe.synthesis.classes if recipe.synthesis else ()
    for name, count in samples.counts().items():
        if count == 0 and name not in made:
            place: tuple[str | int, ...] = ("data", "classes", name)
            at = place if place in marks else ("data",)
            message = f"class {show(name)} has no images, and [synthesis] does not make it"
            mistakes.add(at, message)
    mistakes.stop()


def _part(part: str) -> str | int:
    return int(part) if part.isascii() and part.isdecimal() else part
