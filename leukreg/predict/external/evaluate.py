"""Score a run's models on another source, and keep it as a run folder of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from leukreg.audit import audit, evidence_of
from leukreg.data import open_images
from leukreg.data.decode import readings
from leukreg.data.groups import grouped
from leukreg.data.image_store import ImageStore
from leukreg.errors import DataError, NotAvailable
from leukreg.facts import earlier_looks, listed
from leukreg.predict.copies import exact_copies, near_copies
from leukreg.predict.external.drop import drops
from leukreg.predict.external.mapping import Mapped, map_classes
from leukreg.predict.external.recipe import elsewhere
from leukreg.predict.external.score import predicted, scored
from leukreg.predict.trained import Trained
from leukreg.prepare import list_samples
from leukreg.progress import SILENT, Progress
from leukreg.recipe.model import Recipe
from leukreg.registry import Registry, installed
from leukreg.runs import RunFolder
from leukreg.runs.environment import data_digest, environment, ids_digest
from leukreg.runs.listing import EVALUATED_FROM
from leukreg.types import RunResult


@dataclass(frozen=True, slots=True)
class Copied:
    """Images of the other source that show a picture the run was trained on."""

    exact: Mapping[str, str]
    """File id here to file id there."""
    near: Mapping[str, str]
    unknown: str = ""
    """Why near copies could not be looked for; empty where they were."""

    def __len__(self) -> int:
        return len(self.exact) + len(self.near)


def evaluate(
    trained: Trained,
    data: Path,
    mapping: Mapping[str, str] | None = None,
    source: str = "folder",
    options: Sequence[str] = (),
    leave_out_copies: bool = False,
    runs: Path = Path("runs"),
    registry: Registry | None = None,
    progress: Progress = SILENT,
) -> RunResult:
    """Score a run's models on images from elsewhere, with everything that a run is scored with.

    The run's calibration, threshold and prediction sets are applied as they are; nothing is fitted
    on the other images. Fact ``evaluated_from`` of the result holds the original's figures, the
    drops with their intervals, and what became of classes and copies.

    Args:
        trained: The run.
        data: The folder or table of the other source.
        mapping: The other's class names to the run's; equal names need none.
        source: Name of the source plugin.
        options: Further options of it, ``KEY=VALUE`` each, such as ``patient_level=1``.
        leave_out_copies: Do not score images that are copies of training images.
        runs: Where the folder of the evaluation is made.
        registry: Where plugins are found; by default all that are installed.
        progress: Told of images done.

    Raises:
        Problems: A mapping or an option is wrong, or no class is shared.
        DataError: There are no images, or all are copies and left out.
    """
    registry = registry or installed()
    recipe = elsewhere(trained.result, source, data, options, registry)
    samples = list_samples(recipe, progress)
    mapped = map_classes(samples, trained.result.samples.classes, mapping or {})
    store = open_images(mapped.samples, recipe.image, "skip", progress)
    copied = _copied(trained, store, progress)
    rows = tuple(
        row
        for row, sample in enumerate(store.samples.rows)
        if not leave_out_copies or sample.id not in {**copied.exact, **copied.near}
    )
    if not rows:
        raise DataError(f"{data}: every image is a copy of a training image; none is left to score")
    result = _result(trained, recipe, store, rows, mapped, copied, registry, runs, progress)
    return RunFolder.made(runs, recipe, result)


def _copied(trained: Trained, store: ImageStore, progress: Progress) -> Copied:
    ids = list(dict.fromkeys(sample.id for sample in store.samples.rows))
    first = {sample.id: row for row, sample in reversed(list(enumerate(store.samples.rows)))}
    exact = exact_copies(trained.result, [store.digests[name] for name in ids])
    known = {name: other for name, other in zip(ids, exact, strict=True) if other is not None}
    try:
        own = trained.own_images(progress)
    except NotAvailable as error:
        return Copied(known, {}, str(error))
    near = near_copies(own, store.thumbs([first[name] for name in ids]), exact, progress)
    found = {name: other for name, other in zip(ids, near, strict=True) if other is not None}
    return Copied(known, found, own.note())


def _result(
    trained: Trained,
    recipe: Recipe,
    store: ImageStore,
    rows: tuple[int, ...],
    mapped: Mapped,
    copied: Copied,
    registry: Registry,
    runs: Path,
    progress: Progress,
) -> RunResult:
    seen = predicted(trained, store, rows, progress)
    seen = grouped(seen, store.samples.rows, store.digests, store.twins(progress))
    figures = scored(trained, recipe, seen, registry, progress)
    changes, how = drops(
        trained.result.predictions, figures.predictions, recipe.evaluate, recipe.seed, registry
    )
    digests = store.digests
    test_set = ids_digest(digests[name] for name in figures.predictions.id)
    facts: dict[str, Any] = {
        EVALUATED_FROM: _origin(trained, mapped, copied, len(store) - len(rows))
        | {"drops": [asdict(change) for change in changes], "how": how},
        "listed": listed(store.samples),
        "broken_plugins": list(registry.faults()),
        "passed_over": [asdict(one) for one in store.samples.passed],
        "assumed_of_list": list(store.samples.assumed),
        "readings": [asdict(one) for one in readings(store.facts.values())],
        "test_set": test_set,
        "test_looks": earlier_looks(runs / "-", test_set),
        "digests": {"data": data_digest(store.samples, digests)},
    }
    result = RunResult(
        folder=runs,
        name=recipe.name,
        recipe=recipe.resolved,
        samples=store.samples,
        folds=(),  # nothing was split, and nothing trained
        epochs=(),
        phases=(),
        notices=tuple(
            replace(notice, what=f"{notice.what} of {trained.result.name}")
            for notice in trained.result.notices
        ),
        predictions=figures.predictions,
        validation=None,
        scores=figures.scores,
        confusion=figures.confusion,
        threshold=figures.threshold,
        threshold_from=figures.threshold_from,
        findings=(),
        environment=environment(),
        facts=facts,
        seconds=0.0,
        pixels=digests,
        twins=store.twins(progress),
        statistics=store.statistics,
    )
    return replace(result, findings=audit(evidence_of(result), recipe.audit, registry))


def _origin(trained: Trained, mapped: Mapped, copied: Copied, left_out: int) -> dict[str, Any]:
    """What is kept of the original and of what became of the other source's images."""
    result = trained.result
    return {
        "run": result.name,
        "folder": str(result.folder.absolute()),
        "folds": len(result.folds),
        "images": len(result.predictions),
        "scores": [asdict(score) for score in result.scores],
        "taken": dict(mapped.taken),
        "unmapped": dict(mapped.unmapped),
        "missing": list(mapped.missing),
        "broken": len(mapped.samples.broken),
        "copies": {"exact": dict(copied.exact), "near": dict(copied.near)},
        "copies_unknown": copied.unknown,
        "copies_left_out": left_out,
    }
