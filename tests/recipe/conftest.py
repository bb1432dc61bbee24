"""A registry of a few plugins of our own: the recipe room knows no concrete plugin."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

import pytest
from annotated_types import Ge, Gt, Le, MinLen

from leukreg.errors import NotAvailable
from leukreg.registry import Entry, Owner, Registry, discover
from leukreg.registry.kinds import KINDS
from leukreg.registry.plugin import plugin

OWNER = Owner("leukreg-test", "1.0", "test")


class Builds:
    def build(self, *parts: Any) -> Any:
        return parts


@plugin("folder")
class Folder(Builds):
    """A folder that is never there."""

    root: str
    classes: dict[str, tuple[str, ...]] | None = None
    listing: Literal["walk", "glob-twice"] = "walk"

    def ready(self) -> None:
        if self.root != "here":
            raise NotAvailable(f"there is no folder {self.root}")


@plugin("drawn")
class Drawn(Builds):
    """Pictures that are drawn."""

    notice_label: ClassVar[str] = "drawn, not real"
    images: Annotated[int, Ge(1)] | dict[str, Annotated[int, Ge(0)]] = 10


@plugin("net")
class Net(Builds):
    """A network whose weights may be missing."""

    weights: Literal["imagenet", "local", "random"] = "imagenet"
    depth: Annotated[int, Ge(1), Le(9)] = 3

    def ready(self) -> None:
        if self.weights != "random":
            raise NotAvailable(f"no {self.weights} weights here")


@plugin("faulty")
class Faulty(Builds):
    """A network whose author made a mistake."""

    def ready(self) -> None:
        raise KeyError("oops")


@plugin("linear")
class Linear(Builds):
    """A head."""

    dropout: Annotated[float, Ge(0)] = 0.0


@plugin("mlp")
class Mlp(Builds):
    """A head with widths."""

    widths: Annotated[tuple[Annotated[int, Ge(1)], ...], MinLen(1)] = (8,)
    size: tuple[int, int] = (1, 2)

    def __post_init__(self) -> None:
        if len(self.widths) > 1 and self.widths[0] < self.widths[1]:
            raise ValueError("widths must fall")


@plugin("focal")
class Focal(Builds):
    """A loss."""

    gamma: Annotated[float, Ge(0)] = 2.0
    alpha: float | None = None


@plugin("undeclared")
class Undeclared(Builds):
    """A loss whose option has a type that nothing can resolve."""

    scale: Missing = 1  # type: ignore[name-defined]  # noqa: F821


@plugin("adamw")
class AdamW(Builds):
    """An optimizer that wants a learning rate."""

    lr: Annotated[float, Gt(0)]


def simple(name: str) -> type:
    """A plugin without options."""
    return plugin(name)(type(name, (Builds,), {"__doc__": "Nothing to choose."}))


CLASSES: dict[str, list[type]] = {
    "source": [Folder, Drawn],
    "backbone": [Net, Faulty],
    "attention": [simple("se")],
    "head": [Linear, Mlp],
    "loss": [Focal, Undeclared],
    "class-weights": [simple("balanced")],
    "sampler": [simple("shuffle")],
    "generator": [simple("warp")],
    "optimizer": [AdamW],
    "schedule": [simple("cosine")],
    "augmentation": [simple("flips")],
    "metric": [simple("accuracy")],
    "audit": [plugin("leak")(type("Leak", (Builds,), {"__doc__": "A rule.",
              "__annotations__": {"limit": float}, "limit": 0.5}))],
}  # fmt: skip


def registry_of(classes: dict[str, list[type]]) -> Registry:
    """A registry of these classes alone."""
    empty = discover(())
    entries: dict[tuple[str, str], tuple[Entry, ...]] = {}
    for kind, found in classes.items():
        assert kind in KINDS
        for cls in found:
            name: str = cls.leukreg_name  # type: ignore[attr-defined]
            entries[kind, name] = (Entry(kind, name, cls, OWNER),)
    return Registry(empty.manager, {}, entries, ())


REGISTRY = registry_of(CLASSES)


@pytest.fixture(scope="session")
def registry() -> Registry:
    return REGISTRY


GOOD = """\
schema = 1
title = "a good one"
seed = 4

[data]
use = "folder"
root = "data/all"
fallback = { use = "drawn", images = 7 }
folds = { k = 5, group = "patient", stratify = true }

[data.classes]
"Benign" = ["Benign"]
"ALL" = ["[Malignant] Pre-B", "[Malignant] Pro-B"]

[model]
backbone = { use = "net", depth = 4, fallback = { weights = "random" } }
attention = "se"
head = { use = "mlp", widths = [
  8, # eight
  4,
] }

[loss]
use = "focal"
gamma = 2.0
class_weights = "balanced"

[training]
batch_size = 16

[[phase]]
name = "head"
unfreeze = 0
epochs = 5
optimizer = { use = "adamw", lr = 1e-3 }

[[phase]]
name = "all"
unfreeze = "all"
epochs = 15
patience = 3

[phase.optimizer]
use = "adamw"
lr = 1e-5

[synthesis]
use = "warp"
classes = ["ALL"]
per_class = 4

[evaluate]
positive = "ALL"
mc_dropout = { passes = 30 }
threshold = { rule = "f1" }
metrics = ["accuracy"]

[[audit.waive]]
rule = "leak"
reason = "known"

[audit.rules.leak]
limit = 0.25

[reported]
accuracy = "0.8400"

[assumed]
"phase.0.optimizer.lr" = "not stated"
training.batch_size = "not stated"
"""


@pytest.fixture(scope="session")
def good() -> str:
    return GOOD
