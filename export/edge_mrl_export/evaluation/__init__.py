"""What a bundle's variants and slices are worth on labelled data."""

from edge_mrl_export.evaluation.run import Choice, EvaluationReport, Result, evaluate

__all__ = ["Choice", "EvaluationReport", "Result", "evaluate"]
