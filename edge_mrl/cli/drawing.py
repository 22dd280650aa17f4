"""A drawing into the file that `--plot` names: SVG as it is, or PNG."""

from __future__ import annotations

from pathlib import Path

from edge_mrl.cli.png import to_png
from edge_mrl.errors import InputError


def check_name(file: Path) -> None:
    """Refuse a name before the work.

    Raises:
        InputError: it ends neither in .svg nor in .png.
    """
    if file.suffix not in (".svg", ".png"):
        raise InputError(
            f"--plot writes .svg and .png files: name the file {file.with_suffix('.svg')} or "
            f"{file.with_suffix('.png')}"
        )


def write(file: Path, drawing: str) -> None:
    """Write a drawing.

    Args:
        file: its end says what it becomes.
        drawing: an SVG document.

    Raises:
        InputError: the file cannot be written, or a PNG has no font to write with.
        ExtraMissingError: a .png file needs a package that is not installed.
    """
    content = to_png(drawing) if file.suffix == ".png" else drawing.encode()
    try:
        file.write_bytes(content)
    except OSError as error:
        raise InputError(f"cannot write {file}: {error.strerror or error}") from error
