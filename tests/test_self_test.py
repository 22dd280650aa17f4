"""How many golden texts are run at load."""

from types import SimpleNamespace

import pytest

from edge_mrl.encoder.self_test import texts_at_load


@pytest.mark.parametrize(
    ("format_", "pad_invariant", "texts"),
    [
        ("onnx", True, 2),  # run together, so that one is padded
        ("onnx", False, 1),  # run alone
        ("tflite", True, 1),  # padded to a signature anyway
        ("table", True, 1),
    ],
)
def test_a_second_text_is_run_only_where_it_shows_padding(format_, pad_invariant, texts):
    assert texts_at_load(SimpleNamespace(format=format_, pad_invariant=pad_invariant)) == texts
