"""From predictions to figures: decisions, metrics, 95 % intervals."""

from leukreg.evaluate.checks import problems as problems
from leukreg.evaluate.rows import joined as joined
from leukreg.evaluate.rows import take as take
from leukreg.evaluate.scored import Scored as Scored
from leukreg.evaluate.scoring import score as score
