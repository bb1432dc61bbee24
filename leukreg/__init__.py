"""leukreg: run, compare and trust experiments that classify leukemia cells in blood smears.

The public API for scripts and for authors of plugins is what ``__all__`` lists, and the values in
:mod:`leukreg.record`, which a run's record is made of. It is loaded on first use, so that
``import leukreg`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leukreg import record as record
    from leukreg.audit.audit_table import audit_table as audit_table
    from leukreg.audit.dataset_register import find_dataset as find_dataset
    from leukreg.audit.examination import examine as examine
    from leukreg.audit.published_table import Reported as Reported
    from leukreg.audit.usual_splits import counts_of as counts_of
    from leukreg.audit.usual_splits import fewest_images as fewest_images
    from leukreg.audit.usual_splits import set_counts as set_counts
    from leukreg.audit.usual_splits import usual_splits as usual_splits
    from leukreg.data.cache_folder import cache_area as cache_area
    from leukreg.data.decode import PictureSize as PictureSize
    from leukreg.data.decode import picture_size as picture_size
    from leukreg.data.groups import groups_of as groups_of
    from leukreg.data.image_store import open_images as open_images
    from leukreg.data.listing import alike as alike
    from leukreg.data.listing import count_folder as count_folder
    from leukreg.data.listing import list_folder as list_folder
    from leukreg.data.listing import patient_finder as patient_finder
    from leukreg.data.listing import require_folder as require_folder
    from leukreg.data.table_reader import read_table as read_table
    from leukreg.data.walk import image_endings as image_endings
    from leukreg.data.walk import other_files as other_files
    from leukreg.engine.device import torch_session as torch_session
    from leukreg.errors import DataError as DataError
    from leukreg.errors import LeukregError as LeukregError
    from leukreg.errors import NotAvailable as NotAvailable
    from leukreg.errors import Problem as Problem
    from leukreg.errors import Problems as Problems
    from leukreg.errors import TrainingError as TrainingError
    from leukreg.evaluate.bootstrap import resampling as resampling
    from leukreg.experiment import check as check
    from leukreg.experiment import run as run
    from leukreg.files import clear_leftovers as clear_leftovers
    from leukreg.files import load_tensors as load_tensors
    from leukreg.files import write_file as write_file
    from leukreg.output_folder import require_empty as require_empty
    from leukreg.paths import expanded as expanded
    from leukreg.paths import read_regular as read_regular
    from leukreg.predict.grad_cam import explanation as explanation
    from leukreg.predict.trained_run import Trained as Trained
    from leukreg.predict.trained_run import load as load
    from leukreg.progress import SILENT as SILENT
    from leukreg.progress import Progress as Progress
    from leukreg.record import RunRecord as RunRecord
    from leukreg.registry.kinds import ClassGenerator as ClassGenerator
    from leukreg.registry.kinds import Images as Images
    from leukreg.registry.plugin import hookimpl as hookimpl
    from leukreg.registry.plugin import plugin as plugin
    from leukreg.report.plot import STYLE as STYLE
    from leukreg.section import Picture as Picture
    from leukreg.section import Section as Section
    from leukreg.section import Table as Table
    from leukreg.seeds import derive as derive
    from leukreg.sweep.run_sweep import check_sweep as check_sweep
    from leukreg.sweep.run_sweep import run_sweep as run_sweep
    from leukreg.synthesis.distances import kid as kid
    from leukreg.synthesis.extractor import open_extractor as open_extractor
    from leukreg.text import as_cell as as_cell
    from leukreg.text import did_you_mean as did_you_mean
    from leukreg.text import from_cell as from_cell
    from leukreg.text import percent as percent
    from leukreg.text import rounded as rounded
    from leukreg.types import BrokenImage as BrokenImage
    from leukreg.types import Figure as Figure
    from leukreg.types import Finding as Finding
    from leukreg.types import Fold as Fold
    from leukreg.types import ImageSpec as ImageSpec
    from leukreg.types import Labels as Labels
    from leukreg.types import Lineage as Lineage
    from leukreg.types import Origin as Origin
    from leukreg.types import PassedOver as PassedOver
    from leukreg.types import Predictions as Predictions
    from leukreg.types import Sample as Sample
    from leukreg.types import Samples as Samples
    from leukreg.types import Score as Score
    from leukreg.types import Severity as Severity
    from leukreg.vision import import_torchvision as import_torchvision

__version__ = "0.1.0"

_NAMES = {
    "audit.audit_table": "audit_table",
    "audit.dataset_register": "find_dataset",
    "audit.examination": "examine",
    "audit.published_table": "Reported",
    "audit.usual_splits": "counts_of fewest_images set_counts usual_splits",
    "data.cache_folder": "cache_area",
    "data.decode": "PictureSize picture_size",
    "data.groups": "groups_of",
    "data.image_store": "open_images",
    "data.listing": "alike count_folder list_folder patient_finder require_folder",
    "data.table_reader": "read_table",
    "data.walk": "image_endings other_files",
    "engine.device": "torch_session",
    "errors": "DataError LeukregError NotAvailable Problem Problems TrainingError",
    "evaluate.bootstrap": "resampling",
    "experiment": "check run",
    "files": "clear_leftovers load_tensors write_file",
    "output_folder": "require_empty",
    "paths": "expanded read_regular",
    "predict.grad_cam": "explanation",
    "predict.trained_run": "Trained load",
    "progress": "Progress SILENT",
    "record": "RunRecord",
    "registry.kinds": "ClassGenerator Images",
    "registry.plugin": "hookimpl plugin",
    "report.plot": "STYLE",
    "section": "Picture Section Table",
    "seeds": "derive",
    "sweep.run_sweep": "check_sweep run_sweep",
    "synthesis.distances": "kid",
    "synthesis.extractor": "open_extractor",
    "text": "as_cell did_you_mean from_cell percent rounded",
    "types": "BrokenImage Figure Finding Fold ImageSpec Labels Lineage Origin PassedOver "
    "Predictions Sample Samples Score Severity",
    "vision": "import_torchvision",
}
"""By module."""
_MODULE_OF = {name: f"leukreg.{module}" for module, of in _NAMES.items() for name in of.split()}
__all__ = sorted([*_MODULE_OF, "__version__", "record"])


def __getattr__(name: str) -> Any:
    name = {"Evidence": "RunRecord", "RunResult": "RunRecord"}.get(name, name)  # version 0.1's
    if name == "record":
        return importlib.import_module("leukreg.record")
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'leukreg' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
