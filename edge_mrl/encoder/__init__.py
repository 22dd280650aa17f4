"""Text to vectors: a bundle, its engine, its prompts, and a self-test at load."""

from edge_mrl.encoder.encoder import Encoder

__all__ = ["Encoder"]
