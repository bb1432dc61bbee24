"""What tests of several rooms share."""

from __future__ import annotations

from tests.factory import make_result as make_result
from tests.strangers import strangers as strangers
