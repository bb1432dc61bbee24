"""What nearly every unit imports, in one import: a server of processes does it once for all.

It computes nothing, so that a process that has it may be forked, and GPUs are left alone.
"""

import leukreg.data.folds
import leukreg.data.near_duplicates
import leukreg.engine.inference
import leukreg.engine.rehearsal
import leukreg.engine.training
import leukreg.evaluate.bootstrap
import leukreg.evaluate.feasibility
import leukreg.experiment
import leukreg.runs.folder
import leukreg.sweep.unit
import leukreg.synthesis.generator
import leukreg.synthesis.leakage
import leukreg.synthesis.make  # noqa: F401
from leukreg.registry import installed

installed()
