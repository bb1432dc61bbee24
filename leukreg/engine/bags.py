"""Patients as bags of cells: their aggregator, and what phases with ``bags`` learn from.

A bag is what is known of a patient to a network that learns from patients' labels alone (Ilse et
al., 2018).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from leukreg.choices import positive_of
from leukreg.engine.assembly import built
from leukreg.engine.batches import Part, Positions, Rows
from leukreg.engine.classifier import Classifier, Link, Pooled
from leukreg.engine.device import reseed
from leukreg.errors import TrainingError
from leukreg.patient_results import patient_labels_of
from leukreg.recipe.model import PatientsSpec, Recipe
from leukreg.registry.plugin_call import blamed, breach
from leukreg.seeds import derive
from leukreg.types import Labels, Samples

Bags = dict[str, list[int]]
"""The rows of each patient."""


def class_labels(recipe: Recipe, samples: Samples, patients: Iterable[str] = ()) -> Labels:
    """The classes of patients with the counts of these."""
    known = patient_labels_of(samples)
    said = [known.labels[patient] for patient in patients]
    found = positive_of(known.classes, recipe.evaluate.positive)
    return Labels(
        names=known.classes,
        counts=tuple(said.count(name) for name in known.classes),
        positive=found.name if found else None,
    )


@dataclass(frozen=True, slots=True)
class FoldAggregator:
    """A fold's aggregator, in eval mode on the CPU."""

    spec: PatientsSpec
    module: nn.Module
    classes: int

    @property
    def learns(self) -> bool:
        """Whether there is anything to train."""
        return any(p.requires_grad for p in self.module.parameters())

    @torch.no_grad()
    def answer(self, cells: Tensor) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """A patient's probabilities ``(k,)`` and the cells' weights ``(n,)``.

        Raises:
            PluginFault: The aggregator fails or gives what is no answer.
        """
        choice = self.spec.aggregator
        with blamed(choice, f"fails on {len(cells)} cells"):
            logits = self.module(cells)
            weights = self.module.weights(cells)  # type: ignore[operator]
        p = logits.double().softmax(-1)
        if not p.isfinite().all():
            raise breach(choice, f" gives logits that are no finite numbers for {len(cells)} cells")
        if p.shape != (self.classes,) or weights.shape != (len(cells),):
            shapes = f"{tuple(logits.shape)} and {tuple(weights.shape)}"
            said = f"{len(cells)} cells and {self.classes} classes"
            raise breach(choice, f" gives logits and weights {shapes} for {said}")
        if not ((weights >= 0).all() and abs(float(weights.sum()) - 1) < 1e-3):
            said = f"from {float(weights.min()):.3g} on, of sum {float(weights.sum()):.3g}"
            raise breach(choice, f" gives weights {said}; they must be shares, from 0 on, of sum 1")
        return p.numpy(), weights.double().numpy()


def build_aggregator(recipe: Recipe, labels: Labels, width: int) -> FoldAggregator:
    """A fresh aggregator, its first weights drawn from the recipe's seed.

    Raises:
        PluginFault: It builds no module.
    """
    assert recipe.patients is not None
    reseed(derive(recipe.seed, "model", "aggregator"))
    module = built(recipe.patients.aggregator, width, labels)
    return FoldAggregator(recipe.patients, module.eval(), len(labels.names))


def width_of_cells(labels: Labels, model: Classifier | None) -> int:
    """Figures of a cell: its probabilities, or the features that a model makes of it."""
    return len(labels) if model is None else int(model.backbone.channels)  # type: ignore[arg-type]


def reads_features(recipe: Recipe) -> bool:
    """Whether the recipe's aggregator reads features of cells, not their probabilities."""
    assert recipe.patients is not None
    return bool(getattr(recipe.patients.aggregator.plugin, "reads", "") == "features")


def by_patient(samples: Samples, rows: Iterable[int]) -> Bags:
    """The rows of each patient, in the order of first rows; synthetic cells are nobody's."""
    bags: Bags = {}
    for row in rows:
        sample = samples.rows[row]
        if sample.patient is not None and sample.origin != "synthetic":
            bags.setdefault(sample.patient, []).append(row)
    return bags


def require_each_class(labels: Labels, fold: int) -> None:
    """Refuse a fold whose training patients, counted in ``labels``, leave a class out."""
    lacking = [name for name, count in zip(labels.names, labels.counts, strict=True) if not count]
    if lacking:
        raise TrainingError(
            f"fold {fold + 1}: no training patient is {' or '.join(map(repr, lacking))}; an "
            "aggregator learns from real cells of patients of each class"
        )


@dataclass(frozen=True, slots=True)
class LabelledBags:
    """Patients among some rows, each with the positions of the cells and a class."""

    cells: tuple[Positions, ...]
    targets: Tensor
    """Class indices, int64, one a patient."""

    def drawn(self, most: int, seed: int) -> list[Part]:
        """Every patient once, in an order by ``seed``, with at most so many cells, drawn by it."""
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(self.cells)).tolist()
        return [self._part(one, rng.permutation(self.cells[one])[:most]) for one in order]

    def first(self, most: int) -> list[Part]:
        """Every patient, with at most so many cells, the first ones."""
        return [self._part(one, cells[:most]) for one, cells in enumerate(self.cells)]

    def _part(self, patient: int, cells: Positions) -> Part:
        return cells, self.targets[patient : patient + 1]


def labelled_bags(rows: Rows) -> LabelledBags:
    """The patients among these rows."""
    samples = rows.images.samples
    known = patient_labels_of(samples)
    place = {row: at for at, row in enumerate(rows.rows.tolist())}
    bags = by_patient(samples, place)
    targets = [known.classes.index(known.labels[patient]) for patient in bags]
    cells = tuple(np.array([place[row] for row in bag], dtype=np.int64) for bag in bags.values())
    return LabelledBags(cells, torch.tensor(targets, dtype=torch.int64))


class PatientLoss(nn.CrossEntropyLoss):
    """Cross-entropy of patients, each of whom counts alike, as where aggregators learn alone."""

    def weight_of(self, targets: Tensor) -> float:
        """What patients of these classes count in a mean over more of them: their number."""
        return float(len(targets))


class OnePatient(nn.Module):
    """A patient's logits ``(k,)`` as those of a batch of one, ``(1, k)``."""

    def forward(self, logits: Tensor) -> Tensor:
        return logits[None]


def patient_chain(model: Classifier) -> list[Link]:
    """From the images of one patient's cells to the patient's logits: no head, an aggregator."""
    assert model.aggregator is not None
    pooled: list[Link] = [("pooled", Pooled()), ("aggregator", model.aggregator)]
    return [*model.front(), *pooled, ("patient", OnePatient())]
