"""Text to vector, one text at a time, one thread: this runtime beside what it is built on.

    python -m benchmarks.encode BUNDLE [--variant NAME] [--rounds N] [--json]

Rivals in the same run, taken in turn: the bare engine with the bare tokenizer (what the runtime
adds is the difference), and the wordllama library where the bundle is wordllama's and it is
installed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from benchmarks.machine import describe
from edge_mrl import Bundle, Encoder
from edge_mrl.cli.output import format_table

WORDS = "the heron waits in the reeds while rain falls on the mill pond and the light goes "
WARM_UP = 10


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--variant", help="default: every variant that can run here")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    bundle = Bundle.open(arguments.bundle)
    names = [arguments.variant] if arguments.variant else [v.name for v in bundle.manifest.variants]
    rows = []
    for name in names:
        encoder = Encoder.load(arguments.bundle, variant=name)
        for tokens in (16, 256):
            rows += measure(encoder, tokens, arguments.rounds)
    result = {"machine": describe(), "rounds": arguments.rounds, "rows": rows}
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in describe().items()))
    cells = [
        [row["variant"], row["what"], str(row["tokens"]), f"{row['us']:.1f}", f"{row['ratio']:.2f}"]
        for row in rows
    ]
    header = ["variant", "what", "tokens", "median us", "edge_mrl / this"]
    print(format_table(header, cells, left=(0, 1)))


def measure(encoder: Encoder, tokens: int, rounds: int) -> list[dict[str, object]]:
    """Median time of each way to embed one text of about so many tokens."""
    text = text_of(encoder, tokens)
    ways: dict[str, Callable[[], object]] = {"edge_mrl": lambda: encoder.encode(text)}
    bare = bare_engine(encoder, text)
    if bare is not None:
        ways["bare engine and tokenizer"] = bare
    library = wordllama_library(encoder, text)
    if library is not None:
        ways["wordllama library"] = library
    times = interleaved(ways, rounds)
    ours = times["edge_mrl"]
    return [
        {
            "variant": encoder.variant.name,
            "what": name,
            "tokens": tokens,
            "us": us,
            "ratio": ours / us,
        }
        for name, us in times.items()
    ]


def interleaved(ways: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median microseconds of rounds in which each way runs once: a slow spell hits all of them."""
    samples: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(WARM_UP + rounds):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            if number >= WARM_UP:
                samples[name].append(1e6 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in samples.items()}


def text_of(encoder: Encoder, tokens: int) -> str:
    tokenizer = bare_tokenizer(encoder)
    words = (WORDS * 50).split()
    count = next(n for n in range(1, len(words)) if len(ids(tokenizer, words[:n])) >= tokens)
    return " ".join(words[:count])


def ids(tokenizer: Tokenizer, words: list[str]) -> list[int]:
    found: list[int] = tokenizer.encode(" ".join(words)).ids
    return found


def bare_tokenizer(encoder: Encoder) -> Tokenizer:
    return Tokenizer.from_file(str(encoder.bundle.path / encoder.bundle.manifest.tokenizer.path))


def bare_engine(encoder: Encoder, text: str) -> Callable[[], object] | None:
    """The same file with nothing around it; the numbers must agree, or the comparison is void."""
    if encoder.variant.format != "onnx":
        return None
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    for key, value in encoder.variant.session_options.items():
        options.add_session_config_entry(key, value)
    path = encoder.bundle.path / encoder.variant.files[0]
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    tokenizer = bare_tokenizer(encoder)
    info = encoder.bundle.manifest.tokenizer
    if info.max_tokens is not None:
        tokenizer.enable_truncation(info.max_tokens)
    inputs = {entry.name for entry in session.get_inputs()}
    dim = np.array([encoder.dim], dtype=np.int64)

    def run() -> object:
        encoding = tokenizer.encode(text, add_special_tokens=info.add_special_tokens)
        tokens = np.array([encoding.ids], dtype=np.int64)
        feeds = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "dim": dim}
        if "token_type_ids" in inputs:
            feeds["token_type_ids"] = np.zeros_like(tokens)
        return session.run(None, feeds)[0][0]

    np.testing.assert_allclose(np.asarray(run()), encoder.encode(text), atol=1e-5)
    return run


def wordllama_library(encoder: Encoder, text: str) -> Callable[[], object] | None:
    if not encoder.model_name.startswith("wordllama") or encoder.dim != 256:
        return None
    try:
        from wordllama.inference import WordLlamaInference
    except ImportError:
        return None
    from edge_mrl_export.sources.wordllama import WordLlamaSource

    table = WordLlamaSource.installed(dims=None).table
    model = WordLlamaInference(table, bare_tokenizer(encoder))

    def run() -> object:
        return model.embed([text], norm=True)[0]

    assert float(np.dot(np.asarray(run()), encoder.encode(text))) > 0.999
    return run


if __name__ == "__main__":
    main()
