"""Figures for the page: one style, and SVG that is the same on every run and in every theme."""

from leukreg.report.figures.style import style as style
from leukreg.report.figures.svg import Drawn as Drawn
from leukreg.report.figures.svg import draw as draw
