"""Rendered smears, for machines without images."""

from __future__ import annotations

import hashlib
import json
from dataclasses import field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from annotated_types import Ge, Le

from leukreg import SILENT, DataError, Progress, Samples, did_you_mean, plugin, require_empty

if TYPE_CHECKING:
    from leukreg_plugins.rendering.smear import Shot

README = """These are rendered pictures, not real cells.

leukreg drew them to show how it works. Nothing learned from them says anything about patients.
"""
PATIENT = r"(?:^|/)(P\d+)_[^/]*$"


def _as_published() -> dict[str, int]:
    # The public set's benign images, and a fifth of each of its malignant folders.
    return {
        "Benign": 512,
        "[Malignant] early Pre-B": 196,
        "[Malignant] Pre-B": 191,
        "[Malignant] Pro-B": 159,
    }


@plugin("demo")
class Demo:
    """Rendered fields of stained blood smears, in folders named as in the public ALL set.

    The classes follow documented morphology and overlap; patients differ in stain and light more
    than classes do. Pictures are drawn once into leukreg's cache and listed from there.
    """

    notice_label: ClassVar[str] = "rendered cells, not real"

    images: Annotated[int, Ge(1)] | dict[str, Annotated[int, Ge(0)]] = field(
        default_factory=_as_published
    )
    """Pictures per folder: one number for all four folders, or a table of folder name to number."""
    size: Annotated[int, Ge(32), Le(1024)] = 224
    """Pixels a side; the field of view stays the same."""
    patients: Annotated[int, Ge(1)] | None = None
    """Patients over all folders; by default one per twelve pictures, at least four a folder."""
    patients_known: bool = True
    """Tell leukreg whose picture it is. False is as in the public set, which has no patient ids."""
    weak: bool = False
    """Only patients have labels, those of their folder's class; cells take their patient's."""
    duplicates: Annotated[float, Ge(0), Le(0.9)] = 0.0
    """Share of pictures that are near duplicates of the last one (the same field, taken again)."""
    seed: Annotated[int, Ge(0)] = 0
    """Another seed draws other patients and cells."""
    classes: dict[str, tuple[str, ...]] | None = None
    """Class name to the folders that make it up; by default every folder is a class."""
    listing: Literal["walk", "glob-twice"] = "walk"
    """How files are found; "glob-twice" repeats the history's fault."""
    max_per_class: Annotated[int, Ge(1)] | None = None
    """At most so many images per class, evenly spread over the sorted list."""

    def __post_init__(self) -> None:
        if self.weak and not self.patients_known:
            raise ValueError("weak = true needs patients: leave patients_known = false away")

    def build(self, progress: Progress = SILENT) -> Samples:
        """Render what the cache does not have yet, and list it.

        Raises:
            DataError: A folder is unknown, patients do not fit, or the cache cannot be written.
        """
        from leukreg import list_folder

        root = self._root()
        self._render(self._pictures(), root, progress)
        samples = list_folder(
            root,
            classes=self.classes,
            patient=PATIENT if self.patients_known else None,
            listing=self.listing,
            max_per_class=self.max_per_class,
            origin="rendered",
        )
        if not self.weak:
            return samples
        labels = {row.patient: row.label for row in samples.rows if row.patient is not None}
        return replace(samples, patient_labels=labels, patient_classes=samples.classes, weak=True)

    def count_files(self) -> dict[str, int]:
        """Pictures of each class, by a walk, however they are listed."""
        from leukreg import count_folder

        return count_folder(self._root(), classes=self.classes, max_per_class=self.max_per_class)

    def write(self, folder: Path, progress: Progress = SILENT) -> int:
        """Write the pictures out and return how many there are.

        Raises:
            DataError: ``folder`` is not empty or cannot be written, or the options do not fit.
        """
        pictures = self._pictures()
        require_empty(folder)
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "NOT-REAL-CELLS.txt").write_text(README, encoding="utf-8")
        except OSError as error:
            raise DataError(f"{folder} cannot be written: {error.strerror or error}") from error
        self._render(pictures, folder, progress)
        return len(pictures)

    def counts(self) -> dict[str, int]:
        """Pictures per folder.

        Raises:
            DataError: A folder is not one of the public set's, or there is nothing to draw.
        """
        from leukreg_plugins.rendering.smear import FOLDERS

        if isinstance(self.images, int):
            return dict.fromkeys(FOLDERS, self.images)
        for name in self.images:
            if name not in FOLDERS:
                hint = did_you_mean(name, FOLDERS)
                raise DataError(f"demo cannot draw a folder {name!r}; {hint}")
        if not any(self.images.values()):
            raise DataError(
                "demo has nothing to draw: images names no folder with a number above 0"
            )
        return {name: self.images[name] for name in FOLDERS if name in self.images}

    def _pictures(self) -> tuple[Shot, ...]:
        from leukreg_plugins.rendering.smear import plan

        return plan(
            self.counts(), patients=self.patients, duplicates=self.duplicates, seed=self.seed
        )

    def _render(self, pictures: tuple[Shot, ...], root: Path, progress: Progress) -> None:
        from leukreg_plugins.rendering.photograph import write_pictures

        write_pictures(pictures, self.counts(), root, self.size, self.seed, progress)

    def _root(self) -> Path:
        """Where the cache keeps these pictures."""
        from leukreg import cache_area
        from leukreg_plugins.rendering.photograph import renderer_version

        drawn = [renderer_version(), self.counts(), self.size, self.patients, self.duplicates]
        digest = hashlib.blake2b(json.dumps([*drawn, self.seed]).encode(), digest_size=12)
        return cache_area("demo") / digest.hexdigest()
