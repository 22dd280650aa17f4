"""Finding rows: the funnel over vectors, words, sparse and token vectors."""
