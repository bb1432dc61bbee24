"""Every contract check can fail, and says to the plugin's author what to mend."""

# mypy: ignore-errors
from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Annotated

import click
import numpy as np
import pytest
import torch
from annotated_types import Ge
from torch import nn

from leukreg import (
    DataError,
    Finding,
    Lineage,
    Sample,
    Samples,
    Score,
    Section,
    Table,
    hookimpl,
    plugin,
)
from leukreg.kinds import KINDS
from leukreg.testing import CHECKS, check, check_options, example_images, write_example_images

CASES: list[tuple[str, str, type]] = []


def made(build: Callable[..., object], name: str = "mine", **members: object) -> type:
    """A plugin with this build."""
    body = {"__doc__": "A plugin made for this test.", "build": build, **members}
    return plugin(name)(type("Mine", (), body))


def bad(kind: str, sentence: str) -> Callable[[Callable[..., object]], None]:
    """Register a build that must be refused with ``sentence``."""

    def register(build: Callable[..., object]) -> None:
        CASES.append((kind, sentence, made(build)))

    return register


@bad("augmentation", "uint8")
def _float(self, image):
    return lambda batch: batch.float()


@bad("augmentation", "keep the shape")
def _cropped(self, image):
    return lambda batch: batch[:, :, 2:]


@bad("augmentation", "in place")
def _in_place(self, image):
    return lambda batch: batch.add_(1)


@bad("augmentation", "same draw")
def _one_draw(self, image):
    return lambda batch: batch.flip(3) if torch.rand(()) < 0.5 else batch.clone()


@bad("augmentation", "same torch seed")
def _own_draw(self, image):
    rng = np.random.default_rng(0)
    return lambda batch: (batch + int(rng.integers(100))).to(torch.uint8)


class Backbone(nn.Module):
    """A small backbone whose faults are set from outside."""

    def __init__(self, **faults: object) -> None:
        super().__init__()
        self.stages = nn.Sequential(nn.Conv2d(3, 8, 3, stride=2))
        self.channels = 8
        self.contract = SimpleNamespace(mean=(0.5, 0.5, 0.5), std=(0.2, 0.2, 0.2))
        for name, value in faults.items():
            setattr(self, name, value)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features = self.stages(images)
        return self.extra(features) if hasattr(self, "extra") else features


for _sentence, _faults in (
    ("(2, 9, h, w)", {"channels": 9}),
    ("nn.Sequential", {"stages": nn.Conv2d(3, 8, 3)}),
    ("three floats", {"contract": SimpleNamespace(mean=(0.5,), std=(1.0, 1.0, 1.0))}),
    ("0 to 255", {"contract": SimpleNamespace(mean=(124.0,) * 3, std=(58.0,) * 3)}),
    ("not the forward pass", {"extra": nn.ReLU()}),
    ("outside the stages", {"unused": nn.Linear(2, 2)}),
):
    CASES.append(("backbone", _sentence, made(lambda self, faults=_faults: Backbone(**faults))))


@bad("backbone", "frozen")
def _frozen(self):
    return Backbone().requires_grad_(False)


@bad("backbone", "two builds from the same torch seed differ")
def _unseeded(self):
    model = Backbone()
    nn.init.constant_(model.stages[0].bias, float(np.random.default_rng().random()))
    return model


@bad("backbone", "no attribute 'contract'")
def _without(self):
    model = Backbone()
    del model.contract
    return model


@bad("attention", "keep the shape")
def _pooled(self, channels):
    return nn.AdaptiveAvgPool2d(1) if channels != 24 else nn.Identity()


class Detached(nn.Linear):
    def forward(self, features: torch.Tensor) -> torch.Tensor:
        return features * self.weight.detach().mean().sigmoid()


@bad("attention", "no gradient reaches weight")
def _detached(self, channels):
    return Detached(channels, channels, bias=False)


@bad("head", "need logits (5, 2)")
def _fixed_head(self, channels, labels):
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(channels, 3))


@bad("head", "return logits")
def _softmax_head(self, channels, labels):
    linear = nn.Linear(channels, len(labels))
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), linear, nn.Softmax(1))


class Hidden(nn.Module):
    """A head that computes with something its state_dict does not hold."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.linear = nn.Linear(channels, classes)
        self.seen = 0.0

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        if self.training:
            self.seen += 1.0
        return self.linear(features.mean((2, 3))) + self.seen


@bad("head", "after state_dict and load_state_dict")
def _hidden(self, channels, labels):
    return Hidden(channels, len(labels))


@bad("head", "two passes in eval mode differ")
def _always_random(self, channels, labels):
    class Random(nn.Linear):
        def forward(self, features):
            return super().forward(features.mean((2, 3))) + torch.rand(())

    return Random(channels, len(labels))


class Loss(nn.Module):
    def __init__(self, compute: Callable[..., torch.Tensor]) -> None:
        super().__init__()
        self.compute = compute

    def forward(self, logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return self.compute(logits, targets)


for _sentence, _compute in (
    ("one finite number", lambda x, t: nn.functional.cross_entropy(x, t, reduction="none")),
    ("mean over the batch", lambda x, t: nn.functional.cross_entropy(x, t, reduction="sum")),
    ("cost no less", lambda x, t: -nn.functional.cross_entropy(x, t)),
    ("log_softmax", lambda x, t: nn.functional.nll_loss(x.softmax(1).log(), t)),
    ("gradient of the logits", lambda x, t: (x * 0).sum()),
):
    CASES.append(("loss", _sentence, made(lambda self, labels, compute=_compute: Loss(compute))))


@bad("class-weights", "tuple of one weight per class")
def _short(self, labels):
    return (1.0,)


@bad("class-weights", "finite float above 0")
def _infinite(self, labels):
    return tuple(1 / count if count else float("inf") for count in labels.counts)


@bad("class-weights", "equal size")
def _uneven(self, labels):
    return (1.0, 2.0, 3.0, 4.0)


@bad("sampler", "draw from the given generator")
def _own_order(self, targets, groups, generator):
    return torch.randperm(len(targets)).tolist()


@bad("sampler", "from 0 to 39")
def _off_by_one(self, targets, groups, generator):
    return range(1, len(targets) + 1)


@bad("sampler", "does not end")
def _endless(self, targets, groups, generator):
    while True:
        yield 0


@bad("sampler", "is empty")
def _empty(self, targets, groups, generator):
    return []


@bad("optimizer", "steps elsewhere")
def _forgetful(self, groups):
    class Forgetful(torch.optim.SGD):
        def load_state_dict(self, state_dict):
            return None

    return Forgetful(groups, lr=0.01, momentum=0.9)


@bad("optimizer", "leaves some parameters")
def _half(self, groups):
    optimizer = torch.optim.SGD(groups, lr=0.01)
    optimizer.param_groups[1]["params"] = []
    return optimizer


@bad("optimizer", "quadratic bowl")
def _diverging(self, groups):
    return torch.optim.SGD(groups, lr=0.01, maximize=True)


@bad("optimizer", "torch.optim.Optimizer")
def _none(self, groups):
    return None


@bad("schedule", "at a learning rate of 0.0")
def _dead(self, optimizer, steps):
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: float(step > 0))


@bad("schedule", "has no state_dict()")
def _stateless(self, optimizer, steps):
    return SimpleNamespace(step=lambda: None)


@bad("metric", "fill `why`")
def _silent(self, predictions):
    yield Score(name="x", value=1.0)
    yield Score(name="y", value=None)


@bad("metric", "is nan")
def _nan(self, predictions):
    yield Score(name="x", value=float("nan"))


@bad("metric", "raises ZeroDivisionError")
def _raising(self, predictions):
    yield Score(name="x", value=1 / (len(predictions) - 3))


@bad("metric", "unknown class 'zzz'")
def _unknown_class(self, predictions):
    yield Score(name="x", value=1.0, label="zzz")


@bad("audit", "where nothing is known")
def _always(self, evidence):
    yield Finding(rule="mine", severity="note", message="x")


@bad("audit", "use the plugin's name")
def _other_name(self, evidence):
    if evidence.predictions is not None:
        yield Finding(rule="yours", severity="note", message="x")


@bad("audit", "where only predictions are known")
def _greedy(self, evidence):
    if evidence.predictions is not None and not evidence.samples.rows:
        yield Finding(rule="mine", severity="note", message="x")


@bad("audit", "one line")
def _lines(self, evidence):
    if evidence.predictions is not None:
        yield Finding(rule="mine", severity="note", message="x\ny")


@bad("report", "one cell for each")
def _ragged(self, result):
    yield Section(title="x", tables=(Table(columns=("a", "b"), rows=(("1",),)),))


@bad("report", "with a title")
def _untitled(self, result):
    yield Section(title=" ")


@bad("source", "lists no rows")
def _no_rows(self):
    return Samples(rows=(), classes=("a",))


@bad("source", "is not a file")
def _no_file(self):
    return Samples(rows=(Sample(id="a", path="/no/such/file", label="a"),), classes=("a",))


@bad("source", "not among its classes")
def _no_class(self):
    return Samples(rows=(Sample(id="a", path=__file__, label="b"),), classes=("a",))


@bad("source", "stands for two files")
def _twice(self):
    paths = (__file__, str(Path(__file__).parents[1] / "strangers.py"))
    rows = tuple(Sample(id="a", path=path, label="a") for path in paths)
    return Samples(rows=rows, classes=("a",))


class Generator:
    """A generator whose faults are overridden below."""

    name = "mine"

    def fit(self, images, seed, folder):
        self.images, self.seed = images, seed

    def draw(self, seed):
        return np.random.default_rng(seed)

    def sample(self, label, n, seed):
        if label not in self.images.samples.classes:
            raise DataError("no")
        size = self.images.size
        pixels = self.draw(seed).integers(0, 256, (n, size, size, 3)).astype(np.uint8)
        lineage = tuple(Lineage(generator=self.name, seed=seed) for _ in range(n))
        return SimpleNamespace(pixels=pixels, lineage=lineage)


for _sentence, _members in (
    ("names 'other'", {"name": "other"}),
    ("the same seed makes other images", {"draw": lambda self, seed: np.random.default_rng()}),
    ("the very same images", {"draw": lambda self, seed: np.random.default_rng(0)}),
    ("KeyError for a class it cannot make", {"sample": lambda self, *a: _raise_for(self, *a)}),
):
    _cls = type("Faulty", (Generator,), _members)
    CASES.append(("generator", _sentence, made(lambda self, image, labels, cls=_cls: cls())))


def _fit_badly(self, images, seed, folder, progress=None) -> None:
    progress.tell("fitting")


def _positional(self, image, labels, targets=None, /) -> Generator:
    return Generator()


def _forgetful(self, image, labels, targets=None) -> Generator:
    return {None: Generator}[targets]()


def _needy(self, image, labels, targets) -> Generator:
    return Generator()


def _plain(self, image, labels) -> Generator:
    return Generator()


_fits_badly = type("Faulty", (Generator,), {"fit": _fit_badly})
for _sentence, _build, _members in (
    ("fit fails with a progress: AttributeError", lambda self, image, labels: _fits_badly(), {}),
    ("build fails with targets=('early-pre-b',): TypeError", _positional, {}),
    ("build fails with targets=('early-pre-b',): KeyError", _forgetful, {}),
    ("take 'targets' as None where nobody says them", _needy, {}),
    ("files must give pathlib.Path, not ['a.csv']", _plain, {"files": lambda self: ["a.csv"]}),
    ("files must give pathlib.Path, several", _plain, {"files": lambda self: Path("a.csv")}),
):
    CASES.append(("generator", _sentence, made(_build, **_members)))


def _raise_for(self: Generator, label: str, n: int, seed: int) -> object:
    if label not in self.images.samples.classes:
        raise KeyError(label)
    return Generator.sample(self, label, n, seed)


class Extractor(nn.Module):
    """The mean colour; faults are overridden below."""

    dimensions = 3

    def __init__(self) -> None:
        super().__init__()
        self.eval()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.float().mean((2, 3))


for _sentence, _members in (
    ("needs 'dimensions'", {"dimensions": None}),
    ("(2, 5), not (2, 3)", {"dimensions": 5}),
    ("float32", {"forward": lambda self, x: x.double().mean((2, 3))}),
    ("not finite", {"forward": lambda self, x: x.float().mean((2, 3)) / 0}),
    ("in place", {"forward": lambda self, x: x.add_(1).float().mean((2, 3))}),
    ("among others", {"forward": lambda self, x: x.float().mean((2, 3)) - x.float().mean()}),
    ("same features", {"forward": lambda self, x: torch.ones(len(x), 3)}),
    ("in eval mode", {"__init__": lambda self: nn.Module.__init__(self)}),
):
    _cls = type("Faulty", (Extractor,), _members)
    _described = {"describe": lambda self: {"digest": "0" * 16}}
    CASES.append(("extractor", _sentence, made(lambda self, cls=_cls: cls(), **_described)))


def _changing(self) -> dict[str, str]:
    return {"digest": np.random.default_rng().bytes(8).hex()}


for _sentence, _describe in (
    ("hexadecimal", lambda self: {"digest": "new"}),
    ("the second time", _changing),
):
    CASES.append(("extractor", _sentence, made(lambda self: Extractor(), describe=_describe)))


@pytest.mark.parametrize(("kind", "sentence", "cls"), CASES)
def test_a_fault_is_named(kind: str, sentence: str, cls: type) -> None:
    with pytest.raises(AssertionError) as caught:
        check(kind, cls)
    assert sentence in str(caught.value)


def test_every_kind_has_a_fault_that_its_check_names() -> None:
    assert {kind for kind, _, _ in CASES} | {"command"} == set(KINDS) == set(CHECKS)


def test_a_sound_backbone_generator_and_extractor_pass() -> None:
    check("backbone", made(lambda self: Backbone()))
    check("generator", made(lambda self, image, labels: Generator()))
    check("extractor", made(lambda self: Extractor(), describe=lambda self: {"digest": "0" * 16}))


def test_a_generator_gets_what_it_takes() -> None:
    taken = []

    class Curious(Generator):
        def fit(self, images, seed, folder, progress=None):
            progress.say("fitting")
            super().fit(images, seed, folder)

    def build(self, image, labels, targets=None):
        taken.append(targets)
        return Curious()

    check("generator", made(build, files=lambda self: (Path("a.csv"),)))
    assert set(taken) == {example_images().samples.classes[1:2]}


def test_an_undocumented_option_is_named() -> None:
    @plugin("mine")
    class Mine:
        """A loss without words."""

        gamma: float = 1.0

        def build(self, labels: object) -> None: ...

    with pytest.raises(AssertionError, match="option 'gamma' is not documented"):
        check_options(Mine)


def test_a_default_outside_its_own_range_is_named() -> None:
    @plugin("mine")
    class Mine:
        """A loss with a wrong default."""

        gamma: Annotated[float, Ge(0)] = -1.0
        """How far."""

        def build(self, labels: object) -> None: ...

    with pytest.raises(AssertionError, match="its own defaults"):
        check_options(Mine)


def test_a_class_that_is_no_plugin_is_named() -> None:
    @dataclasses.dataclass
    class Mine:
        """Not marked."""

    with pytest.raises(AssertionError, match="not marked with @plugin"):
        check_options(Mine)
    with pytest.raises(AssertionError, match="lower-case words"):
        check_options(made(lambda self: None, name="Bad Name"))


def test_a_required_option_asks_for_an_instance() -> None:
    @plugin("mine")
    class Mine:
        """A source with a root."""

        root: str
        """Folder."""

        def build(self) -> None: ...

    with pytest.raises(AssertionError, match="cannot be built without root"):
        check("source", Mine)


def _module(**members: object) -> ModuleType:
    module = ModuleType("stranger")
    for name, value in members.items():
        setattr(module, name, value)
    return module


def test_faulty_commands_are_named() -> None:
    def leukreg_commands(cli: click.Group) -> None: ...

    with pytest.raises(AssertionError, match="implements no leukreg_commands"):
        check("command", _module())
    with pytest.raises(AssertionError, match="not marked with @hookimpl"):
        check("command", _module(leukreg_commands=leukreg_commands))
    with pytest.raises(AssertionError, match="adds no command"):
        check("command", _module(leukreg_commands=hookimpl(leukreg_commands)))

    @hookimpl
    def without_help(cli: click.Group) -> None:
        cli.add_command(click.Command("x"))

    with pytest.raises(AssertionError, match="'x' has no help"):
        check("command", _module(leukreg_commands=without_help))


def test_example_images_differ_by_class_and_are_written_as_seen(tmp_path: Path) -> None:
    from PIL import Image

    images = example_images(2, 6)
    assert images.pixels([]).shape == (0, 32, 32, 3)
    first, last = images.pixels([0, 11]).astype(float)
    assert abs(first - last).mean() > 5
    write_example_images(tmp_path)
    with Image.open(tmp_path / images.samples.rows[3].id) as image:
        assert np.array_equal(np.asarray(image), images.pixels([3])[0])
