"""External validation: a run's models on images from elsewhere, beside the run's own figures."""

from leukreg.predict.external.evaluate import evaluate as evaluate
from leukreg.predict.external.mapping import parse_mapping as parse_mapping
