"""Making a Matryoshka model of one that is none: an adapter trained on its frozen vectors."""

from edge_mrl_export.adapt.options import AdaptOptions
from edge_mrl_export.adapt.run import AdaptReport, adapt

__all__ = ["AdaptOptions", "AdaptReport", "adapt"]
