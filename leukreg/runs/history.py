"""The runs beside one: which were scored on the same rows, and what has changed since."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, replace
from pathlib import Path

from leukreg.errors import RunError
from leukreg.gate_figures import FidelityBasis, GateFigures
from leukreg.record import EarlierRuns, RunRecord, Synthesis, SynthesisGain
from leukreg.runs.contents import read_facts
from leukreg.runs.environment import ids_digest
from leukreg.runs.predictions import read_predictions
from leukreg.runs.run_list import summarise
from leukreg.runs.status import read_status
from leukreg.runs.sweep_record import SweepRecord, read_sweep_record

NOT_THE_TRAINING = ("synthesis", "name", "title", "audit", "reported", "assumed")
"""Tables of a recipe in which two runs may differ whose training differs in synthesis alone."""
NOT_WHICH_IMAGES = ("broken", "fallback", "folds", "listing")
"""Keys of ``[data]`` that leave the same images to be listed."""


def looks_of(record: RunRecord, root: Path) -> EarlierRuns:
    """Which other runs below ``root`` were scored on the same pictures.

    What a sweep scores on them is known from its plan, so that it does not matter which of its
    runs is done first.
    """
    pixels = record.pixels
    test_set = ids_digest(pixels.get(name, name) for name in record.predictions.id)
    looks = [one.name for one in _beside(record, root) if one.earlier.test_set == test_set]
    return looks_of_sweep(record, root, EarlierRuns(test_set=test_set, test_looks=tuple(looks)))


def looks_of_sweep(record: RunRecord, root: Path, known: EarlierRuns) -> EarlierRuns:
    """What is known of other runs, with the looks of the run's own sweep as its plan is by now: a
    search adds to it."""
    sweep = _sweep_of(record, root)
    own = [] if sweep is None else [run for run in sweep.runs if run.name == record.name]
    if sweep is None or not own:
        return known
    others = [run.variation for run in sweep.runs if run.test_set == known.test_set]
    looked = tuple(one for one in dict.fromkeys(others) if one != own[0].variation)
    return replace(known, sweep=sweep.name, sweep_looks=looked, sweep_choice=sweep.choose)


def _sweep_of(record: RunRecord, root: Path) -> SweepRecord | None:
    """The plan of the sweep that a run belongs to; None where it is of none, or that is gone."""
    try:
        name = read_status(record.folder).sweep
        return read_sweep_record(root / name) if name else None
    except RunError:
        return None


def with_history(record: RunRecord) -> RunRecord:
    """The record with what the runs beside its folder tell: looks, counts, gain of synthesis."""
    root = record.folder.parent
    earlier = looks_of(record, root)
    scores = _scores(root, earlier, record.samples.weak)
    found = replace(record, earlier=replace(earlier, earlier_scores=scores))
    return _with_synthesis(_with_counts(found, root), root)


def _scores(root: Path, earlier: EarlierRuns, weak: bool) -> dict[str, dict[str, float]]:
    """Figures of the earlier runs by name; of patients where cells have no labels."""
    runs = {name: summarise(root / name) for name in earlier.test_looks}
    found = {name: one.patient_scores if weak else one.scores for name, one in runs.items()}
    return {
        name: {s.name: s.value for s in scores if s.value is not None}
        for name, scores in found.items()
    }


def _with_counts(record: RunRecord, root: Path) -> RunRecord:
    """With the class counts of the last run that was to list the same images.

    None where there is no such run: a recipe with other images has other counts by intent.
    """
    before = [
        one
        for one in _beside(record, root)
        if one.listing.listed.keys() == record.listing.listed.keys()
        and _which_images(one.recipe) == _which_images(record.recipe)
    ]
    if not before:
        return record
    last = max(before, key=lambda one: (_when(one), one.name))
    counts = last.listing.listed
    earlier = replace(record.earlier, previous_counts=counts, previous_run=last.name)
    return replace(record, earlier=earlier)


def _with_synthesis(record: RunRecord, root: Path) -> RunRecord:
    """With what comes of setting it beside the last runs that differ in ``[synthesis]`` alone.

    The gain is how much more often the one with synthetic images in its training is right than the
    one without; each table of the gate tells what the last run's distances rest on.
    """
    alike = [
        one
        for one in _beside(record, root)
        if one.earlier.test_set == record.earlier.test_set
        and _all_but_synthesis(one.recipe) == _all_but_synthesis(record.recipe)
    ]
    alike.sort(key=_when)
    taught, gain = _taught(record), None
    opposite = [one for one in alike if _taught(one) is not taught]
    if opposite and taught is not None:
        gain = _gain(record, opposite[-1], taught)
    measured = [one for one in alike if one.synthesis.fidelity]
    fidelity = record.synthesis.fidelity
    if measured:
        fidelity = tuple(_set_beside(table, measured[-1]) for table in fidelity)
    return replace(record, synthesis=Synthesis(fidelity=fidelity, gain=gain))


def _taught(record: RunRecord) -> bool | None:
    """Whether synthetic images were trained on; None where the gate let none in."""
    if not record.recipe.get("synthesis"):
        return False
    tables = record.synthesis.fidelity
    return True if not tables or any(table.entered for table in tables) else None


def _gain(record: RunRecord, other: RunRecord, taught: bool) -> SynthesisGain | None:
    from leukreg.evaluate.bootstrap import paired

    try:
        theirs = read_predictions(other.folder / "predictions.csv")
    except RunError:  # damage over there is not this run's business
        return None
    ours = record.predictions
    found = paired(theirs, ours) if taught else paired(ours, theirs)
    if found is None or found.low is None:
        return None
    names = (record.name, other.name) if taught else (other.name, record.name)
    return SynthesisGain(taught=names[0], untaught=names[1], **asdict(found))


def _set_beside(table: GateFigures, other: RunRecord) -> GateFigures:
    """The table, with what the same class's distances rest on in the other run."""
    of = (table.label, table.classes, table.fold)
    same = [one for one in other.synthesis.fidelity if (one.label, one.classes, one.fold) == of]
    if not same or table.kid is None or same[0].kid is None:
        return table
    basis = {key: getattr(same[0], key) for key in ("extractor", "size", "real", "fake")}
    return replace(table, compared_with=FidelityBasis(run=other.name, **basis))


def _beside(record: RunRecord, root: Path) -> Iterator[RunRecord]:
    """The recipe and the facts of the other runs below the same root that left them, by name.

    A damaged one is passed over: that is not this run's business. Those of the same sweep are too:
    what a run knows of them must not depend on which was done first.
    """
    sweep = _sweep_of(record, root)
    passed = {record.name, *(run.name for run in (sweep.runs if sweep else ()))}
    for path in sorted(root.glob("*/facts.json")):
        if path.parent.name in passed:
            continue
        try:
            yield read_facts(path.parent)
        except RunError:
            continue


def _all_but_synthesis(recipe: Mapping[str, object]) -> str:
    kept = {key: value for key, value in recipe.items() if key not in NOT_THE_TRAINING}
    return json.dumps(kept, sort_keys=True, default=str)


def _which_images(recipe: Mapping[str, object]) -> str:
    data = recipe.get("data")
    table = data if isinstance(data, Mapping) else {}
    kept = {key: value for key, value in table.items() if key not in NOT_WHICH_IMAGES}
    folds = table.get("folds")
    kept["drop"] = isinstance(folds, Mapping) and folds.get("duplicates") == "drop"
    return json.dumps(kept, sort_keys=True, default=str)


def _when(record: RunRecord) -> tuple[str, int]:
    """When a run began, to the second, and ended."""
    try:
        started = read_status(record.folder).started
    except RunError:
        started = ""
    return started, (record.folder / "facts.json").stat().st_mtime_ns
