"""Integer weights: rewriting a finished fp32 encoder, one technique a file."""
