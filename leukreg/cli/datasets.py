"""``leukreg datasets [NAME]``: the register of public blood-cell data sets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from leukreg.cli.output import say
from leukreg.errors import LeukregError
from leukreg.text import did_you_mean

if TYPE_CHECKING:
    from leukreg.audit.dataset_register import PublicDataset


@click.command("datasets")
@click.argument("name", required=False)
def command(name: str | None) -> None:
    """List the public data sets that `dataset = "NAME"` of a published result may mean.

    NAME shows one with its classes, its official split, what is known of copies, and the addresses
    where that was read. What is not known for certain is not there.
    """
    from leukreg.audit.dataset_register import dataset_register, find_dataset
    from leukreg.report.console import open_console, print_table
    from leukreg.section import Table

    known = dataset_register()
    if name is None:
        heads = ("name", "images", "patients", "classes", "split by", "what")
        rows = tuple(_row(dataset) for dataset in known.values())
        print_table(Table(columns=heads, rows=rows), open_console())
        return
    dataset = find_dataset(name)
    if dataset is None:
        hint = did_you_mean(name, known, "`leukreg datasets` lists those it has")
        raise LeukregError(f"the register has no data set {name!r}; {hint}")
    for line in _lines(dataset):
        say(line)


def _row(dataset: PublicDataset) -> tuple[str, ...]:
    counts = (dataset.images, dataset.patients, len(dataset.classes) or None)
    shown = ("" if count is None else f"{count:,}" for count in counts)
    return dataset.name, *shown, dataset.split_by, dataset.title


def _lines(dataset: PublicDataset) -> list[str]:
    of = [("images", dataset.images), ("patients", dataset.patients)]
    of.append(("images before augmentation", dataset.augmented_from))
    lines = [f"{dataset.name}: {dataset.title}"]
    lines += [f"  {what}: {count:,}" for what, count in of if count is not None]
    if dataset.classes:
        lines.append(f"  classes: {', '.join(f'{c} {n:,}' for c, n in dataset.classes)}")
    for side, images, classes in dataset.split:
        listed = f" ({', '.join(f'{c} {n:,}' for c, n in classes)})" if classes else ""
        lines.append(f"  {side}: {images:,}{listed}")
    told = {
        "official split by": dataset.split_by,
        "cut out of": dataset.cropped_from,
        "copies": dataset.duplicates,
        "note": dataset.note,
        "not confirmed at its own address": ", ".join(dataset.unconfirmed).replace("_", " "),
    }
    lines += [f"  {what}: {text}" for what, text in told.items() if text]
    return [*lines, *(f"  source: {address}" for address in dataset.sources)]
