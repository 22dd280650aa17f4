"""Adding documents."""
