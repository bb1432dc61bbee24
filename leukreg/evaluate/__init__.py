"""From predictions to figures: calibration, conformal sets, decisions, metrics, intervals."""

from leukreg.evaluate.calibration import calibrated as calibrated
from leukreg.evaluate.calibration import raw_of as raw_of
from leukreg.evaluate.calibration import temperatures_of as temperatures_of
from leukreg.evaluate.conformal import Conformal as Conformal
from leukreg.evaluate.conformal import conformal_of as conformal_of
from leukreg.evaluate.conformal import conformal_sets as conformal_sets
from leukreg.evaluate.conformal import voted_sets as voted_sets
from leukreg.evaluate.feasibility import problems as problems
from leukreg.evaluate.feasibility import refuse_too_few as refuse_too_few
from leukreg.evaluate.rows import joined as joined
from leukreg.evaluate.rows import take as take
from leukreg.evaluate.scoring import Scored as Scored
from leukreg.evaluate.scoring import score as score
