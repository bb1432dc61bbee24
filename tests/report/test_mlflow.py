"""A run in an MLflow store, by a stand-in for MLflow that keeps what it is told."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from leukreg.cli.main import main
from leukreg.errors import LeukregError, NotAvailable
from leukreg.record import RunRecord
from leukreg.report.mlflow import curves, figures, log_run, parameters
from leukreg.report.page import Page
from leukreg.types import Finding
from tests.cli.test_results import keep

Make = Callable[..., RunRecord]
ALLOWED = re.compile(r"[\w./ -]{1,250}", re.ASCII)


class Client:
    """What ``mlflow.tracking.MlflowClient`` has, with MLflow's own limits."""

    def __init__(self) -> None:
        self.experiments: dict[str, SimpleNamespace] = {}
        self.runs: list[SimpleNamespace] = []
        self.params: dict[str, str] = {}
        self.metrics: dict[str, list[tuple[int, float]]] = {}
        self.artifacts: list[str] = []
        self.fails = False

    def get_experiment_by_name(self, name: str) -> SimpleNamespace | None:
        return self.experiments.get(name)

    def create_experiment(self, name: str, artifact_location: str) -> str:
        assert artifact_location.startswith("file:///")
        self.experiments[name] = SimpleNamespace(experiment_id="7")
        return "7"

    def search_runs(self, experiments: list[str], text: str) -> list[SimpleNamespace]:
        assert experiments == ["7"]
        return [run for run in self.runs if f"'{run.tags['leukreg.run']}'" in text]

    def create_run(
        self, experiment: str, start: int, tags: dict[str, str], run_name: str
    ) -> SimpleNamespace:
        info = SimpleNamespace(run_id="r", status="RUNNING", start=start)
        self.runs.append(SimpleNamespace(info=info, tags=tags, name=run_name))
        return self.runs[-1]

    def log_batch(self, run: str, params: Any = (), metrics: Any = ()) -> None:
        assert len(params) <= 100
        assert len(metrics) <= 1000
        for one in params:
            assert ALLOWED.fullmatch(one.key)
            assert one.key not in self.params
            self.params[one.key] = one.value
        for one in metrics:
            assert ALLOWED.fullmatch(one.key)
            self.metrics.setdefault(one.key, []).append((one.step, one.value))

    def log_artifact(self, run: str, path: str) -> None:
        if self.fails:
            raise OSError("disk full\nwith details")
        self.artifacts.append(Path(path).name)

    def log_artifacts(self, run: str, path: str, place: str) -> None:
        self.artifacts.append(f"{place}/")

    def set_terminated(self, run: str, status: str, end: int | None = None) -> None:
        self.runs[-1].info.status = status


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    """The client of the store ``tmp_path/store``, of an MLflow that seems to be installed."""
    own = Client()

    def connect(tracking_uri: str) -> Client:
        place = Path(tracking_uri.removeprefix("sqlite:///"))
        assert place.parent.resolve().parent == tmp_path.resolve()
        assert place.name == "mlflow.db"
        assert not set(tracking_uri) & set("?%#")
        return own

    tracking, entities = ModuleType("mlflow.tracking"), ModuleType("mlflow.entities")
    tracking.MlflowClient = connect  # type: ignore[attr-defined]
    entities.Param = lambda key, value: SimpleNamespace(key=key, value=value)  # type: ignore[attr-defined]
    entities.Metric = lambda key, value, timestamp, step: SimpleNamespace(  # type: ignore[attr-defined]
        key=key, value=value, step=step
    )
    for name, module in (("", None), (".tracking", tracking), (".entities", entities)):
        monkeypatch.setitem(sys.modules, f"mlflow{name}", module or ModuleType("mlflow"))
    return own


def test_a_run_is_logged_once_with_all_it_has(
    tmp_path: Path, make_result: Make, client: Client
) -> None:
    findings = (Finding(rule="a", severity="error", message="m"),)
    kept = keep(tmp_path / "runs", make_result(bootstrap=20, findings=findings))
    page = kept.folder / "report.html"
    page.write_text("page")
    (kept.folder / "report_files").mkdir()
    assert "holds" in log_run(kept, tmp_path / "store", page)
    [run] = client.runs
    assert run.info.status == "FINISHED"
    assert run.name == run.tags["leukreg.run"] == kept.name
    assert run.tags["leukreg.findings.error"] == "1"
    assert client.params["model.backbone.use"] == "efficientnet-b0"
    accuracy = next(score for score in kept.scores if score.name == "accuracy")
    assert client.metrics["accuracy"] == [(0, accuracy.value)]
    assert client.metrics["accuracy.low"] == [(0, accuracy.low)]
    assert [step for step, _ in client.metrics["train_loss"]] == [1, 2, 3, 4, 5, 6]
    assert {"report.html", "report_files/", "recipe.json", "predictions.csv"} <= {*client.artifacts}
    assert "already" in log_run(kept, tmp_path / "store", page)
    assert len(client.runs) == 1


def test_a_failure_is_said_and_may_be_repeated(
    tmp_path: Path, make_result: Make, client: Client
) -> None:
    kept = keep(tmp_path / "runs", make_result(bootstrap=0))
    client.fails = True
    with pytest.raises(LeukregError, match=r"could not log the run: OSError: disk full$"):
        log_run(kept, tmp_path / "store")
    assert client.runs[-1].info.status == "FAILED"
    client.fails = False
    client.params.clear()
    assert "now" in log_run(kept, tmp_path / "store")


def test_keys_are_such_as_mlflow_allows_and_no_two_alike(make_result: Make) -> None:
    classes = ("[Malignant] Pre-B", "(Malignant) Pre-B", "白血病")
    made = make_result(classes=classes, counts=(30, 30, 30), bootstrap=0)
    made = replace(made, recipe={**made.recipe, "classes": {"a:b": 1, "a;b": 2}, "reported": {}})
    keys = [key for key, _ in figures(made)]
    assert len(set(keys)) == len(keys)
    assert all(ALLOWED.fullmatch(key) for key in (*keys, *parameters(made)))
    assert {"classes.a_b", "classes.a_b-2"} <= parameters(made).keys()


def test_curves_count_on_through_the_phases_of_each_fold(make_result: Make) -> None:
    found = curves(make_result(folds=2, bootstrap=0))
    steps = [step for key, step, _ in found if key == "fold-2/train_loss"]
    assert steps == [1, 2, 3, 4, 5, 6]


def test_the_command_logs_the_run_with_its_page(
    tmp_path: Path,
    make_result: Make,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = keep(tmp_path / "runs", make_result(bootstrap=0))
    page = Page(of="run", folder="report_files", html="<p>", files={"a.csv": b"1"})
    monkeypatch.setattr("leukreg.report.page.run_page", lambda *_: page)
    words = [
        "report",
        "last",
        "--root",
        str(tmp_path / "runs"),
        "--mlflow",
        str(tmp_path / "store"),
    ]
    assert main(words) == 0
    assert f"holds {kept.name} now" in capsys.readouterr().out
    assert {"report.html", "report_files/"} <= {*client.artifacts}


@pytest.mark.parametrize("name", ["a?b", "a%20b", "a#b", "a b", "ü"])
def test_the_store_is_where_it_was_asked_for(
    name: str, tmp_path: Path, make_result: Make, client: Client
) -> None:
    kept = keep(tmp_path / "runs", make_result(bootstrap=0))
    assert "holds" in log_run(kept, tmp_path / name)
    assert (tmp_path / name).is_dir()
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["runs", name])


def test_a_machine_without_mlflow_is_told_how_to_get_it(
    tmp_path: Path, make_result: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "mlflow.tracking", None)
    with pytest.raises(NotAvailable, match=r"pip install 'leukreg\[mlflow\]'"):
        log_run(make_result(bootstrap=0), tmp_path / "store")
    assert not (tmp_path / "store").exists()
