"""Answers about patients, from a folder of patients and a table of diagnoses to the run folder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from leukreg_plugins.aggregators import GatedAttention
from PIL import Image
from run_tiny import in_process

import leukreg
from leukreg.audit.rules import audit
from leukreg.engine.frozen_prefix import Prefix
from leukreg.errors import LeukregError, Problems
from leukreg.patient_results import patient_labels_of
from leukreg.recipe import parse
from leukreg.recipe.contradictions import check_patients
from leukreg.recipe.mistakes import Mistakes
from leukreg.registry import installed
from leukreg.runs import read
from leukreg.types import Sample, Samples

RECIPE = """
schema = 1
seed = 5

[data]
use = "folder"
root = "{root}"
patient_level = 1
weak = true
folds = {{ k = 2, validation = 0.3 }}

[data.patients]
path = "{root}.csv"

[image]
size = 32

[model]
backbone = {{ use = "timm", model = "test_resnet", weights = "random" }}
head = "linear"

[loss]
use = "cross-entropy"

[training]
batch_size = 16
threads = 1

[[phase]]
name = "head"
epochs = 1
optimizer = {{ use = "adamw", lr = 1e-3 }}

[evaluate]
positive = "ill"
threshold = {{ rule = "youden" }}
calibration = {{ method = "temperature" }}
bootstrap = 20

[patients]
aggregator = {{ use = "{aggregator}" }}
epochs = 3
"""


def write_patients(root: Path, patients: int = 16) -> None:
    """Folders of patients with 1 to 6 cells; of the ill ones some cells are of another kind."""
    rng = np.random.default_rng(0)
    lines = ["patient,label"]
    for patient in range(patients):
        ill = patient % 2
        lines.append(f"p{patient:02d},{'ill' if ill else 'well'}")
        for cell in range(1 + patient % 6):
            pixels = rng.integers(0, 200, (8, 8, 3)).astype(np.uint8)  # none like another
            pixels[..., 0] += np.uint8(55 if ill and cell % 2 == 0 else 0)
            path = root / f"p{patient:02d}" / f"{cell}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).resize((32, 32), Image.Resampling.NEAREST).save(path)
    root.with_suffix(".csv").write_text("\n".join(lines) + "\n")


@pytest.fixture
def recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LEUKREG_CACHE", str(tmp_path / "cache"))
    write_patients(tmp_path / "data")
    return write_recipe(tmp_path, "attention")


def write_recipe(place: Path, aggregator: str, text: str = RECIPE) -> Path:
    path = place / "patients.toml"
    path.write_text(text.format(root=place / "data", aggregator=aggregator))
    return path


def test_a_run_answers_for_each_patient_once(recipe: Path, tmp_path: Path) -> None:
    run = leukreg.run(recipe, runs=tmp_path / "runs")
    of = run.patients
    assert of is not None
    assert sorted(of.predictions.id) == [f"p{n:02d}" for n in range(16)]
    assert of.aggregator == "attention"
    assert of.labels_from == "their own"
    assert of.cells["p05"] == 6
    assert of.cells["p00"] == 1
    assert run.scores == ()  # cells have no labels of their own
    found = {(score.name, score.label) for score in of.scores}
    assert {("accuracy", None), ("balanced_accuracy", None), ("auc", None)} <= found
    assert of.threshold is not None
    assert of.threshold_from == "validation"
    assert len(of.fitted.temperatures) == 2
    accuracy = next(score for score in of.scores if score.name == "accuracy")
    assert "16 patients" in accuracy.why
    weights = [cell.weight for cell in of.deciding if cell.patient == "p05"]
    assert sum(weights) == pytest.approx(1, abs=1e-5)
    assert weights == sorted(weights, reverse=True)
    assert [one.parameters > 0 for one in of.training] == [True, True]
    same(read(run.folder), run)
    verdict = page_lines(run)
    assert any("of patients" in line.lower() for line in verdict)
    names = {finding.rule for finding in run.findings}
    assert "few-patients" in names
    assert audit(read(run.folder), None, installed()) == run.findings  # as `leukreg audit` does


def page_lines(run: leukreg.RunRecord) -> list[str]:
    """All texts of the run's sections, those for the page alone too."""
    from leukreg.report.console import sections

    found = list(sections(run, installed(), page=True))
    titles = [section.title for section in found]
    assert "Patients" in titles
    assert "The cells that decided" in titles
    assert "Confusion" not in titles  # of cells, which have no labels
    shown = next(s for s in found if s.title == "The cells that decided").pictures
    assert any("weight" in line for picture in shown for line in picture.caption)
    return [line for section in found for line in section.text]


def test_new_patients_are_answered_for_as_the_run_itself_did(recipe: Path, tmp_path: Path) -> None:
    run = leukreg.run(recipe, runs=tmp_path / "runs", overrides=["data.folds.k=2"])
    model = leukreg.load(run.folder)
    files = sorted((tmp_path / "data").rglob("*.png"))
    whose = [path.parent.name for path in files]
    table = model.predict_patients(files, whose)
    assert list(table["patient"]) == sorted(set(whose))
    assert np.allclose(table["p:ill"] + table["p:well"], 1)
    again = model.predict_patients(files[::-1], whose[::-1]).set_index("patient")
    for name, p in zip(table["patient"], table["p:ill"], strict=True):
        assert again.loc[name, "p:ill"] == pytest.approx(p, abs=1e-4)
    with pytest.raises(LeukregError, match="names of patients"):
        model.predict_patients(files, whose[1:])
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    beside = model.predict_patients([*files, broken], [*whose, "unread"]).set_index("patient")
    assert beside.loc["unread", "unreadable"] == "no image that can be read"
    assert np.isnan(beside.loc["unread", "p:ill"])
    assert beside.loc["p01", "p:ill"] == pytest.approx(again.loc["p01", "p:ill"], abs=1e-4)


def same(one: leukreg.RunRecord, other: leukreg.RunRecord) -> None:
    assert one.patients is not None
    assert other.patients is not None
    assert one.patients.scores == other.patients.scores
    assert one.patients.deciding == other.patients.deciding
    assert one.patients.fitted == other.patients.fitted
    assert one.patients.predictions.id == other.patients.predictions.id
    p, q = (run.patients.predictions.probabilities for run in (one, other) if run.patients)
    assert np.array_equal(p, q)


def test_a_run_that_was_stopped_between_folds_ends_with_the_same_answers(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import leukreg.engine.aggregation as aggregation

    whole = leukreg.run(recipe, runs=tmp_path / "whole")
    kept = aggregation.aggregate

    def dying(*args: object, **more: object) -> object:
        if args[3].index == 1:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        return kept(*args, **more)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(aggregation, "aggregate", dying)
        with pytest.raises(KeyboardInterrupt):
            leukreg.run(recipe, runs=tmp_path / "killed")
    (folder,) = (tmp_path / "killed").iterdir()
    same(leukreg.run(resume=folder), whole)


@pytest.mark.parametrize("aggregator", ["mean", "vote", "top-share", "quantile"])
def test_what_has_nothing_to_learn_reads_probabilities(
    aggregator: str, recipe: Path, tmp_path: Path
) -> None:
    run = leukreg.run(write_recipe(tmp_path, aggregator), runs=tmp_path / "runs")
    assert run.patients is not None
    assert run.patients.training == ()
    of = run.patients.predictions
    alone = of.id.index("p00")  # of one cell
    cell = run.predictions.id.index("p00/0.png")
    if aggregator != "vote":
        assert of.raw is not None
        assert run.predictions.raw is not None
        assert of.raw[alone] == pytest.approx(run.predictions.raw[cell], abs=1e-9)


def test_patients_that_nobody_knows_are_refused_in_a_sentence(recipe: Path, tmp_path: Path) -> None:
    text = RECIPE.replace("patient_level = 1\nweak = true\n", "").replace(
        '[data.patients]\npath = "{root}.csv"\n', ""
    )
    with pytest.raises(LeukregError, match="images have no patient id"):
        leukreg.check(write_recipe(tmp_path, "mean", text))


def test_the_positive_class_of_patients_is_not_guessed(recipe: Path) -> None:
    for positive in ('positive = "ill"', ""):
        path = recipe.with_name("named.toml")
        path.write_text(recipe.read_text().replace('positive = "ill"', positive))
        if positive:
            leukreg.check(path)
        else:
            with pytest.raises(Problems, match="is the positive class; write"):
                leukreg.check(path)


def test_classes_of_patients_need_a_positive_one_of_their_own() -> None:
    rows = tuple(
        Sample(id=f"{n}.png", path=f"{n}.png", label="cell", patient=f"p{n}") for n in range(2)
    )
    samples = Samples(
        rows=rows,
        classes=("blast", "cell"),
        patient_labels={"p0": "ill", "p1": "well"},
        patient_classes=("ill", "well"),
    )
    recipe = parse(RECIPE.format(root="data", aggregator="attention"))
    for positive, told in (("ill", 0), ("blast", 1)):
        mistakes = Mistakes({}, "recipe")
        asked = replace(recipe, evaluate=replace(recipe.evaluate, positive=positive))
        check_patients(asked, samples, mistakes)
        assert len(mistakes.found) == told, positive


def test_cells_of_several_labels_need_labels_of_patients(tmp_path: Path) -> None:
    rows = tuple(
        Sample(id=f"{n}.png", path=f"{n}.png", label=label, patient="p1")
        for n, label in enumerate(("well", "ill"))
    )
    samples = Samples(rows=rows, classes=("ill", "well"))
    with pytest.raises(LeukregError, match="'p1' has cells of 'well' and of 'ill' and no label"):
        patient_labels_of(samples)
    told = patient_labels_of(
        Samples(
            rows=rows,
            classes=("ill", "well"),
            patient_labels={"p1": "AML"},
            patient_classes=("AML", "none"),
        )
    )
    assert told.labels == {"p1": "AML"}
    assert told.said == "their own"


@pytest.mark.parametrize(
    ("logits", "weights", "said"),
    [
        ([0.0, 1.0], 0.6, "gives weights from 0.6 on, of sum 0.6; they must be shares"),
        ([0.0, 1.0, 2.0], 1.0, r"gives logits and weights \(3,\) and \(1,\) for 1 cells and 2 cl"),
        ([0.0, float("nan")], 1.0, "the aggregator's loss is nan in epoch 1"),
    ],
)
def test_an_aggregator_is_tried_before_anything_is_trained(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, logits: list[float], weights: float, said: str
) -> None:
    class Broken(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.said = torch.nn.Parameter(torch.tensor(logits))

        def forward(self, cells: torch.Tensor) -> torch.Tensor:
            return self.said

        def weights(self, cells: torch.Tensor) -> torch.Tensor:
            return torch.full((len(cells),), weights / len(cells))

    monkeypatch.setattr(GatedAttention, "build", lambda self, width, labels: Broken())
    with pytest.raises(LeukregError, match=said):
        leukreg.check(recipe)
    with pytest.raises(LeukregError, match=said):
        leukreg.run(recipe, runs=recipe.parent / "runs")
    (folder,) = (recipe.parent / "runs").iterdir()
    assert not list(folder.glob("fold-*"))


def test_a_fold_builds_its_network_once(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def anew(*args: object) -> None:
        raise AssertionError("built again to be read back")

    monkeypatch.setattr("leukreg.engine.inference.assemble", anew)
    leukreg.run(recipe, runs=recipe.parent / "runs")


def test_what_an_untouched_network_sees_is_computed_once(
    recipe: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    computed = Prefix._computed

    def counted(self: Prefix, images: torch.Tensor, *more: Any) -> torch.Tensor:
        seen.append(len(images))
        return computed(self, images, *more)

    monkeypatch.setattr(Prefix, "_computed", counted)
    leukreg.run(recipe, runs=recipe.parent / "runs")
    cells = len(list((recipe.parent / "data").rglob("*.png")))
    assert sum(seen) % cells == 0
    seen.clear()
    leukreg.run(recipe, runs=recipe.parent / "runs", overrides=["patients.epochs=2"])
    assert sum(seen) == 0


def test_a_report_tells_cells_from_patients(labelled_run: Path) -> None:
    from leukreg_plugins.audits.confidence import spread
    from leukreg_plugins.reporting.patient_tables import lines

    from leukreg.report.console import sections

    found = {one.title: one for one in sections(read(labelled_run), installed(), page=True)}
    assert "Accuracy over cells is" in " ".join(found["Verdict"].text)
    assert found["All classes together"].text[0].startswith("These are figures of cells")
    assert "Youden's J on 10 validation patients" in " ".join(found["Patients"].text)
    (table,) = found["Patient by patient"].tables
    assert table.columns[-1] == "p(ill)"
    shown = [line for one in found["The cells that decided"].pictures for line in one.caption]
    assert "weight 1.000" in shown  # top-share of few cells: one decides, the others do not
    assert "weight 0.000" not in shown
    run = read(labelled_run)
    assert run.patients is not None
    assert "patients of 24 would be answered" in str(spread(run.about_patients))
    assert "images of 60 would be answered" in str(spread(run))
    asked = {**run.recipe, "evaluate": {"conformal": {"coverage": 0.9}}}
    told = [list(lines(replace(one.about_patients, recipe=said), run.patients))
            for one, said in ((run, run.recipe), (run, asked))]  # fmt: skip
    assert ["Prediction sets are of cells alone" in " ".join(one) for one in told] == [False, True]


@pytest.mark.slow
def test_an_aggregator_that_is_killed_while_it_learns_ends_with_the_same_answers(
    recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The fork server takes the path from here to find what it preloads.
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    heard = in_process(tmp_path / "cache", recipe, tmp_path / "whole", None, None, "aggregator")
    assert heard == 10  # of two folds: the beginning, three epochs, the end
    (whole,) = (tmp_path / "whole").iterdir()
    killed, folder = tmp_path / "killed", None
    for at in (3, 8):  # in the second epoch of the first fold, then in the first one of the other
        assert in_process(tmp_path / "other", recipe, killed, folder, at, "aggregator") is None
        (folder,) = killed.iterdir()
    assert folder is not None
    kept = [(folder / f"fold-{fold}" / "aggregator.pt").exists() for fold in range(2)]
    assert kept == [True, False]
    in_process(tmp_path / "other", recipe, killed, folder, None)
    same(read(folder), read(whole))
    assert not list(folder.rglob("features-*.bin"))
    for fold in range(2):
        one, other = (
            torch.load(run / f"fold-{fold}" / "aggregator.pt", weights_only=True)["weights"]
            for run in (folder, whole)
        )
        assert all(torch.equal(one[name], other[name]) for name in (one | other))


BAGS = """
[[phase]]
name = "open"
unfreeze = 1
epochs = 2
bags = 3
optimizer = { use = "adamw", lr = 1e-3 }

[[phase]]
name = "last"
epochs = 1
optimizer = { use = "adamw", lr = 1e-3 }

[evaluate]
"""


def test_a_run_whose_backbone_learns_from_patients_says_so(recipe: Path, tmp_path: Path) -> None:
    recipe.write_text(recipe.read_text().replace("[evaluate]\n", BAGS))
    open_ = leukreg.check(recipe).phases[1]
    assert open_.bags == 3
    run = leukreg.run(recipe, runs=tmp_path / "runs", overrides=["data.folds.k=2"])
    assert run.patients is not None
    assert len(run.patients.predictions) == 16
    assert {log.phase for log in run.epochs if log.of_patients} == {"open"}
    assert len(run.validation_losses) == 4  # of two folds: the first phase and the last
    told = " ".join(page_lines(run))
    assert "In phase 'open' the backbone itself learned from training patients" in told
    assert "at most 3 cells of one a step" in dict(run.choices)["learned from patients"]
    assert {finding.rule for finding in run.findings}.isdisjoint({"idle-phase", "bag"})
    same(read(run.folder), run)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({'"attention"': '"mean"'}, [(39, 'reads features, and "mean" does not')]),
        ({"[patients]": "[patients_]"}, [(39, "learns from patients, and there is no [patients]")]),
        ({"unfreeze = 1": "unfreeze = 0"}, [(39, "opens nothing: this phase unfreezes none")]),
        ({"bags = 3": "bags = 0"}, [(39, "must be an integer at least 1, not 0")]),
        ({"bags = 3": "bags = 3\nmixup = 0.2\ncutmix = 1.0"},
         [(40, "mixes labels, and with bags"), (41, "mixes labels, and with bags")]),
        ({'epochs = 1\noptimizer = { use = "adamw", lr = 1e-3 }\n\n[evaluate]':
          'unfreeze = 2\nbags = 2\noptimizer = { use = "adamw", lr = 1e-3 }\n\n[evaluate]'},
         [(39, "let a phase without bags follow"), (45, "let a phase without bags follow")]),
        ({'"attention"': '"mean"', "unfreeze = 1": "unfreeze = 0", "bags = 3": "bags = 3\nmixup=1"},
         [(39, "reads features"), (39, "opens nothing"), (40, "mixes labels, and with bags")]),
    ],
)  # fmt: skip
def test_bags_that_cannot_be_are_refused_all_at_once(
    changes: dict[str, str], said: list[tuple[int, str]]
) -> None:
    text = RECIPE.format(root="data", aggregator="attention").replace("[evaluate]\n", BAGS)
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    with pytest.raises(Problems) as caught:
        parse(text)
    found = [str(one) for one in caught.value.problems]
    for line, words in said:
        assert any(f":{line} " in one and words in one for one in found), found
