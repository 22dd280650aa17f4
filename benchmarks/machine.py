"""What a figure was measured on, printed above every table."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = (
    *("edge-mrl", "numpy", "tokenizers", "onnxruntime", "wordllama", "faiss-cpu"),
    *("bm25s", "tantivy", "uvicorn", "starlette", "sqlite-vec", "usearch", "hnswlib", "turbovec"),
    *("qdrant-edge-py", "zvec", "lancedb", "fastembed", "sentence-transformers", "torch"),
)


def describe() -> dict[str, str]:
    """Processor, system, Python, and the versions of the packages that are installed."""
    facts = {
        "processor": _processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": sys.version.split()[0],
    }
    for package in PACKAGES:
        try:
            facts[package] = version(package)
        except PackageNotFoundError:
            continue  # a rival that is not installed is not measured
    return facts


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith(("model name", "Model")):
                return line.split(":", 1)[1].strip()
    return platform.processor() or "unknown"
