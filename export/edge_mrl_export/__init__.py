"""edge_mrl_export: turns a trained Matryoshka model into a verified bundle, on a workstation."""

from edge_mrl_export.options import ExportOptions
from edge_mrl_export.pipeline import export
from edge_mrl_export.report import ExportReport

__all__ = ["ExportOptions", "ExportReport", "export"]
