"""Audit rules: what finds that a result is wrong or does not mean what it seems to."""

from __future__ import annotations

from leukreg_plugins.audits.data import DATA
from leukreg_plugins.audits.elsewhere import ELSEWHERE
from leukreg_plugins.audits.figures import FIGURES
from leukreg_plugins.audits.generator import GENERATOR
from leukreg_plugins.audits.installed import BrokenPlugin
from leukreg_plugins.audits.training import TRAINING

AUDITS: list[type] = [*DATA, *TRAINING, *FIGURES, *GENERATOR, *ELSEWHERE, BrokenPlugin]
