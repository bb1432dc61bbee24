"""How figures look: colours that colour-blind people tell apart, and few lines.

Ink, faint ink and lines of a grid are colours that nothing else has: on the page they follow the
reader's light or dark.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

INK, FAINT, LINES = "#1b1f24", "#57606a", "#d0d7de"
OKABE_ITO = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
"""Okabe and Ito's colours (2008) without yellow, which is lost on white."""
DASHES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (1, 1)))
"""A line is told by its dashes too, not by colour alone."""
WIDTH = 4.7
"""Inches a figure may be wide, so that its text can be read on a phone."""


@contextmanager
def style() -> Iterator[None]:
    """Figures made within look like leukreg's, whatever a user's matplotlib is set to."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        for name, value in _settings().items():
            matplotlib.rcParams[name] = value  # type: ignore[index]
        yield


def _settings() -> dict[str, Any]:
    from cycler import cycler

    return {
        "figure.figsize": (WIDTH, 3.4),
        "figure.constrained_layout.use": True,
        "figure.facecolor": "none",
        "savefig.facecolor": "none",
        "savefig.bbox": "tight",
        "savefig.pad_inches": 0.05,
        "font.size": 10.5,
        "axes.titlesize": 10.5,
        "axes.titlelocation": "left",
        "text.color": INK,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.edgecolor": FAINT,
        "axes.facecolor": "none",
        "axes.grid": True,
        "axes.axisbelow": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.prop_cycle": cycler(color=OKABE_ITO) + cycler(linestyle=DASHES),
        "grid.color": LINES,
        "grid.linewidth": 0.6,
        "xtick.color": FAINT,
        "ytick.color": FAINT,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "hatch.color": INK,
        "hatch.linewidth": 0.6,
        "legend.frameon": False,
        "lines.linewidth": 1.6,
        "svg.fonttype": "none",
        "svg.hashsalt": "leukreg",
    }
