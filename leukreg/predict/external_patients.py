"""Patients from elsewhere: whose labels a run's answers are held against, and their figures."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from leukreg.choices import positive_of
from leukreg.data.groups import grouped
from leukreg.engine.aggregation import deciding_cells, patient_predictions
from leukreg.engine.bags import by_patient
from leukreg.errors import DataError, LeukregError
from leukreg.evaluate.patient_scores import spec_for
from leukreg.evaluate.scoring import score
from leukreg.patient_results import PatientResults, patient_labels_of
from leukreg.predict.ensemble import Scan
from leukreg.predict.patient_answers import aggregated
from leukreg.predict.trained_run import Trained
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import Recipe, ThresholdSpec
from leukreg.record import External, RunRecord
from leukreg.registry import Registry
from leukreg.types import Predictions, Samples, Score

ADVICE = (
    "; whose image each is, and what the patients are, the options of the source say, such as"
    " --set patient_level=1, --set weak=true or --set patients.path=labels.csv"
)


def labelled_by_patient(result: RunRecord, samples: Samples) -> Samples:
    """The other source's samples, for a run whose cells have no labels: each its patient's.

    Raises:
        LeukregError: Patients, or their labels, are not known.
    """
    if result.patients is None or not result.samples.weak or samples.weak:
        return samples
    try:
        known = patient_labels_of(samples)
    except DataError as error:
        raise LeukregError(f"{result.name} answers about patients alone. {error}{ADVICE}") from None
    rows = (replace(row, label=known.labels[str(row.patient)]) for row in samples.rows)
    return replace(
        samples,
        rows=tuple(rows),
        classes=known.classes,
        patient_labels=known.labels,
        patient_classes=known.classes,
        weak=True,
    )


def left_out(result: RunRecord, samples: Samples, origin: External) -> External:
    """What is kept of patients that are not answered for.

    Args:
        samples: Under the run's names of classes.
    """
    if result.patients is None:
        return origin
    classes = result.patients.predictions.classes
    try:
        known = patient_labels_of(samples)
    except DataError as error:
        return replace(origin, patients_unknown=f"{error}{ADVICE}")
    there = {str(row.patient) for row in samples.rows}
    others = Counter(label for one, label in known.labels.items()
                     if one in there and label not in classes)  # fmt: skip
    if sum(others.values()) < len(there):
        return replace(origin, patients_left_out=dict(others))
    names, own = (", ".join(map(repr, some)) for some in (sorted(others), classes))
    why = f"no label of a patient is shared: there are {names}, the run answers {own}"
    return replace(origin, patients_unknown=f"{why}; map them with --map OtherName=class{ADVICE}")


def patients_elsewhere(
    trained: Trained,
    recipe: Recipe,
    record: RunRecord,
    rows: Sequence[int],
    seen: Scan,
    registry: Registry,
    progress: Progress = SILENT,
) -> PatientResults:
    """The run's answers about patients from elsewhere, with every figure; nothing is fitted here.

    Args:
        trained: The run, whose aggregators, temperatures and threshold are taken.
        recipe: That of the evaluation.
        record: What is known of the other source, with the predictions of its cells.
        rows: Its scored rows.
        seen: What the run's models make of these.
    """
    of = trained.result.patients
    assert of is not None
    samples, classes = record.samples, of.predictions.classes
    known = patient_labels_of(samples)
    bags = {one: own for one, own in by_patient(samples, rows).items()
            if known.labels[one] in classes}  # fmt: skip
    place = {row: at for at, row in enumerate(rows)}
    places = [[place[row] for row in own] for own in bags.values()]
    p, weights = aggregated(trained.result, trained.recipe, trained.aggregators, seen, places)
    answers = patient_predictions(samples, bags, classes, known.labels, p, 0)
    answers = grouped(answers, samples.rows, record.pixels, record.near_duplicates)
    found = _scored(answers, of, recipe, trained, registry, progress)
    return PatientResults(
        aggregator=of.aggregator,
        labels_from=known.said,
        cells={one: len(own) for one, own in bags.items()},
        **found.scored_rows(),
        deciding=deciding_cells(bags, found.predictions, weights, record.predictions),
    )


def _scored(
    answers: Predictions,
    of: PatientResults,
    recipe: Recipe,
    trained: Trained,
    registry: Registry,
    progress: Progress,
) -> RunRecord:
    """The figures, with the threshold for patients that the run has."""
    named = positive_of(answers.classes, trained.recipe.evaluate.positive)
    cut = None if of.threshold is None else ThresholdSpec(rule="fixed", value=of.threshold)
    spec = spec_for(recipe.evaluate, answers.classes)
    spec = replace(spec, positive=named.name if named else None, threshold=cut)
    found = score(answers, None, spec, recipe.seed, registry, progress)
    return replace(found, scores=fixed_before(found.scores, trained.result))


def fixed_before(scores: Sequence[Score], run: RunRecord) -> tuple[Score, ...]:
    """The scores, of whose threshold it is said where it comes from."""
    fixed = f"of {run.name}, fixed before"
    return tuple(replace(one, why=fixed) if one.name == "threshold" else one for one in scores)
