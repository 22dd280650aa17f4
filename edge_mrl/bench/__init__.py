"""What the planner predicts beside what is measured here: compare.py runs work.py in processes of
its own, so that memory is that of one search program."""

from edge_mrl.bench.compare import Comparison, compare, whole_comparison

__all__ = ["Comparison", "compare", "whole_comparison"]
