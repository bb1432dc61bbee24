"""Images on disk, one folder per class."""

from __future__ import annotations

from typing import Annotated, Literal

from annotated_types import Ge

from leukreg import Samples, count_folder, list_folder, plugin, require_folder


@plugin("folder")
class Folder:
    """Images in class folders of any name, nested or not.

    A file is an image by its ending, in any case, or else by its first bytes. Files of systems
    (hidden ones, __MACOSX, @eaDir, Thumbs.db) are skipped, links are followed, and a folder that
    links back to itself is walked once. What is passed over is counted. Nothing is decoded here.
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
    listing: Literal["walk", "glob-twice"] = "walk"
    """How files are found; "glob-twice" repeats the history's fault: a pattern made from the class
    name lists every file twice, and none in folders with brackets in their name."""
    max_per_class: Annotated[int, Ge(1)] | None = None
    """At most so many images per class, evenly spread over the sorted list."""

    def ready(self) -> None:
        """Raises NotAvailable when root is not there."""
        advice = "put the images there, one folder per class, or set data.root to where they are"
        require_folder(self.root, advice)

    def build(self) -> Samples:
        """List the images, sorted by path.

        Raises:
            NotAvailable: root is not there.
            DataError: A class folder is missing, or the patient option finds no patient.
        """
        self.ready()
        return list_folder(
            self.root,
            classes=self.classes,
            patient=self.patient,
            patient_level=self.patient_level,
            listing=self.listing,
            max_per_class=self.max_per_class,
        )

    def count_files(self) -> dict[str, int]:
        """Image files of each class, by a walk, however they are listed."""
        return count_folder(self.root, classes=self.classes, max_per_class=self.max_per_class)
