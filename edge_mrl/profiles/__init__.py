"""Device profiles: what a board has and what it may spend."""
