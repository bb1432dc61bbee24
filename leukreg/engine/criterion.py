"""The recipe's loss, held to its contract at every call."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from leukreg.registry.plugin_call import Choice, blamed, breach, call
from leukreg.types import Labels


class Criterion(nn.Module):
    """A loss plugin's module; whatever it does wrong names its author.

    Raises:
        PluginFault: It is no module; when called: it failed, or gave no mean that can be learned
            from.
    """

    def __init__(self, choice: Choice, labels: Labels) -> None:
        super().__init__()
        module = call(choice, choice.plugin.build, labels)
        if not isinstance(module, nn.Module):
            raise breach(choice, f" built a {type(module).__name__}, not a torch.nn.Module")
        self.choice = choice
        self.loss = module

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Logits ``(b, k)`` and targets ``(b,)`` to the scalar mean loss."""
        with blamed(self.choice, f"fails on logits {tuple(logits.shape)}"):
            loss = self.loss(logits, targets)
        if not isinstance(loss, Tensor):
            raise breach(self.choice, f" gives a {type(loss).__name__}, not a tensor")
        if loss.ndim:
            raise breach(
                self.choice,
                f" gives shape {tuple(loss.shape)} for a batch of {len(targets)}; "
                "it must give a single number, the mean over the batch",
            )
        if torch.is_grad_enabled() and logits.requires_grad and not loss.requires_grad:
            raise breach(self.choice, " gives no gradient to the logits; is its result detached?")
        return loss
