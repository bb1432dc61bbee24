"""The kinds of plugin: one row each, from which hooks, listings and recipe keys follow."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of plugin."""

    name: str
    hook: str
    sentence: str
    """What a plugin of this kind is, for listings."""


KINDS: dict[str, Kind] = {
    kind.name: kind
    for kind in (
        Kind("source", "leukreg_sources", "where samples come from"),
        Kind("augmentation", "leukreg_augmentations", "changes training images at random"),
        Kind("backbone", "leukreg_backbones", "turns images into feature maps"),
        Kind("attention", "leukreg_attentions", "reweighs the last feature map"),
        Kind("head", "leukreg_heads", "turns feature maps into logits"),
        Kind("loss", "leukreg_losses", "what training minimises"),
        Kind("class-weights", "leukreg_class_weights", "how much each class counts in the loss"),
        Kind("sampler", "leukreg_samplers", "the order in which training rows are seen"),
        Kind("generator", "leukreg_generators", "makes synthetic images of a class"),
        Kind("extractor", "leukreg_extractors", "turns images into features to be compared by"),
        Kind("optimizer", "leukreg_optimizers", "updates the parameters"),
        Kind("schedule", "leukreg_schedules", "how the learning rate moves"),
        Kind("metric", "leukreg_metrics", "a figure over predictions"),
        Kind("audit", "leukreg_audits", "a rule that finds what is wrong with a result"),
        Kind("report", "leukreg_reports", "a section of the report"),
        Kind("command", "leukreg_commands", "a command of the leukreg program"),
    )
}
