"""``leukreg --help`` against ``python -c "import click, rich"``: at most 1.5 times as long."""

from __future__ import annotations

import sys
from pathlib import Path

from ratio import commands, report


def main() -> int:
    python = sys.executable
    leukreg = str(Path(python).with_name("leukreg"))
    ratio = commands([leukreg, "--help"], [python, "-c", "import click, rich"])
    return 0 if report("leukreg --help / import click, rich", ratio, 1.5) else 1


if __name__ == "__main__":
    sys.exit(main())
