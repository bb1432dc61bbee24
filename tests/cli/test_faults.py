"""A plugin that crashes or breaks its contract: whose it is, where, and nobody else blamed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from leukreg.cli.main import main
from leukreg.testing import write_example_images
from tests.strangers import install

ODD = '''
from types import SimpleNamespace

import torch
from torch import nn

from leukreg import hookimpl, plugin


class Net(nn.Module):
    """Four by four pixels become one."""

    def __init__(self, first=None):
        super().__init__()
        self.stages = nn.Sequential(first or nn.Conv2d(3, 8, 4, 4), nn.ReLU())
        self.channels = 8
        self.contract = SimpleNamespace(mean=(0.5,) * 3, std=(0.5,) * 3)

    def forward(self, images):
        return self.stages(images)


class Late(nn.Conv2d):
    seen = 0

    def forward(self, images):
        Late.seen += 1
        if self.training and Late.seen > 6:
            raise KeyError("late")  # here
        return super().forward(images)


class Stem(Net):
    """Its first layer stands outside the stages."""

    def __init__(self):
        super().__init__(nn.Conv2d(8, 8, 3))
        self.stem = nn.Conv2d(3, 8, 3)

    def forward(self, images):
        return self.stages(self.stem(images))


class Doubled(Net):
    def forward(self, images):
        return 2 * self.stages(images)


class Raises(nn.Module):
    def forward(self, logits, targets):
        return logits.sum() / undefined  # here


def made(kind, name, build):
    body = {"__doc__": f"A {kind} that misbehaves.", "build": build, "__module__": __name__}
    return plugin(name)(type("Odd", (), body))


def raising(*_):
    raise RuntimeError("two\\nlines")  # here


NETS = [made("backbone", "net", lambda self: Net())]
NETS += [made("backbone", "late", lambda self: Net(Late(3, 8, 4, 4)))]
NETS += [made("backbone", "stem", lambda self: Stem())]
NETS += [made("backbone", "doubled", lambda self: Doubled())]
ROWS = made("loss", "rows", lambda self, labels: nn.CrossEntropyLoss(reduction="none"))
DETACHED = made("loss", "detached", lambda self, labels: Detached())
RAISES = made("loss", "raises", lambda self, labels: Raises())
AUG = made("augmentation", "floats", lambda self, image: lambda images: images.float())
ORDER = made("sampler", "beyond", lambda self, targets, groups, generator: [len(targets)])
WEIGHTS = made("class-weights", "negative", lambda self, labels: (-1.0,) * len(labels))
STEPS = made("optimizer", "closure", lambda self, groups: torch.optim.LBFGS(
    [p for group in groups for p in group["params"]]))
PACE = made("schedule", "pace", raising)
AUDIT = made("audit", "rule", raising)
REPORT = made("report", "words", raising)
METRIC = made("metric", "figure", raising)


class Detached(nn.Module):
    def forward(self, logits, targets):
        return nn.functional.cross_entropy(logits.detach(), targets)
'''
for _hook, _what in {
    "backbones": "NETS",
    "losses": "[ROWS, DETACHED, RAISES]",
    "augmentations": "[AUG]",
    "samplers": "[ORDER]",
    "class_weights": "[WEIGHTS]",
    "optimizers": "[STEPS]",
    "schedules": "[PACE]",
    "audits": "[AUDIT]",
    "reports": "[REPORT]",
    "metrics": "[METRIC]",
}.items():
    ODD += f"\n\n@hookimpl\ndef leukreg_{_hook}():\n    return {_what}\n"

RECIPE = """
seed = 1
data = { use = "folder", root = "images", folds = { test = 0.25, duplicates = "ignored" } }
image = { size = 16 }
model = { backbone = "net", head = "linear" }
loss = { use = "cross-entropy" }
evaluate = { bootstrap = 20, metrics = ["accuracy"] }
training = { batch_size = 8 }
[[phase]]
name = "all"
unfreeze = "all"
epochs = 2
optimizer = { use = "adam", lr = 1e-3 }
"""
WHOLE = "`stages`, run in order on the image, are the whole network"


@pytest.fixture
def recipe(strangers: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    install(strangers, "leukreg-odd", ODD)
    write_example_images(tmp_path / "images", per_class=16, size=16)
    (tmp_path / "odd.toml").write_text(RECIPE)
    monkeypatch.chdir(tmp_path)
    return "odd.toml"


def place(snippet: str) -> str:
    """A pattern of the file and line where the author's own code has ``snippet``."""
    line = 1 + [snippet in text for text in ODD.splitlines()].index(True)
    return rf"leukreg_odd\.py:{line}\b"


@pytest.mark.parametrize(
    ("change", "message", "snippet"),
    [
        ('loss="rows"', r"loss 'rows' .* gives shape \(8,\) for a batch of 8", "ROWS ="),
        ('loss="detached"', "loss 'detached' .* gives no gradient", "DETACHED ="),
        ('loss="raises"', "loss 'raises' .* NameError: name 'undefined'", "undefined  # here"),
        ('loss.class_weights="negative"', "must give one positive figure", "WEIGHTS ="),
        ('model.backbone="stem"', rf"outside its stages \(stem.weight.*{WHOLE}", '"stem"'),
        ('model.backbone="doubled"', f"something else than its stages do; {WHOLE}", '"doubled"'),
        ('augmentation="floats"', "gives torch.float32; it must give a uint8", "AUG ="),
        ('sampler="beyond"', "yields position 32 of 32 rows", "ORDER ="),
        ('phase.0.optimizer="closure"', "optimizer 'closure' .* failed in step", "STEPS ="),
        ('phase.0.schedule="pace"', "schedule 'pace' .* failed in raising", "# here\n"),
    ],
)
def test_check_finds_it_before_anything_runs(
    recipe: str, change: str, message: str, snippet: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["check", recipe, "--set", change]) == 3
    shown = capsys.readouterr().err
    assert re.search(message, shown)
    snippet = 'RuntimeError("two' if snippet == "# here\n" else snippet
    assert re.search(place(snippet), shown)
    assert "tell the authors of leukreg-odd 1.0" in shown
    [log] = re.findall(r"The traceback is in\n  (\S+)", shown)
    assert "Traceback" in Path(log).read_text() or "PluginFault" in Path(log).read_text()


def test_check_goes_on_to_the_other_recipes(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "good.toml").write_text((tmp_path / recipe).read_text())
    text = (tmp_path / recipe).read_text().replace('"cross-entropy"', '"rows"')
    (tmp_path / recipe).write_text(text)
    assert main(["check", recipe, "good.toml"]) == 3
    shown = capsys.readouterr()
    assert "good.toml: no problems" in shown.out
    assert "odd.toml  loss 'rows'" in shown.err


def test_a_crash_in_a_run_leaves_its_traceback_in_the_folder(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", recipe, "--set", 'model.backbone="late"', "--debug"]) == 3
    shown = capsys.readouterr().err
    told = shown[shown.rindex("leukreg: ") :]
    assert re.search(r"phase 'all', epoch \d: backbone 'late' \(from leukreg-odd 1.0\)", told)
    assert re.search(place('KeyError("late")') + r': raise KeyError\("late"\)', told)
    [folder] = (tmp_path / "runs").iterdir()
    assert f"The traceback is in\n  runs/{folder.name}/traceback.txt" in told
    for text in (shown, (folder / "traceback.txt").read_text()):
        assert re.search(r'leukreg_odd.py", line \d+, in forward', text)
    assert json.loads((folder / "status.json").read_text())["state"] == "failed"


def test_what_a_run_can_do_without_is_said_with_its_place(
    recipe: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = 'evaluate.metrics=["accuracy", "figure"]'
    assert main(["run", recipe, "--set", asked]) == 0
    shown = capsys.readouterr()
    [folder] = (tmp_path / "runs").iterdir()
    assert (
        f"Plugins failed; their tracebacks are in\n  runs/{folder.name}/traceback.txt" in shown.err
    )
    kept = (folder / "traceback.txt").read_text()
    for who in ("metric 'figure' failed", "this rule could not", "This section could not"):
        assert re.search(rf"{who}.*\nTraceback(.|\n)*?RuntimeError: two\nlines", kept)
    assert "Traceback" not in shown.out + shown.err
    findings = (folder / "findings.json").read_text()
    assert re.search(r"RuntimeError: two \(.*" + place('RuntimeError("two'), findings)


def test_a_run_that_ends_well_keeps_no_old_traceback(recipe: str, tmp_path: Path) -> None:
    from leukreg.recipe import load
    from leukreg.runs import RunFolder

    with (
        pytest.raises(ZeroDivisionError),
        RunFolder.create(tmp_path / "runs", load(Path(recipe))) as folder,
    ):
        raise ZeroDivisionError
    path = folder.path / "traceback.txt"
    assert "ZeroDivisionError" in path.read_text()
    with RunFolder.open(folder.path) as again:
        again.finish()
    assert not path.exists()


def test_an_option_check_that_crashes_is_said_with_its_place(
    strangers: Path, recipe: str, capsys: pytest.CaptureFixture[str]
) -> None:
    source = '''
from leukreg import hookimpl, plugin


@plugin("fussy")
class Fussy:
    """A loss whose own check of its options crashes."""

    def __post_init__(self):
        {}["option"]

    def build(self, labels): ...


@hookimpl
def leukreg_losses():
    return [Fussy]
'''
    install(strangers, "leukreg-fussy", source)
    assert main(["check", recipe, "--set", 'loss="fussy"']) == 2
    shown = capsys.readouterr().err
    assert "refuses its options: KeyError: 'option' (" in shown
    assert "leukreg_fussy.py:10)" in shown
