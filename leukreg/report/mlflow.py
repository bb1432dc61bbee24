"""A finished run in a local MLflow store, for those who keep their experiments there.

The store is what MLflow itself makes in a folder: ``mlflow.db`` (SQLite) and ``mlartifacts``;
``mlflow ui --backend-store-uri sqlite:///DIR/mlflow.db`` shows it.
"""

from __future__ import annotations

import importlib
import logging
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from leukreg.errors import LeukregError, NotAvailable, RunError
from leukreg.progress import SILENT, Progress
from leukreg.record import RunRecord
from leukreg.report.comparability import leaves
from leukreg.runs.status import read_status
from leukreg.text import visible

RUN_TAG = "leukreg.run"
ARTIFACTS = (
    "recipe.toml",
    "recipe.json",
    "environment.json",
    "findings.json",
    "scores.json",
    "predictions.csv",
)
"""Files of a run folder that are kept with the run, besides the page."""
_IN_URIS = re.compile(r"[?%#]")
_LONGEST_KEY, _LONGEST_VALUE = 240, 500
"""Characters; MLflow takes 250 of a key, and a number or a bound may follow."""
_BATCH = 100
_NOT_IN_KEYS = re.compile(r"[^\w./ -]+", re.ASCII)


def log_run(
    result: RunRecord, store: Path, page: Path | None = None, progress: Progress = SILENT
) -> str:
    """Log parameters, figures, curves and files of a run; returns what was done, in a line.

    The recipe's name is the experiment. A run that is in the store already is left as it is.

    Args:
        store: A folder; it is made where it is not there.
        page: The run's page; it is kept with its files.

    Raises:
        NotAvailable: MLflow is not installed.
        LeukregError: MLflow could not write to the store.
    """
    library = _library()
    with _plainly_named(store) as place:
        try:
            client = library.MlflowClient(tracking_uri=f"sqlite:///{place}/mlflow.db")
        except Exception as error:  # MLflow raises its own and its database's
            raise LeukregError(f"{store}: MLflow cannot use it: {_first(error)}") from error
        try:
            experiment = _experiment(client, str(result.recipe.get("name") or "leukreg"), store)
            same = f"tags.`{RUN_TAG}` = '{result.name.replace(chr(39), '')}'"
            there = client.search_runs([experiment], same)
            if any(run.info.status == "FINISHED" for run in there):
                return f"{store}: holds {result.name} already; nothing was logged."
            _log(client, experiment, result, page, progress)
        except Exception as error:
            raise LeukregError(f"{store}: MLflow could not log the run: {_first(error)}") from error
    return f"{store}: holds {result.name} now, in a store of MLflow."


def _first(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).partition(chr(10))[0]}"


@contextmanager
def _plainly_named(store: Path) -> Iterator[Path]:
    """The folder by a name that means the same in a URI: MLflow takes ``a?b`` for ``a``."""
    store.mkdir(parents=True, exist_ok=True)
    if not _IN_URIS.search(str(store.resolve())):
        yield store.resolve()
        return
    with tempfile.TemporaryDirectory(prefix="leukreg-mlflow-") as folder:
        place = Path(folder) / "store"
        place.symlink_to(store.resolve(), target_is_directory=True)
        yield place


def _library() -> Any:
    # MLflow tells its makers what it is used for; nothing leaves this machine.
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    try:
        tracking = importlib.import_module("mlflow.tracking")
    except ImportError as error:
        advice = "pip install 'leukreg[mlflow]' installs what is needed"
        raise NotAvailable(f"MLflow is not on this machine ({error}); {advice}") from error
    for name in ("alembic", "mlflow"):  # how its database is set up is no news
        logging.getLogger(name).setLevel(logging.WARNING)
    return tracking


def _experiment(client: Any, name: str, store: Path) -> str:
    found = client.get_experiment_by_name(name)
    if found is not None:
        return str(found.experiment_id)
    place = (store.resolve() / "mlartifacts").as_uri()
    return str(client.create_experiment(name, artifact_location=place))


def _log(
    client: Any, experiment: str, result: RunRecord, page: Path | None, progress: Progress
) -> None:
    entities = importlib.import_module("mlflow.entities")
    begun, ended = _times(result)
    params = [entities.Param(*pair) for pair in parameters(result).items()]
    points = [(key, value, ended, 0) for key, value in figures(result)]
    points += [(key, value, ended, step) for key, step, value in curves(result)]
    metrics = [entities.Metric(*point) for point in points]
    run = client.create_run(experiment, begun, tags(result), run_name=result.name).info.run_id
    try:
        with progress.task("MLflow", len(params) + len(metrics) + 1) as advance:
            for what, all_of_it in (("params", params), ("metrics", metrics)):
                for start in range(0, len(all_of_it), _BATCH):
                    batch = all_of_it[start : start + _BATCH]
                    client.log_batch(run, **{what: batch})
                    advance(len(batch))
            _files(client, run, result.folder, page)
            advance()
    except BaseException:
        client.set_terminated(run, "FAILED")
        raise
    client.set_terminated(run, "FINISHED", ended)


def _files(client: Any, run: str, folder: Path, page: Path | None) -> None:
    for name in ARTIFACTS:
        if (folder / name).is_file():
            client.log_artifact(run, str(folder / name))
    if page is not None and page.is_file():
        client.log_artifact(run, str(page))
        beside = page.with_name(f"{page.stem}_files")
        if beside.is_dir():
            client.log_artifacts(run, str(beside), beside.name)


def _times(result: RunRecord) -> tuple[int, int]:
    """When the run began and ended, in milliseconds; now where its folder does not say."""
    try:
        status = read_status(result.folder)
        ended = datetime.fromisoformat(str(status.ended))
        begun = datetime.fromisoformat(status.started)
    except (RunError, ValueError):
        begun = ended = datetime.now()
    return int(begun.timestamp() * 1000), int(ended.timestamp() * 1000)


def tags(result: RunRecord) -> dict[str, str]:
    """What the run is known by: its name, folder, data, findings, commit."""
    counts = Counter(finding.lines()[0] for finding in result.findings)
    found = {
        RUN_TAG: result.name,
        "leukreg.folder": visible(str(result.folder)),
        "leukreg.scored": ", ".join(sorted(set(result.predictions.origin))),
        **{f"leukreg.findings.{kind}": str(count) for kind, count in sorted(counts.items())},
        "mlflow.note.content": "For research, not for diagnosis.",
    }
    if result.digests.data:
        found["leukreg.data"] = result.digests.data
    if result.environment.git is not None:
        found["mlflow.source.git.commit"] = result.environment.git.commit
    return found


def parameters(result: RunRecord) -> dict[str, str]:
    """The recipe as it was run, one parameter per key; published figures are left out."""
    kept = {key: value for key, value in result.recipe.items() if key != "reported"}
    seen: Counter[str] = Counter()
    return {_free(key, seen): visible(str(value))[:_LONGEST_VALUE] for key, value in leaves(kept)}


def figures(result: RunRecord) -> list[tuple[str, float]]:
    """Every defined score with its bounds, such as ``recall/ALL``, ``recall/ALL.low``."""
    seen: Counter[str] = Counter()
    found = []
    for score in result.scores:
        if score.value is None:
            continue
        name = score.name if score.label is None else f"{score.name}/{score.label}"
        key = _free(name, seen)
        found.append((key, float(score.value)))
        if score.low is not None and score.high is not None:
            found += [(f"{key}.low", float(score.low)), (f"{key}.high", float(score.high))]
    return found


def curves(result: RunRecord) -> list[tuple[str, int, float]]:
    """Key, step and value of each epoch; steps count through the phases of a fold."""
    several = len({log.fold for log in result.epochs}) > 1
    steps: Counter[int] = Counter()
    found = []
    for log in result.epochs:
        steps[log.fold] += 1
        head = f"fold-{log.fold + 1}/" if several else ""
        for name in ("train_loss", "validation_loss", "validation_accuracy"):
            value = getattr(log, name)
            if value is not None:
                found.append((f"{head}{name}", steps[log.fold], float(value)))
    return found


def _free(name: str, seen: Counter[str]) -> str:
    """A key as MLflow allows it, unlike those that were seen."""
    key = _NOT_IN_KEYS.sub("_", name)[:_LONGEST_KEY].strip("/ .") or "_"
    seen[key] += 1
    return key if seen[key] == 1 else f"{key}-{seen[key]}"
