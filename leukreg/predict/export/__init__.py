"""Models in formats that outlive leukreg, each checked in its own runtime before it is kept."""

from leukreg.predict.export.formats import FORMATS as FORMATS
from leukreg.predict.export.write import Exported as Exported
from leukreg.predict.export.write import export as export
