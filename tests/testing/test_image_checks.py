"""The checks of sources and generators can fail, and say what to mend."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from leukreg import DataError, Lineage, Sample, Samples
from leukreg.testing import check, example_images
from tests.testing.faults import Case, faulty, made, refused

# mypy: ignore-errors


CASES: list[Case] = []
bad = partial(faulty, CASES)


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


@bad("source", "patient 'p' has no label")
def _no_patient_label(self):
    rows = (Sample(id="a", path=__file__, label="a", patient="p"),)
    labels = {"q": "ill"}
    return Samples(rows=rows, classes=("a",), patient_labels=labels, patient_classes=("ill",))


@bad("source", "'a' has another label than its patient")
def _weak(self):
    rows = (Sample(id="a", path=__file__, label="well", patient="p"),)
    classes = ("well", "ill")
    return Samples(
        rows=rows, classes=classes, patient_labels={"p": "ill"}, patient_classes=classes, weak=True
    )


@bad("preprocessing", "has parameters")
def _learns(self, image):
    return torch.nn.Linear(3, 3)


class Change(torch.nn.Module):
    """A preprocessing whose faults are overridden below."""

    def forward(self, images):
        return 255 - images


class Floats(Change):
    def forward(self, images):
        return images / 255


class Larger(Change):
    def forward(self, images):
        return images.repeat(1, 2, 2, 1)


class InPlace(Change):
    def forward(self, images):
        return images.zero_()


class Mated(Change):
    def forward(self, images):
        return images.float().sub(images.float().mean()).clamp(0, 255).byte()


class Drawing(Change):
    def forward(self, images):
        return torch.randint_like(images, 256)


class Growing(Change):
    def fit(self, images):
        self.register_buffer("seen", torch.zeros(len(images)))


class Forgetful(Change):
    seen = 0

    def fit(self, images):
        self.seen = len(images)

    def forward(self, images):
        return images + self.seen


class Lying(Change):
    def unfit(self, images):
        return torch.ones(len(images), dtype=torch.bool)


for _module, _sentence in (
    (Floats, "takes and returns uint8 batches"),
    (Larger, "became (9, 64, 64, 3), not (9, 32, 32, 3)"),
    (InPlace, "changes its input in place"),
    (Mated, "alone comes out otherwise"),
    (Drawing, "another image the second time"),
    (Growing, "changes the names or shapes"),
    (Forgetful, "set up from its state"),
    (Lying, "changes images that it says it cannot work on"),
):
    bad("preprocessing", _sentence)(lambda self, image, module=_module: module())


def test_a_preprocessing_without_a_fault_passes():
    check("preprocessing", made(lambda self, image: Change()))


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


@pytest.mark.parametrize(("kind", "sentence", "cls"), CASES)
def test_a_fault_is_named(kind: str, sentence: str, cls: type) -> None:
    refused(kind, sentence, cls)


def test_a_sound_generator_passes() -> None:
    check("generator", made(lambda self, image, labels: Generator()))


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
