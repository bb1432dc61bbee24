"""What the cells of each folder look like: documented morphology as overlapping distributions.

After Chiaretti et al., "Diagnosis and subclassification of acute lymphoblastic leukemia", MJHID
2014, and Sevilla et al., "Hematogones: a review and update", Leukemia and Lymphoma 2010, reduced to
what can be seen in a field of 224 px. Pathologists tell the malignant stages apart by
immunophenotype; the looks given to them here are a caricature, and neighbours overlap on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Morphology:
    """Means of one class. Patients, then cells, vary around them."""

    cells: float
    """Lymphoid cells per field."""
    diameter: float
    """Of the cell, in diameters of a red cell (about 7.2 micrometres)."""
    ratio: float
    """Area of the nucleus over area of the cell."""
    density: float
    """Optical density of the chromatin, relative."""
    clumps: float
    """Contrast of coarse chromatin clumps."""
    fine: float
    """Contrast of fine chromatin."""
    openness: float
    """0: closed, homogeneous chromatin; 1: an open net with cleared spaces."""
    nucleoli: float
    """Mean number of nucleoli per nucleus."""
    prominence: float
    """How far nucleoli stand out, 0 to 1."""
    irregular: float
    """Relative amplitude of the nucleus' outline."""
    cleft: float
    """Share of nuclei with a cleft or fold."""
    basophilia: float
    """Blueness of the cytoplasm, relative."""


BENIGN = Morphology(
    cells=3.8, diameter=1.30, ratio=0.84, density=1.06, clumps=0.10, fine=0.05, openness=0.06,
    nucleoli=0.03, prominence=0.15, irregular=0.020, cleft=0.05, basophilia=0.85,
)  # fmt: skip
EARLY_PRE_B = Morphology(
    cells=5.0, diameter=1.56, ratio=0.83, density=1.00, clumps=0.07, fine=0.16, openness=0.25,
    nucleoli=0.7, prominence=0.35, irregular=0.030, cleft=0.12, basophilia=0.95,
)  # fmt: skip
PRE_B = Morphology(
    cells=4.8, diameter=1.68, ratio=0.64, density=1.00, clumps=0.13, fine=0.13, openness=0.30,
    nucleoli=0.8, prominence=0.45, irregular=0.055, cleft=0.60, basophilia=1.10,
)  # fmt: skip
PRO_B = Morphology(
    cells=6.2, diameter=1.68, ratio=0.80, density=0.96, clumps=0.08, fine=0.16, openness=0.85,
    nucleoli=1.9, prominence=0.95, irregular=0.020, cleft=0.06, basophilia=1.05,
)  # fmt: skip

FOLDERS: dict[str, Morphology] = {
    "Benign": BENIGN,
    "[Malignant] early Pre-B": EARLY_PRE_B,
    "[Malignant] Pre-B": PRE_B,
    "[Malignant] Pro-B": PRO_B,
}
"""Folder names exactly as in the public "Blood Cell Cancer [ALL]" set."""

STRANGERS: dict[str, tuple[str, float]] = {
    "Benign": ("[Malignant] early Pre-B", 0.08),
    "[Malignant] early Pre-B": ("Benign", 0.12),
    "[Malignant] Pre-B": ("Benign", 0.12),
    "[Malignant] Pro-B": ("Benign", 0.10),
}
"""Reactive cells among benign ones, normal lymphocytes among blasts: class and share of cells."""
