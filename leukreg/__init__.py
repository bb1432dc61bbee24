"""leukreg: run, compare and trust experiments that classify leukemia cells in blood smears.

The public API for plugin authors is what ``__all__`` lists; it is loaded on first use, so that
``import leukreg`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from leukreg.audit.conflict import examine as examine
    from leukreg.audit.published_table import Reported as Reported
    from leukreg.audit.published_table import read_reported as read_reported
    from leukreg.data.cache_folder import cache_area as cache_area
    from leukreg.data.cache_folder import cache_root as cache_root
    from leukreg.data.decode import picture_size as picture_size
    from leukreg.data.groups import groups_of as groups_of
    from leukreg.data.image_store import open_images as open_images
    from leukreg.data.listing import alike as alike
    from leukreg.data.listing import count_folder as count_folder
    from leukreg.data.listing import list_folder as list_folder
    from leukreg.data.listing import patient_finder as patient_finder
    from leukreg.data.listing import require_folder as require_folder
    from leukreg.data.listing import same_but_for_form as same_but_for_form
    from leukreg.data.table_reader import read_table as read_table
    from leukreg.engine.device import torch_session as torch_session
    from leukreg.engine.trained_backbone import trained_backbone as trained_backbone
    from leukreg.errors import DataError as DataError
    from leukreg.errors import LeukregError as LeukregError
    from leukreg.errors import NotAvailable as NotAvailable
    from leukreg.errors import Problem as Problem
    from leukreg.errors import Problems as Problems
    from leukreg.errors import TrainingError as TrainingError
    from leukreg.errors import WriteError as WriteError
    from leukreg.evaluate.bootstrap import Resampling as Resampling
    from leukreg.evaluate.bootstrap import resampling as resampling
    from leukreg.evaluate.bootstrap import units_in_words as units_in_words
    from leukreg.evaluate.bootstrap import units_of as units_of
    from leukreg.evaluate.choices import choices as choices
    from leukreg.experiment import Plan as Plan
    from leukreg.experiment import check as check
    from leukreg.experiment import run as run
    from leukreg.files import check_file as check_file
    from leukreg.files import load_tensors as load_tensors
    from leukreg.files import sweep as sweep
    from leukreg.files import write_file as write_file
    from leukreg.gate_figures import GateFigures as GateFigures
    from leukreg.output_folder import require_empty as require_empty
    from leukreg.paths import expanded as expanded
    from leukreg.paths import read_regular as read_regular
    from leukreg.positive import positive_in as positive_in
    from leukreg.predict.grad_cam import explanation as explanation
    from leukreg.predict.prediction_table import Predicted as Predicted
    from leukreg.predict.trained_run import Trained as Trained
    from leukreg.predict.trained_run import load as load
    from leukreg.progress import SILENT as SILENT
    from leukreg.progress import Progress as Progress
    from leukreg.record import Conformal as Conformal
    from leukreg.record import Drop as Drop
    from leukreg.record import Environment as Environment
    from leukreg.record import Evidence as Evidence
    from leukreg.record import External as External
    from leukreg.record import RunRecord as RunRecord
    from leukreg.record import RunResult as RunResult
    from leukreg.record import Temperature as Temperature
    from leukreg.registry.kinds import ClassGenerator as ClassGenerator
    from leukreg.registry.kinds import Images as Images
    from leukreg.registry.plugin import hookimpl as hookimpl
    from leukreg.registry.plugin import plugin as plugin
    from leukreg.report.plot import STYLE as STYLE
    from leukreg.report.table_layout import shortened as shortened
    from leukreg.section import Picture as Picture
    from leukreg.section import Section as Section
    from leukreg.section import Table as Table
    from leukreg.seeds import derive as derive
    from leukreg.stress_figures import Stress as Stress
    from leukreg.stress_figures import StressChange as StressChange
    from leukreg.stress_figures import StressStep as StressStep
    from leukreg.synthesis.distances import kid as kid
    from leukreg.synthesis.extractor import OpenExtractor as OpenExtractor
    from leukreg.synthesis.extractor import open_extractor as open_extractor
    from leukreg.text import as_cell as as_cell
    from leukreg.text import did_you_mean as did_you_mean
    from leukreg.text import from_cell as from_cell
    from leukreg.text import percent as percent
    from leukreg.text import percents as percents
    from leukreg.text import rounded as rounded
    from leukreg.types import BrokenImage as BrokenImage
    from leukreg.types import EpochLog as EpochLog
    from leukreg.types import Figure as Figure
    from leukreg.types import Finding as Finding
    from leukreg.types import Fold as Fold
    from leukreg.types import ImageSpec as ImageSpec
    from leukreg.types import Labels as Labels
    from leukreg.types import Lineage as Lineage
    from leukreg.types import Notice as Notice
    from leukreg.types import Origin as Origin
    from leukreg.types import PassedOver as PassedOver
    from leukreg.types import Predictions as Predictions
    from leukreg.types import Sample as Sample
    from leukreg.types import Samples as Samples
    from leukreg.types import Score as Score
    from leukreg.types import Severity as Severity
    from leukreg.vision import import_torchvision as import_torchvision

__version__ = "0.1.0"

_MODULE_OF = {
    "BrokenImage": "leukreg.types",
    "ClassGenerator": "leukreg.registry.kinds",
    "Conformal": "leukreg.record",
    "DataError": "leukreg.errors",
    "EpochLog": "leukreg.types",
    "Evidence": "leukreg.record",
    "Stress": "leukreg.stress_figures",
    "StressChange": "leukreg.stress_figures",
    "StressStep": "leukreg.stress_figures",
    "Temperature": "leukreg.record",
    "Environment": "leukreg.record",
    "External": "leukreg.record",
    "Drop": "leukreg.record",
    "Figure": "leukreg.types",
    "Finding": "leukreg.types",
    "Fold": "leukreg.types",
    "ImageSpec": "leukreg.types",
    "Images": "leukreg.registry.kinds",
    "GateFigures": "leukreg.gate_figures",
    "Labels": "leukreg.types",
    "LeukregError": "leukreg.errors",
    "Lineage": "leukreg.types",
    "NotAvailable": "leukreg.errors",
    "Notice": "leukreg.types",
    "OpenExtractor": "leukreg.synthesis.extractor",
    "Origin": "leukreg.types",
    "PassedOver": "leukreg.types",
    "Picture": "leukreg.section",
    "Plan": "leukreg.experiment",
    "Predicted": "leukreg.predict.prediction_table",
    "Predictions": "leukreg.types",
    "Problem": "leukreg.errors",
    "Problems": "leukreg.errors",
    "Progress": "leukreg.progress",
    "Reported": "leukreg.audit.published_table",
    "Resampling": "leukreg.evaluate.bootstrap",
    "RunRecord": "leukreg.record",
    "RunResult": "leukreg.record",
    "SILENT": "leukreg.progress",
    "Sample": "leukreg.types",
    "Samples": "leukreg.types",
    "Score": "leukreg.types",
    "Section": "leukreg.section",
    "Severity": "leukreg.types",
    "Table": "leukreg.section",
    "Trained": "leukreg.predict.trained_run",
    "TrainingError": "leukreg.errors",
    "WriteError": "leukreg.errors",
    "alike": "leukreg.data.listing",
    "as_cell": "leukreg.text",
    "cache_area": "leukreg.data.cache_folder",
    "cache_root": "leukreg.data.cache_folder",
    "check": "leukreg.experiment",
    "check_file": "leukreg.files",
    "choices": "leukreg.evaluate.choices",
    "count_folder": "leukreg.data.listing",
    "derive": "leukreg.seeds",
    "did_you_mean": "leukreg.text",
    "examine": "leukreg.audit.conflict",
    "expanded": "leukreg.paths",
    "explanation": "leukreg.predict.grad_cam",
    "from_cell": "leukreg.text",
    "groups_of": "leukreg.data.groups",
    "hookimpl": "leukreg.registry.plugin",
    "import_torchvision": "leukreg.vision",
    "kid": "leukreg.synthesis.distances",
    "list_folder": "leukreg.data.listing",
    "load": "leukreg.predict.trained_run",
    "load_tensors": "leukreg.files",
    "open_extractor": "leukreg.synthesis.extractor",
    "open_images": "leukreg.data.image_store",
    "patient_finder": "leukreg.data.listing",
    "percent": "leukreg.text",
    "percents": "leukreg.text",
    "picture_size": "leukreg.data.decode",
    "plugin": "leukreg.registry.plugin",
    "positive_in": "leukreg.positive",
    "read_reported": "leukreg.audit.published_table",
    "read_regular": "leukreg.paths",
    "read_table": "leukreg.data.table_reader",
    "require_empty": "leukreg.output_folder",
    "require_folder": "leukreg.data.listing",
    "resampling": "leukreg.evaluate.bootstrap",
    "rounded": "leukreg.text",
    "same_but_for_form": "leukreg.data.listing",
    "STYLE": "leukreg.report.plot",
    "shortened": "leukreg.report.table_layout",
    "sweep": "leukreg.files",
    "torch_session": "leukreg.engine.device",
    "trained_backbone": "leukreg.engine.trained_backbone",
    "run": "leukreg.experiment",
    "units_in_words": "leukreg.evaluate.bootstrap",
    "units_of": "leukreg.evaluate.bootstrap",
    "write_file": "leukreg.files",
}
__all__ = sorted([*_MODULE_OF, "__version__"])


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module 'leukreg' has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)
