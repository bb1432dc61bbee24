"""A process that renders its share: a job as JSON on stdin, one line on stdout per picture."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from leukreg_plugins.rendering.field import Picture
from leukreg_plugins.rendering.write import write_picture


def main() -> None:
    """Render the job's pictures, one after the other."""
    job = json.load(sys.stdin)
    for picture in job["pictures"]:
        write_picture(Picture(**picture), Path(job["root"]), job["size"], job["seed"])
        print(flush=True)


if __name__ == "__main__":
    main()
