"""A model of the size of a known one, with random weights, exported and run on this machine.

    python -m benchmarks.large --shape NAME --work FOLDER [--formats onnx tflite]
        [--precision NAME ...] [--json]

The shapes are those of Qwen3-Embedding-0.6B (596 million weights, 2.4 GB in float32) and of
EmbeddingGemma (308 million). The model is laid out as a sentence-transformers folder, its weights
in bfloat16 and its tokenizer trained on the documentation of Python; it stays in the work folder
with the bundle, and is made where it is not there. There are few texts, they are short, and no more
than 64 tokens of one are read, since such a model reads some twenty a second on a core.

What is printed: time and memory of `edge-mrl export` (the largest of its processes), then for each
variant what it kept of sentence-transformers' vectors, and what loading it and one text of 16
tokens take in a process that does nothing else. A random model is a hard case for few bits: no
training has made its layers robust. So all gates are left open, and the figures stand for
themselves.
"""

from __future__ import annotations

import argparse
import json
import os
import pydoc_data.topics
import re
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks.large_work import LAST_FILE, SHAPES
from benchmarks.machine import describe
from edge_mrl.cli.output import format_bytes, format_table

TEXTS = 24


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shape", choices=sorted(SHAPES), default="qwen3-embedding-0.6b")
    parser.add_argument("--work", type=Path, required=True, help="takes about 8 GB")
    parser.add_argument("--formats", nargs="+", default=["onnx"])
    parser.add_argument("--precision", nargs="+", default=["int8-fast", "int8-portable", "int4"])
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    folder, bundle = arguments.work / arguments.shape, arguments.work / f"{arguments.shape}.bundle"
    if not (folder / LAST_FILE).is_file():
        in_a_process("write", arguments.shape, str(folder))
    texts = arguments.work / "texts.txt"
    texts.write_text("\n".join(short_texts()), encoding="utf-8")
    report, export = measured(
        [
            *("-m", "edge_mrl", "export", str(folder), "-o", str(bundle), "--overwrite", "--json"),
            *("--texts", str(texts), "--allow"),
            *("--formats", *arguments.formats, "--precision", *arguments.precision),
        ]
    )
    rows = []
    for variant in report["variants"]:
        loaded, process = in_a_process("encode", str(bundle), variant["name"])
        rows.append({**variant, **loaded, "process_bytes": process["peak_bytes"]})
    result = {"machine": describe(), "shape": arguments.shape, "export": export, "variants": rows}
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in result["machine"].items()))
    print(
        f"{arguments.shape}: exported in {export['wall_s']:.0f} s, {export['cpu_s']:.0f} s of CPU, "
        f"{format_bytes(export['peak_bytes'])} at most"
    )
    print(format_table(HEAD, [cells(row) for row in rows]))


HEAD = (
    *("variant", "file", "cosine", "worst text", "10 nearest kept"),
    *("load s", "16 tokens, ms", "process"),
)


def cells(row: dict[str, Any]) -> list[str]:
    return [
        row["name"],
        format_bytes(row["bytes"]),
        f"{min(row['cosine'].values()):.4f}",
        f"{row['cosine_min']:.4f}",
        f"{min(row['overlap@10'].values()):.2f}",
        f"{row['load_s']:.1f}",
        f"{row['encode_ms']:.0f}",
        format_bytes(row["process_bytes"]),
    ]


def in_a_process(*work: str) -> tuple[dict[str, Any], dict[str, float]]:
    return measured(["-m", "benchmarks.large_work", *work])


def measured(arguments: Sequence[str]) -> tuple[dict[str, Any], dict[str, float]]:
    """What a Python process prints as JSON, and what it took; its memory is the most of it and of
    those that it starts, each by itself."""
    start = time.monotonic()
    process = subprocess.Popen([sys.executable, *arguments], stdout=subprocess.PIPE)
    assert process.stdout is not None
    with process.stdout as printed:
        text = printed.read()
    _, status, used = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"{' '.join(arguments)} ended with {os.waitstatus_to_exitcode(status)}")
    taken = {
        "wall_s": time.monotonic() - start,
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_bytes": 1024 * used.ru_maxrss,
    }
    return json.loads(text), taken


def short_texts() -> list[str]:
    """Texts of two sentences, from the documentation of Python."""
    paragraphs = "\n\n".join(pydoc_data.topics.topics.values()).split("\n\n")
    pairs = (re.split(r"(?<=\.) ", " ".join(part.split()))[:2] for part in paragraphs)
    fitting = (" ".join(pair) for pair in pairs if [20 < len(one) < 90 for one in pair] == [1, 1])
    return list(dict.fromkeys(fitting))[:TEXTS]


if __name__ == "__main__":
    main()
