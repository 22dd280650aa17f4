"""Vectors that were made elsewhere, read from files: .npy, .npz, Parquet, JSON lines, safetensors.

One format a file behind one Protocol. Everything is read in batches of bounded size, and nothing
that a file says about itself is believed before it is checked."""

from edge_mrl.vector_files.batch import Columns, VectorBatch, VectorFile
from edge_mrl.vector_files.formats import FORMATS, open_vector_file
from edge_mrl.vector_files.loading import add_vector_file, check_vector_file, single_vector

__all__ = [
    "FORMATS",
    "Columns",
    "VectorBatch",
    "VectorFile",
    "add_vector_file",
    "check_vector_file",
    "open_vector_file",
    "single_vector",
]
