"""The torch modules behind TFLite files, against sentence-transformers' own."""

import subprocess
import sys

import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.lite.lengths import choose_lengths
from edge_mrl_export.lite.process import why_it_failed
from edge_mrl_export.sources.modules import (
    DenseModule,
    LayerNormModule,
    NormalizeModule,
    PoolingModule,
)
from tests.export.st_models import dense, layer_norm, write_json

MODES = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")


@pytest.mark.parametrize("modes", [*((mode,) for mode in MODES), ("cls", "mean")])
def test_pooling_equals_sentence_transformers(modes):
    import torch
    from sentence_transformers.sentence_transformer.modules import Pooling

    from edge_mrl_export.lite.modules import PooledText

    torch.manual_seed(1)
    pooling = Pooling(6, pooling_mode=list(modes))
    ours = PooledText(PoolingModule(6, modes, include_prompt=True))
    for tokens in (1, 3, 5):
        hidden = torch.randn(1, 5, 6) * 10
        mask = torch.tensor([[1] * tokens + [0] * (5 - tokens)], dtype=torch.int32)
        expected = pooling({"token_embeddings": hidden, "attention_mask": mask.long()})
        found = ours(hidden, mask)
        torch.testing.assert_close(found, expected["sentence_embedding"], atol=2e-6, rtol=1e-6)


@pytest.mark.parametrize("modes", [*((mode,) for mode in MODES), ("cls", "mean")])
def test_pooling_without_the_prompt_equals_sentence_transformers(modes):
    import torch
    from sentence_transformers.sentence_transformer.modules import Pooling

    from edge_mrl_export.lite.modules import PooledText

    torch.manual_seed(2)
    pooling = Pooling(6, pooling_mode=list(modes), include_prompt=False)
    ours = PooledText(PoolingModule(6, modes, include_prompt=False))
    hidden = torch.randn(1, 8, 6) * 10
    mask = torch.tensor([[1] * 6 + [0] * 2], dtype=torch.int32)
    for prompt in (0, 1, 5):
        features = {"token_embeddings": hidden, "attention_mask": mask.long()}
        expected = pooling(features | {"prompt_length": prompt})
        found = ours(hidden, mask, torch.tensor([prompt], dtype=torch.int32))
        torch.testing.assert_close(found, expected["sentence_embedding"], atol=2e-6, rtol=1e-6)


def saved(folder, module):
    from safetensors.numpy import save_file

    write_json(folder / "config.json", dict(module.config))
    save_file(dict(module.weights), folder / "model.safetensors")
    return folder


@pytest.mark.parametrize("name", ["Identity", "Tanh", "GELU", "ReLU", "Sigmoid", "SiLU"])
def test_dense_with_every_activation(tmp_path, name):
    import torch

    from edge_mrl_export.lite.modules import tail_module

    module = dense(6, 4, f"activation.{name}", 1)
    folder = saved(tmp_path, module)
    vectors = torch.randn(1, 6)
    weight, bias = (
        torch.from_numpy(module.weights[f"linear.{part}"]) for part in ("weight", "bias")
    )
    expected = getattr(torch.nn, name)()(vectors @ weight.T + bias)
    found = tail_module(DenseModule(folder, 6, 4, True, name))(vectors)
    torch.testing.assert_close(found, expected)


def test_layer_norm_and_normalize(tmp_path):
    import torch

    from edge_mrl_export.lite.modules import tail_module

    module = layer_norm(6, 2)
    vectors = torch.randn(1, 6) * 3
    norm = torch.nn.functional.layer_norm(
        vectors,
        (6,),
        torch.from_numpy(module.weights["norm.weight"]),
        torch.from_numpy(module.weights["norm.bias"]),
    )
    found = tail_module(LayerNormModule(saved(tmp_path, module), 6))(vectors)
    torch.testing.assert_close(found, norm)
    unit = tail_module(NormalizeModule())
    torch.testing.assert_close(unit(vectors), torch.nn.functional.normalize(vectors))
    assert not unit(torch.zeros(1, 6)).any()


@pytest.mark.parametrize(
    ("wanted", "limit", "lengths"),
    [
        (None, 256, (16, 64, 256)),
        (None, 128, (16, 64, 128)),
        (None, 512, (16, 64, 256, 512)),
        (None, 8192, (16, 64, 256, 512)),
        (None, None, (16, 64, 256, 512)),
        (None, 10, (10,)),
        ((128, 32), 256, (32, 128)),
        ((1000,), None, (1000,)),
    ],
)
def test_lengths(wanted, limit, lengths):
    assert choose_lengths(wanted, limit) == lengths


@pytest.mark.parametrize(
    ("wanted", "limit", "filled", "lengths"),
    [
        (None, 180, 32, (32, 64, 180)),
        (None, 40, 12, (12, 40)),
        (None, 32, 32, (32,)),
        (None, 512, 64, (64, 256, 512)),
        (None, 512, 128, (64, 128, 256, 512)),
        ((16, 48), 180, 32, (16, 48)),
    ],
)
def test_queries_that_are_filled_up_have_a_length_of_their_own(wanted, limit, filled, lengths):
    assert choose_lengths(wanted, limit, filled) == lengths


def test_lengths_that_hold_no_query_are_refused():
    with pytest.raises(ExportError, match="filled up to 32 tokens: choose sequence lengths"):
        choose_lengths((8, 31), 180, 32)


@pytest.mark.parametrize("wanted", [(), (0,), (1, 16), (4,), (16, 16), (512,)])
def test_lengths_that_cannot_be_are_refused(wanted):
    with pytest.raises(ExportError, match="sequence"):
        choose_lengths(wanted, 256)


def test_dense_weights_of_another_shape_are_refused(tmp_path):
    from edge_mrl_export.lite.modules import tail_module

    folder = saved(tmp_path, dense(6, 4, "activation.Tanh", 1))
    with pytest.raises(ExportError, match=r"linear\.weight"):
        tail_module(DenseModule(folder, 5, 4, True, "Tanh"))


def test_a_full_disk_is_named():
    """As LLVM says it, which writes for the converter and ends the process."""
    said = "LLVM ERROR: IO failure on output stream: No space left on device\n"
    full = subprocess.CompletedProcess([], -6, "", said)
    assert "the disk is full: free some space in " in why_it_failed(full)
    other = subprocess.CompletedProcess([], 1, "", "Traceback:\n  a line\nValueError: 5\n")
    assert why_it_failed(other) == "ValueError: 5"


CHILD = "from edge_mrl_export.lite.worker import end_with_the_parent as end; end(); "
WAITS = "print('works', flush=True); import time; time.sleep(120)"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child")
def test_a_worker_ends_with_an_export_that_is_killed():
    """Their output ends when both have ended."""
    parent = (
        "import os, subprocess, sys\n"
        f"child = subprocess.Popen([sys.executable, '-c', {CHILD + WAITS!r}], stdout=-1)\n"
        "print(child.stdout.readline(), file=sys.stderr, flush=True)\n"
        "os.kill(os.getpid(), 9)"
    )
    done = subprocess.run(
        [sys.executable, "-c", parent], stderr=subprocess.PIPE, text=True, timeout=60
    )
    assert done.returncode == -9 and "works" in done.stderr
