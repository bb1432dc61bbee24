"""What an export holds of answers about patients: the aggregators, and how to go to an answer."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from leukreg.choices import positive_of
from leukreg.engine.bags import reads_features
from leukreg.predict.patient_answers import require_patients
from leukreg.predict.trained_run import Trained

CELLS, PATIENT, WEIGHTS = "cells", "patient", "weights"
"""Second output of an exported model and input of its aggregator, and what that gives."""
TINY = 1e-30
"""Smallest probability whose logarithm is taken in float32."""


def cooled(p: Tensor, temperature: float | None) -> Tensor:
    """Probabilities ``(..., k)`` calibrated by a temperature; None leaves them as they are."""
    if temperature is None:
        return p
    return (p.clamp(min=TINY).log() / temperature).softmax(-1)


class DeployedAggregators(nn.Module):
    """From what the model gives of a patient's cells to the answer about the patient.

    ``(n, folds, width)`` to probabilities ``(k,)`` and the cells' weights ``(n,)``, of sum 1: means
    over the folds, temperatures inside.
    """

    def __init__(self, trained: Trained, modules: Sequence[nn.Module] | None = None) -> None:
        """Copies of the run's aggregators, or of others in their place."""
        super().__init__()
        heat = require_patients(trained.result).fitted.temperature_by_fold()
        own = modules or [one.module for one in trained.aggregators]
        self.folds = nn.ModuleList(copy.deepcopy(one) for one in own)
        self.eval().requires_grad_(False)
        self.temperatures = [heat.get(one.fold) for one in trained.models]

    def forward(self, cells: Tensor) -> tuple[Tensor, Tensor]:
        found, weights = [], []
        for place, own in enumerate(self.folds):
            p = own(cells[:, place]).softmax(-1)
            found.append(cooled(p, self.temperatures[place]))
            weights.append(own.weights(cells[:, place]))  # type: ignore[operator]
        return torch.stack(found).mean(0), torch.stack(weights).mean(0)


def learns(trained: Trained) -> bool:
    """Whether the aggregators are networks; what has nothing to learn is a formula."""
    return trained.result.patients is not None and trained.aggregators[0].learns


def width_of(trained: Trained) -> int:
    """Figures of a cell and fold that an aggregator reads."""
    if not reads_features(trained.recipe):
        return len(trained.classes_)
    return int(trained.models[0].model.backbone.channels)  # type: ignore[arg-type]


def patients_contract(trained: Trained, files: Sequence[str]) -> dict[str, Any]:
    """How to go from cells to the answer about their patient, without leukreg and its recipe.

    Args:
        files: Those of the aggregators, where they have learned anything.
    """
    of, choice = require_patients(trained.result), trained.aggregators[0].spec.aggregator
    positive = positive_of(of.predictions.classes, trained.recipe.evaluate.positive)
    what = "probabilities, in the order of the cells' classes, before any temperature"
    if reads_features(trained.recipe):
        what = "features: the feature map that the fold's head is given, its mean over the map"
    said = (inspect.getdoc(choice.plugin), type(trained.aggregators[0].module).__doc__)
    whole = len(files) == 1  # a graph of all folds
    return {
        "aggregator": choice.name,
        "options": dict(choice.options),
        "does": " ".join(" ".join(text.split()) for text in said if text),
        "files": list(files),
        "cells": {
            "name": CELLS,
            "type": "float32",
            "shape": ["cells of one patient", len(trained.models), width_of(trained)],
            "meaning": f"second output of the model: of each cell and fold its {what}",
        },
        "answer": f"Give {files[0]} all cells of a patient at once, in any number and order: output"
        f" {PATIENT!r} are the probabilities of classes, {WEIGHTS!r} the cells' shares in them;"
        " temperatures and the mean over the folds are inside"
        if whole
        else "For each fold do with cells[:, fold], all cells of a patient at once, what `does`"
        f" says{' with the weights in files' if files else ''}, to probabilities p in the order of"
        " classes; where the fold has a temperature t, p becomes softmax(log(p) / t); the patient's"
        " probabilities are the mean over the folds",
        "classes": list(of.predictions.classes),
        "positive": positive.name if positive else None,
        "threshold": None
        if of.threshold is None or positive is None
        else {"class": positive.name, "at_least": of.threshold},
        "temperatures": of.fitted.temperature_by_fold() or None,
    }
