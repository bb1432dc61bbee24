"""What tests of several rooms share."""

from __future__ import annotations

from tests.factory import make_result as make_result
from tests.factory import tiny_dinobloom as tiny_dinobloom
from tests.smears import _smears as _smears
from tests.smears import labelled_run as labelled_run
from tests.smears import weak_run as weak_run
from tests.strangers import strangers as strangers
from tests.trained import _prepared as _prepared
from tests.trained import _runs as _runs
from tests.trained import binary_run as binary_run
from tests.trained import folds_run as folds_run
from tests.trained import prepared_run as prepared_run
