"""Text to vector, one text at a time, one thread: this runtime beside what it is built on.

    python -m benchmarks.encode BUNDLE [--variant NAME ...] [--fastembed MODEL] [--rounds N]

Rivals in the same run, taken in turn: the bare engine with the bare tokenizer (what the runtime
adds is the difference), the bundle's other variants, the wordllama library where the bundle is
wordllama's and it is installed, and fastembed with the model's sentence-transformers folder (in
float32, mean pooling, without modules behind the pooling, since that is what fastembed runs).

Times are processor time, which other processes on the machine do not add to, though they share its
caches. Ratios are medians of the ratios of each round, in which every way runs once, those of one
variant next to each other, each round in another order.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer

from benchmarks.machine import describe
from edge_mrl import Bundle, Encoder
from edge_mrl.backends import available
from edge_mrl.cli.output import format_table

WORDS = "the heron waits in the reeds while rain falls on the mill pond and the light goes "
WARM_UP = 10
OURS = "edge_mrl"
Way = Callable[[], object]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--variant", nargs="+", help="default: every variant that can run here")
    parser.add_argument("--fastembed", type=Path, metavar="MODEL")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    manifest = Bundle.open(arguments.bundle).manifest
    names = arguments.variant or [one.name for one in manifest.variants if available(one)]
    fastembed = None if arguments.fastembed is None else fastembed_model(arguments.fastembed)
    rows = []
    for tokens in (16, 64, 256):
        rows += measure(arguments.bundle, names, fastembed, tokens, arguments.rounds)
    result = {"machine": describe(), "rounds": arguments.rounds, "rows": rows}
    if arguments.json:
        print(json.dumps(result, indent=2))
        return
    print(", ".join(f"{key} {value}" for key, value in describe().items()))
    cells = [
        [
            str(row["variant"]),
            str(row["what"]),
            str(row["tokens"]),
            f"{row['us']:.1f}",
            f"{row['fastest_us']:.1f}",
            f"{row['ratio']:.2f}",
        ]
        for row in rows
    ]
    header = ["variant", "beside", "tokens", "median us", "fastest us", "variant / beside"]
    print(format_table(header, cells, left=(0, 1)))


def measure(
    bundle: Path,
    variants: list[str],
    fastembed: Callable[[str], object] | None,
    tokens: int,
    rounds: int,
) -> list[dict[str, object]]:
    """Times of each way to embed one text of about so many tokens.

    A row has the times of what stands `beside` a variant, and the variant's time over it. Sessions
    on one file differ by where their memory lies, and the first one made is often the slowest:
    there are two of the runtime and two of the bare engine, made in mirrored order.
    """
    ways: dict[tuple[str, str], list[Way]] = {}
    for name in variants:
        first = Encoder.load(bundle, variant=name)
        text = text_of(first, tokens)
        bare = [bare_engine(first, text), bare_engine(first, text)]
        second = Encoder.load(bundle, variant=name)
        ways[name, OURS] = [partial(first.encode, text), partial(second.encode, text)]
        library = wordllama_library(first, text)
        for what, ones in (("bare engine and tokenizer", bare), ("wordllama library", [library])):
            if None not in ones:
                ways[name, what] = [one for one in ones if one is not None]
    if fastembed is not None:
        ways["", "fastembed fp32"] = [partial(fastembed, text)]
    samples = interleaved(ways, rounds)
    return [
        {
            "variant": variant,
            "what": what if name in ("", variant) else name,
            "tokens": tokens,
            "us": statistics.median(times),
            "fastest_us": min(times),
            "ratio": statistics.median(
                ours / other for ours, other in zip(samples[variant, OURS], times, strict=True)
            ),
        }
        for variant in variants
        for (name, what), times in samples.items()
        if name in ("", variant) or what == OURS
    ]


def interleaved(
    ways: dict[tuple[str, str], list[Way]], rounds: int
) -> dict[tuple[str, str], list[float]]:
    """Microseconds of rounds in which each way runs once, so that a slow spell hits all of them; of
    a way that there is twice the mean.

    The ways of one variant run next to each other, in another order each round, after an untimed
    run: none of them pays for the weights that the variant before has put in the caches."""
    variants = sorted({variant for variant, _ in ways})
    random = np.random.default_rng(0)
    samples: dict[tuple[str, str], list[float]] = {name: [] for name in ways}
    for number in range(WARM_UP + rounds):
        for variant in random.permutation(variants):
            each = [
                (name, one) for name, ones in ways.items() if name[0] == variant for one in ones
            ]
            each[0][1]()
            spent = dict.fromkeys((name for name, _ in each), 0.0)
            for place in random.permutation(len(each)):
                name, one = each[place]
                start = time.process_time()
                one()
                spent[name] += 1e6 * (time.process_time() - start)
            if number >= WARM_UP:
                for name, total in spent.items():
                    samples[name].append(total / len(ways[name]))
    return samples


def fastembed_model(folder: Path) -> Callable[[str], object]:
    """Fastembed on the backbone of the same model, from files alone."""
    from fastembed import TextEmbedding
    from fastembed.common.model_description import ModelSource, PoolingType

    from edge_mrl_export.graphs.backbone import export_backbone
    from edge_mrl_export.graphs.files import write_graph
    from edge_mrl_export.scratch import Scratch

    place = Path(tempfile.mkdtemp(prefix="edge-mrl-fastembed-"))
    for path in folder.glob("*.json"):
        (place / path.name).symlink_to(path.resolve())
    with Scratch() as scratch:
        backbone = export_backbone(folder, scratch)
        write_graph(backbone, place / "model.onnx")
    width = json.loads((folder / "config.json").read_text())["hidden_size"]
    TextEmbedding.add_custom_model(
        model="the/same",
        pooling=PoolingType.MEAN,
        normalization=True,
        sources=ModelSource(hf="the/same"),
        dim=width,
        model_file="model.onnx",
    )
    model = TextEmbedding("the/same", specific_model_path=str(place), threads=1)
    return lambda text: next(iter(model.embed([text])))


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


def bare_engine(encoder: Encoder, text: str) -> Way | None:
    """The same file with nothing around it; the numbers must agree, or the comparison is void."""
    makers = {"onnx": bare_onnx, "tflite": bare_tflite}
    maker = makers.get(encoder.variant.format)
    if maker is None:
        return None
    tokenizer = bare_tokenizer(encoder)
    manifest = encoder.bundle.manifest
    limit = manifest.max_tokens(encoder.variant)
    if limit is not None:
        tokenizer.enable_truncation(limit)
    run = maker(encoder)
    if run is None:
        return None

    def way() -> object:
        encoding = tokenizer.encode(text, add_special_tokens=manifest.tokenizer.add_special_tokens)
        return run(encoding.ids)

    np.testing.assert_allclose(np.asarray(way()), encoder.encode(text), atol=1e-5)
    return way


def bare_onnx(encoder: Encoder) -> Callable[[list[int]], object]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    for key, value in encoder.variant.session_options.items():
        options.add_session_config_entry(key, value)
    path = encoder.bundle.path / encoder.variant.files[0]
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    inputs = {entry.name for entry in session.get_inputs()}
    dim = np.array([encoder.dim], dtype=np.int64)

    def run(ids: list[int]) -> object:
        tokens = np.array([ids], dtype=np.int64)
        feeds = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "dim": dim}
        if "token_type_ids" in inputs:
            feeds["token_type_ids"] = np.zeros_like(tokens)
        return session.run(None, feeds)[0][0]

    return run


def bare_tflite(encoder: Encoder) -> Callable[[list[int]], object] | None:
    """The signature that fits, at full width: a whole vector needs no cut. None where a file takes
    any length, since every other length lays out its memory anew."""
    from ai_edge_litert.interpreter import Interpreter

    path = encoder.bundle.path / encoder.variant.files[0]
    interpreter = Interpreter(str(path), num_threads=1)
    runners = [interpreter.get_signature_runner(key) for key in interpreter.get_signature_list()]
    details = [one.get_input_details()["input_ids"] for one in runners]
    lengths = [int(one["shape_signature"][1]) for one in details]
    if min(lengths) < 0:
        return None
    pad = encoder.bundle.manifest.tokenizer.pad_id

    def run(ids: list[int]) -> object:
        length, runner = min(
            (length, place) for place, length in enumerate(lengths) if length >= len(ids)
        )
        tokens = np.full((1, length), pad, dtype=np.int32)
        mask = np.zeros((1, length), dtype=np.int32)
        tokens[0, : len(ids)] = ids
        mask[0, : len(ids)] = 1
        return runners[runner](input_ids=tokens, attention_mask=mask)["sentence_embedding"][0]

    # The runners do not keep their interpreter alive in every version.
    return lambda ids, _interpreter=interpreter: run(ids)


def wordllama_library(encoder: Encoder, text: str) -> Way | None:
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
