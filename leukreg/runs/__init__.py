"""The run folder: written atomically, read back without a model and without torch."""

from leukreg.runs.contents import read as read
from leukreg.runs.environment import data_digest as data_digest
from leukreg.runs.folder import RunFolder as RunFolder
from leukreg.runs.run_list import RunSummary as RunSummary
from leukreg.runs.run_list import find as find
from leukreg.runs.run_list import list_runs as list_runs
