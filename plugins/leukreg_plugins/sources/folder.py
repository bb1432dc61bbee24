"""Images on disk, one folder per class or per patient."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Annotated, Literal

from annotated_types import Ge

from leukreg import (
    Problems,
    Samples,
    count_folder,
    list_folder,
    patient_finder,
    plugin,
    require_folder,
)
from leukreg_plugins.sources.patients import PatientLabels, Told
from leukreg_plugins.sources.text_table import at_most


@plugin("folder")
class Folder(PatientLabels):
    """Images in class folders of any name, nested or not; or in folders of patients.

    A file is an image by its ending, in any case, or else by its first bytes. Files of systems
    (hidden ones, __MACOSX, @eaDir, Thumbs.db) are skipped, links are followed, and a folder that
    links back to itself is walked once. What is passed over is counted. Nothing is decoded here.
    With weak = true the class folders say what the patients in them are; with a table of patients
    besides, no folder is a class, and the folders of root are the patients.
    """

    root: str
    """The folder that holds the class folders; relative to the working directory, ~ expanded."""
    classes: dict[str, tuple[str, ...]] | None = None
    """Class name to the folders (below root) that make it up; by default every folder is a class.
    A * stands for any characters within one folder's name ("*/Signed slides/Promyelocyte"); all
    else is meant as it stands, brackets too. Folders that are not named are passed over."""
    patient: str | None = None
    """Regular expression with one group, the patient id, searched in the path below root."""
    patient_level: Annotated[int, Ge(1)] | None = None
    """The folder inside the class folder that is the patient: 1 for Benign/p07/image.jpg."""
    patient_label: str | None = None
    """Regular expression with one group, the patient's own label, searched in the path below root:
    '^([^/]+)/' for ALL/p07/lymphocyte/image.jpg."""
    listing: Literal["walk", "glob-twice"] = "walk"
    """How files are found; "glob-twice" repeats the history's fault: a pattern made from the class
    name lists every file twice, and none in folders with brackets in their name."""
    max_per_class: Annotated[int, Ge(1)] | None = None
    """At most so many images per class, evenly spread over the sorted list."""

    def contradictions(self) -> Iterator[str]:
        """Options that do not go together, in words."""
        told = self.patients is not None or self.patient_label is not None
        if self.patients is not None and self.patient_label is not None:
            yield "patients and patient_label both tell labels of patients; give one"
        if self.weak and self.patient_label is not None:
            yield "with weak = true the class folders tell labels of patients, not patient_label"
        if self.patient_classes is not None and not told:
            yield "patient_classes needs labels of patients: patients, or patient_label"
        if told and not (self.weak or self.patient or self.patient_level):
            yield "labels of patients need patients: say who they are, by patient or patient_level"
        if self._by_patient() and (self.classes is not None or self.max_per_class is not None):
            yield (
                "with weak = true and a table of patients no folder is a class: leave classes and "
                "max_per_class away, and name classes by patient_classes"
            )

    def ready(self) -> None:
        """Raises NotAvailable when root, or the table of patients, is not there."""
        advice = "put the images there, one folder per class, or set data.root to where they are"
        require_folder(self.root, advice)
        if self.patients is not None:
            self.patients.ready()

    def build(self) -> Samples:
        """List the images, sorted by path.

        Raises:
            NotAvailable: root, or the table of patients, is not there.
            DataError: A class folder is missing, or the patient option finds no patient.
            Problems: Labels of patients are missing or contradict each other: all of them.
        """
        self.ready()
        by_default = self.weak and self.patient is None and self.patient_level is None
        samples = list_folder(
            self.root,
            classes={"": (".",)} if self._by_patient() else self.classes,
            patient=self.patient,
            patient_level=1 if by_default else self.patient_level,
            listing=self.listing,
            max_per_class=self.max_per_class,
        )
        if not (self.weak or self.patients or self.patient_label):
            return samples
        told, problems, assumed = self.patients.told() if self.patients else ([], [], ())
        if by_default:
            where = "root" if self._by_patient() else "a class folder"
            assumed += (f"each folder in {where} is a patient",)
        source = "the class folders"
        if self.patients is not None:
            source = f"from {self.patients.path}"
        elif self.patient_label is not None:
            told, source = self._from_paths(samples), f"from paths, by {self.patient_label!r}"
        else:
            told = [Told(one.patient, one.label, one.path) for one in samples.rows if one.patient]
        samples, wrong = self.labelled(samples, told, source)
        if problems or wrong:
            raise Problems(at_most([*problems, *wrong]))
        return replace(samples, assumed=(*assumed, *samples.assumed))

    def count_files(self) -> dict[str, int]:
        """Image files of each class, by a walk, however they are listed; none by class where no
        folder is one."""
        if self._by_patient():
            return {}
        return count_folder(self.root, classes=self.classes, max_per_class=self.max_per_class)

    def _by_patient(self) -> bool:
        """Whether no folder is a class."""
        return self.weak and self.patients is not None

    def _from_paths(self, samples: Samples) -> list[Told]:
        """What the paths say of patients."""
        found = patient_finder(self.patient_label, None, "patient_label")
        pairs = ((row, found(row.id, 0)) for row in samples.rows)
        return [Told(row.patient, label, row.path) for row, label in pairs if row.patient and label]
