"""Which variants are written for which names."""

import pytest

from edge_mrl.errors import ExportError
from edge_mrl_export.model import Gap, VariantRequest
from edge_mrl_export.options import ExportOptions
from edge_mrl_export.sources.sentence_transformers import SentenceTransformersSource
from edge_mrl_export.wanted import wanted_variants

POSSIBLE = {
    "onnx": ("int8-fast", "int8-portable", "fp32", "int4"),
    "tflite": ("int8-fast", "fp32"),
}


class Model:
    """A source as far as variants go."""

    def default_requests(self):
        return (VariantRequest("tflite", "int8-fast"), VariantRequest("onnx", "int8-portable"))

    def default_gaps(self):
        return (Gap("onnx", "fp32", "no ONNX fp32"), Gap("tflite", None, "no TFLite"))

    def check(self, request):
        if request.precision not in POSSIBLE.get(request.format, ()):
            raise ExportError(f"no {request.format} {request.precision}: choose another")


def wanted(formats=None, precisions=None):
    found = wanted_variants(Model(), ExportOptions(formats=formats, precisions=precisions))
    return [f"{one.format} {one.precision}" for one in found.requests], list(found.notes)


def test_without_names_the_defaults_and_what_they_lack():
    assert wanted() == (["tflite int8-fast", "onnx int8-portable"], ["no ONNX fp32", "no TFLite"])


def test_every_pair_of_the_names_and_no_word_of_what_was_not_asked_for():
    assert wanted(("onnx",), ("int4", "fp32")) == (["onnx int4", "onnx fp32"], [])
    assert wanted(("tflite",)) == (
        ["tflite int8-fast"],
        ["left out: no tflite int8-portable: choose another"],
    )


def test_what_the_defaults_lack_of_a_named_format():
    assert wanted(("onnx",))[1] == ["no ONNX fp32"]
    assert wanted(None, ("int8-fast",))[1] == ["no TFLite"]


def test_a_pair_that_cannot_be_is_left_out_where_others_meet_the_names():
    names, notes = wanted(("onnx", "tflite"), ("int4", "int8-fast"))
    assert names == ["onnx int4", "onnx int8-fast", "tflite int8-fast"]
    assert notes == ["left out: no tflite int4: choose another"]


def test_a_precision_alone_takes_the_formats_that_have_it():
    assert wanted(None, ("int4",)) == (
        ["onnx int4"],
        ["no TFLite", "left out: no tflite int4: choose another"],
    )


@pytest.mark.parametrize(
    ("formats", "precisions", "sentence"),
    [
        (("onnx", "tflite"), ("int4",), "no tflite int4"),
        (("tflite",), ("int8-fast", "fp16"), "no tflite fp16"),
        (("table",), None, "no table int8-fast"),
        (None, ("fp16",), "no tflite fp16"),
    ],
)
def test_a_name_that_nothing_meets_is_refused(formats, precisions, sentence):
    with pytest.raises(ExportError, match=sentence):
        wanted(formats, precisions)


def test_four_bits_of_a_transformer_are_onnx(st_folder):
    model = SentenceTransformersSource(st_folder)
    found = wanted_variants(model, ExportOptions(precisions=("int4",), token_vectors=True))
    assert found.requests == (VariantRequest("onnx", "int4", token_vectors=True),)
    both = ExportOptions(formats=("onnx", "tflite"), precisions=("int4",))
    with pytest.raises(ExportError, match="cannot be written as tflite int4: choose onnx with"):
        wanted_variants(model, both)


@pytest.mark.parametrize(
    ("choice", "formats", "words"),
    [
        ({"sequence_lengths": (16,)}, ("onnx",), "--sequence-lengths is about tflite"),
        ({"opset": 19}, ("tflite",), "--opset is about onnx"),
    ],
)
def test_a_choice_about_a_format_that_is_not_written_is_refused(choice, formats, words):
    with pytest.raises(ExportError, match=words):
        wanted_variants(Model(), ExportOptions(formats=formats, **choice))
    assert wanted_variants(Model(), ExportOptions(**choice)).requests == Model().default_requests()
