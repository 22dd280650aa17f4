"""Asking an index: a search, a query of stages, and what comes back."""
