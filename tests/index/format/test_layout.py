import pytest

from edge_mrl.errors import SliceError, UntrainedDimError
from edge_mrl.index import IndexLayout, default_layout
from edge_mrl.slices import Slice


@pytest.mark.parametrize(
    ("dim", "scan", "refine"),
    [
        (3072, "256x1", "3072x1"),
        (768, "256x1", "768x1"),
        (512, "512x1", "512x2"),
        (256, "256x1", "256x2"),
        (128, "128x2", "128x4"),
        (64, "64x2", "64x4"),
        (32, "32x8", None),
        (8, "8x8", None),
    ],
)
def test_default_layout(dim, scan, refine):
    sizes = [size for size in (8, 32, 64, 128, 256, 512, 768, 3072) if size != 512 or dim == 512]
    assert default_layout(dim, sizes) == IndexLayout(
        Slice(dim, 8), Slice.parse(scan), None if refine is None else Slice.parse(refine)
    )


def test_without_a_shorter_size_all_of_a_wide_vector_is_scanned():
    wide = default_layout(1024, (32, 1024))
    assert wide == IndexLayout(Slice(1024, 8), Slice(1024, 1), Slice(1024, 2))


def test_what_a_document_takes_in_memory():
    layout = IndexLayout(Slice(256, 8), Slice(256, 1), Slice(256, 2))
    assert layout.resident_row_bytes == 32 + 2 + 64 + 2


def test_default_layout_refuses_an_untrained_size():
    with pytest.raises(UntrainedDimError, match="64, 128"):
        default_layout(100, (64, 128))


@pytest.mark.parametrize(
    ("stored", "scan", "message"),
    [
        ("64x4", "64x1", "8, 16 or 32 bits"),
        ("64x8", "64x16", "1, 2, 4 or 8 bits"),
        ("64x8", "128x1", "wider"),
    ],
)
def test_layouts_that_cannot_be(stored, scan, message):
    with pytest.raises(SliceError, match=message):
        IndexLayout(Slice.parse(stored), Slice.parse(scan))


@pytest.mark.parametrize(
    ("refine", "message"),
    [
        ("64x16", "1, 2, 4 or 8 bits"),
        ("128x4", "wider"),
        ("64x2", "tells no more"),
        ("64x1", "tells no more"),
        ("32x8", "tells no more"),
    ],
)
def test_refine_slices_that_cannot_be(refine, message):
    with pytest.raises(SliceError, match=message):
        IndexLayout(Slice(64, 8), Slice(64, 2), Slice.parse(refine))
