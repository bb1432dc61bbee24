"""Weights of InceptionV3 drawn at random, in the form that torch-fidelity publishes them in."""

from __future__ import annotations

from pathlib import Path
from unittest import mock

import torch
from torch import nn

from leukreg import import_torchvision


def write_inception(path: Path) -> Path:
    """Write such a file. Nothing is known by these weights; they only fit."""
    import_torchvision()
    from torch_fidelity import FeatureExtractorInceptionV3

    with (
        torch.random.fork_rng(devices=[]),
        mock.patch.object(torch, "load", return_value={}),
        mock.patch.object(nn.Module, "load_state_dict"),
    ):
        torch.manual_seed(0)
        network = FeatureExtractorInceptionV3("x", ["2048"], feature_extractor_weights_path="none")
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight)
    torch.save(network.state_dict(), path)
    return path
