"""The page: one HTML file that needs nothing else, its figures and tables as files beside it."""

from leukreg.report.html.build import Page as Page
from leukreg.report.html.build import page_of as page_of
from leukreg.report.html.compared import comparison_page as comparison_page
from leukreg.report.html.result import run_page as run_page
from leukreg.report.html.write import write_page as write_page
