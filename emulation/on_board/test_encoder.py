"""Vectors of every variant that runs here, against those of the machine that emulates."""

import numpy as np
import pytest

from edge_mrl import Encoder
from edge_mrl.backends import available
from edge_mrl.bundle import Bundle
from edge_mrl.errors import BackendMissingError

BATCH_DEPENDENT = 0.99
"""Dynamic int8 in ONNX Runtime: its integer products are rounded by another rule without a
dot-product instruction."""

PORTABLE = 0.9999


def test_this_installation_runs_what_it_is_for(facts, bundles):
    variants = [
        variant for folder, _ in bundles for variant in Bundle.open(folder).manifest.variants
    ]
    given = {variant.format for variant in variants}
    formats = {variant.format for variant in variants if available(variant)}
    engine = {"static": set(), "litert": {"tflite"}, "tflite": {"tflite"}, "onnx": {"onnx"}}
    assert formats == given & ({"table"} | engine[facts["install"]])


def test_vectors_are_those_of_another_machine(bundles):
    compared = 0
    for folder, made in bundles:
        for variant in Bundle.open(folder).manifest.variants:
            if not available(variant) or variant.name not in made["vectors"]:
                continue
            encoder = Encoder.load(folder, variant=variant.name, threads=1)
            vectors = encoder.encode(made["texts"])
            expected = np.array(made["vectors"][variant.name])
            lengths = np.linalg.norm(expected, axis=1)
            # The empty text has no direction in a static model.
            cosines = np.sum(vectors * expected, axis=1)[lengths > 0]
            lowest = float(cosines.min())
            print(f"  {folder.name} {variant.name}: cosine {lowest:.6f} or more")
            assert lowest >= (BATCH_DEPENDENT if "int8-fast" in variant.name else PORTABLE)
            assert np.array_equal(vectors.any(axis=1), lengths > 0)
            compared += 1
    assert compared


def test_two_threads_give_the_vectors_of_one(bundles):
    for folder, made in bundles:
        for variant in Bundle.open(folder).manifest.variants:
            if not available(variant):
                continue
            one, two = (
                Encoder.load(folder, variant=variant.name, threads=threads, self_test=False)
                for threads in (1, 2)
            )
            texts = made["texts"][:2]
            assert np.sum(one.encode(texts) * two.encode(texts), axis=1).min() > 0.99999


def test_a_variant_that_this_engine_gets_wrong_is_refused(facts, bundles):
    if facts["install"] != "tflite":
        pytest.skip("only tflite-runtime loads files that it then computes wrongly")
    refused = 0
    for folder, _ in bundles:
        for variant in Bundle.open(folder).manifest.variants:
            if variant.format == "tflite" and "tflite-runtime" not in variant.engines:
                with pytest.raises(BackendMissingError, match="choose another variant"):
                    Encoder.load(folder, variant=variant.name)
                refused += 1
    if not refused:
        pytest.skip("every variant given is one that tflite-runtime computes rightly")
