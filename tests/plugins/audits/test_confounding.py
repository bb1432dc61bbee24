"""Patients, folders and shortcuts: rules fire on small cases, not on near misses."""

from __future__ import annotations

from dataclasses import replace

from leukreg_plugins.audits.confounding import (
    ConcentratedClass,
    PatientAcrossSplit,
    PatientOfTwoClasses,
    PatientsUnknown,
    Shortcut,
)

from leukreg import RunRecord
from leukreg.types import Sample, Samples
from tests.plugins.audits.evidence import evidence, fires, found, made, passes, rows, sample

FOUR = rows(2, 2)

IDS = [row.id for row in FOUR]


def _pictures(colour: float, size: float = 0.0, grouped: bool = False) -> RunRecord:
    """120 pictures; ``colour`` and ``size`` move with the class."""
    import numpy as np

    rng = np.random.default_rng(3)
    listed: list[Sample] = []
    statistics = {}
    for i in range(120):
        label = "ALL" if i % 2 else "Benign"
        patient = f"p{i % 4}" if grouped else f"p{i}"
        listed.append(sample(f"{label}/{i}.jpg", label, patient))
        shift = 10 * (i % 4) if grouped else colour * (i % 2)
        values = rng.normal(100, 1, 12)
        values[:3] += shift
        values[9] = 224 + size * (i % 2)
        values[10] = 224
        statistics[listed[-1].id] = tuple(values)
    samples = Samples(rows=tuple(listed), classes=("Benign", "ALL"))
    return RunRecord(samples=samples, statistics=statistics)


def test_patient_across_split() -> None:
    listed = [sample(f"{i}.jpg", patient=p) for i, p in enumerate("AABC")]
    fires(PatientAcrossSplit(), evidence(listed, [0, 2], [1, 3]), "error", "1 of 3 patients", "A")
    passes(PatientAcrossSplit(), evidence(listed, [0, 1], [2, 3]))
    fires(PatientAcrossSplit(), evidence(listed, [0], [3], [1]), "warning", "validation")
    passes(PatientAcrossSplit(), evidence([sample(f"{i}.jpg") for i in range(4)], [0, 1], [2, 3]))


def test_concentrated_class() -> None:
    rule = ConcentratedClass()
    one = [sample(f"b{i}.jpg", patient="Benign" if i < 7 else f"p{i}") for i in range(12)]
    fires(rule, evidence(one), "warning", "'Benign'", "7 of 12", "58.3 %")
    half = [sample(f"b{i}.jpg", patient=f"p{i % 2}") for i in range(12)]
    passes(rule, evidence(half))
    passes(rule, evidence(one[:9]))  # too few to say
    flat = [sample(f"Benign/{i}.jpg") for i in range(12)]
    passes(rule, evidence(flat))
    nested = [sample(f"Benign/{'a' if i < 10 else 'b'}/{i}.jpg") for i in range(12)]
    fires(rule, evidence(nested), "warning", "folder 'Benign/a'")


def test_patients_unknown() -> None:
    nameless = [sample("Benign/1.jpg"), sample("ALL/1.jpg", "ALL")]
    fires(PatientsUnknown(), evidence(nameless), "warning", "2 of 2 images")
    fires(PatientsUnknown(), evidence([*FOUR, nameless[0]]), "warning", "1 of 5 images")
    passes(PatientsUnknown(share=0.5), evidence([*FOUR, nameless[0]]))
    passes(PatientsUnknown(), evidence([*FOUR, made("s/1.png")]))
    passes(PatientsUnknown(), RunRecord())


def test_shortcut() -> None:
    fires(Shortcut(), _pictures(colour=8), "warning", "colour statistics", "50.0 %")
    fires(Shortcut(), _pictures(colour=0, size=32), "warning", "the image size")
    passes(Shortcut(), _pictures(colour=0.5))


def test_a_shortcut_that_only_knows_patients_is_none() -> None:
    passes(Shortcut(), _pictures(colour=0, grouped=True))


def test_a_shortcut_that_only_knows_patients_is_none_where_one_patient_is_unknown() -> None:
    case = _pictures(colour=0, grouped=True)
    assert case.samples is not None
    first, *others = case.samples.rows
    listed = [replace(first, patient=None), *others]
    passes(Shortcut(), evidence(listed, statistics=case.statistics))


def test_a_copy_with_another_patient_is_no_neighbour_in_the_probe() -> None:
    case = _pictures(colour=0)
    assert case.samples is not None
    rows = case.samples.rows
    copies = [replace(row, id=f"copy/{row.id}", patient=f"copy {row.patient}") for row in rows]
    statistics = {**case.statistics, **{c.id: case.statistics[c.id[5:]] for c in copies}}
    pixels = {row.id: row.id.removeprefix("copy/") for row in (*rows, *copies)}
    listed = evidence([*rows, *copies], statistics=statistics, pixels=pixels)
    passes(Shortcut(neighbours=1), listed)


def test_shortcut_by_file_format() -> None:
    case = _pictures(colour=0)
    assert case.samples is not None
    suffix = {"ALL": ".png", "Benign": ".jpg"}
    changed = [
        sample(row.id.replace(".jpg", suffix[row.label]), row.label, row.patient)
        for row in case.samples.rows
    ]
    numbers = dict(zip((row.id for row in changed), case.statistics.values(), strict=True))
    fires(Shortcut(), evidence(changed, statistics=numbers), "warning", "the file format")


def test_a_patient_of_two_classes_stands_out_among_those_of_one() -> None:
    rule = PatientOfTwoClasses()
    one = [sample(f"{i}-{j}.jpg", "ALL" if i < 6 else "Benign", f"p{i}") for i in range(12)
           for j in range(2)]  # fmt: skip
    passes(rule, evidence(one))
    two = [*one, sample("x.jpg", "Benign", "p0")]
    fires(rule, evidence(two), "warning", "1 of 12 patients", "p0 (p0: 2 ALL, 1 Benign)")
    # Kinds of cell: most patients have several.
    passes(rule, evidence([sample(f"{i}.jpg", "AB"[i % 2], f"p{i // 4}") for i in range(40)]))
    labels = {f"p{i}": "x" for i in range(12)}
    known = replace(evidence(two).samples, patient_labels=labels, patient_classes=("x",))
    passes(rule, replace(evidence(two), samples=known))


def test_a_label_of_patients_may_hang_on_one_of_them() -> None:
    cells = [sample(f"{i}.jpg", "AB"[i % 2], "p0" if i < 30 else f"p{i}") for i in range(40)]
    run = evidence(cells, classes=("A", "B"))
    labels = {str(row.patient): "ill" if row.patient == "p0" else "well" for row in cells}
    known = replace(run.samples, patient_labels=labels, patient_classes=("ill", "well"))
    before = found(ConcentratedClass(), run)
    more = found(ConcentratedClass(), replace(run, samples=known))
    assert "patient 'p0' holds 30 of 30 images (100.0 %) of patients called ill" in {
        one.message for one in more
    }
    assert len(more) == len(before) + 1
