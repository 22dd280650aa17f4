import pytest

from edge_mrl.errors import SliceError, UntrainedDimError
from edge_mrl.index import IndexLayout, default_layout
from edge_mrl.slices import Slice


@pytest.mark.parametrize(
    ("dim", "scan"),
    [(768, "768x1"), (256, "256x2"), (128, "128x4"), (64, "64x4"), (32, "32x8"), (8, "8x8")],
)
def test_default_layout(dim, scan):
    assert default_layout(dim, (8, 32, 64, 128, 256, 768)) == IndexLayout(
        Slice(dim, 8), Slice.parse(scan)
    )


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
