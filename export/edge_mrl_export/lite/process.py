"""Running the TFLite worker, each failure said in one sentence."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from edge_mrl.bundle.manifest import Precision
from edge_mrl.errors import ExportError

WORKER = "edge_mrl_export.lite.worker"
_QUIET = {
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    # The converter looks for accelerators otherwise.
    "JAX_PLATFORMS": "cpu",
}


def convert(
    folder: Path,
    out: Path,
    lengths: Sequence[int],
    *,
    trust_remote_code: bool = False,
    token_vectors: bool = False,
) -> None:
    """Convert a sentence-transformers folder to a float32 TFLite file.

    Args:
        folder: the model folder.
        out: the file to write: one signature per length, ``input_ids`` and ``attention_mask``
            (1, length) int32 in (and ``prompt_tokens`` (1,) int32 where the model leaves its
            prompts out of pooling), ``sentence_embedding`` (1, dim) float32 of unit length out.
            With token vectors each also gives ``token_embeddings`` (1, length, hidden) float32,
            and the signature ``after_pooling`` turns (rows, hidden) of them into (rows, dim), where
            the model has modules that do.
        lengths: tokens per signature, rising.
        trust_remote_code: whether code that the folder brings may run.
        token_vectors: whether the file gives a vector for each token, too.

    Raises:
        ExportError: litert-torch cannot convert the architecture.
    """
    flags = {"--trust-remote-code": trust_remote_code, "--token-vectors": token_vectors}
    given = [flag for flag, wanted in flags.items() if wanted]
    _work(["convert", str(folder), str(out), *map(str, lengths), *given], f"the model in {folder}")


def quantize(model: Path, out: Path, precision: Precision) -> None:
    """Make a file of fewer bits from a float32 one.

    Args:
        model: what `convert` wrote.
        out: the file to write.
        precision: ``fp16``, ``int8-fast`` (dynamic range) or ``int8-portable`` (weights only).

    Raises:
        ExportError: the quantiser failed.
    """
    _work(["quantize", str(model), str(out), precision], f"the model to {precision}")


def _work(arguments: Sequence[str], what: str) -> None:
    path = os.pathsep.join(entry for entry in sys.path if entry)
    done = subprocess.run(
        [sys.executable, "-m", WORKER, *arguments],
        env=os.environ | _QUIET | {"PYTHONPATH": path},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
    )
    if done.returncode:
        raise ExportError(f"litert-torch cannot convert {what}: {why_it_failed(done)}")


def why_it_failed(done: subprocess.CompletedProcess[str]) -> str:
    """A full disk; else what the traceback ends with, or how the process died."""
    if os.strerror(errno.ENOSPC) in done.stderr:
        place = tempfile.gettempdir()
        return f"the disk is full: free some space in {place}, or name another folder with TMPDIR"
    lines = [line for line in done.stderr.splitlines() if line[:1].strip()]
    if done.returncode < 0 or not lines:
        return f"its process ended with {done.returncode}"
    return lines[-1][:300]
