"""``python -m leukreg`` is the same as ``leukreg``."""

from __future__ import annotations

import sys

from leukreg.cli.main import main

sys.exit(main())
