"""A drawing as PNG, for whoever cannot use SVG. Needs resvg-py, which is imported when a drawing is
made."""

from __future__ import annotations

from types import ModuleType

from edge_mrl.cli import svg
from edge_mrl.errors import ExtraMissingError, InputError

ZOOM = 2.0
"""Pixels of the picture for each of the drawing, so that words are sharp on a fine screen."""

_PROBE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="40" height="40" '
    f'font-family="{svg.FONT}"><text x="5" y="30" font-size="24">{{}}</text></svg>'
)


def to_png(drawing: str) -> bytes:
    """Rasterise an SVG document.

    Args:
        drawing: one of ours, in the fonts of `svg.FONT`.

    Returns:
        The bytes of a PNG file.

    Raises:
        ExtraMissingError: resvg-py is not installed.
        InputError: this system has none of the fonts, so that the words would be missing.
    """
    resvg = _resvg()
    if resvg.svg_to_bytes(_PROBE.format("x")) == resvg.svg_to_bytes(_PROBE.format("")):
        raise InputError(
            "a .png file needs a font, and this system has none that is known: install one "
            "(Debian: fonts-dejavu-core), or write an .svg file"
        )
    picture: bytes = resvg.svg_to_bytes(drawing, zoom=ZOOM)
    return picture


def _resvg() -> ModuleType:
    try:
        import resvg_py
    except ImportError as error:
        raise ExtraMissingError(
            "a .png file needs resvg-py, which is not installed: run "
            "`pip install 'edge-mrl[png]'`, or write an .svg file"
        ) from error
    module: ModuleType = resvg_py
    return module
