"""What each stage of a query did, as a table."""

from __future__ import annotations

from edge_mrl.cli.output import format_bytes, format_table
from edge_mrl.retrieval import Explanation

_HEADER = ("stage", "scored", "compared", "from file", "ms", "kept", "new in top 10", "moved")
_NOTE = (
    "A stage looks at what the deeper ones above it kept. compared: at the stage's own slice. "
    "moved: of the ten best places,\nthose that hold another document than in the stage before "
    "(the first branch of a fusion)."
)


def format_explanation(explanation: Explanation) -> str:
    """One row a stage in the order they ran, indented by how deep they stand; totals below."""
    rows = [
        (
            "  " * stage.depth + stage.name,
            f"{stage.documents}",
            format_bytes(stage.bytes_compared),
            format_bytes(stage.bytes_read),
            f"{stage.milliseconds:.2f}",
            f"{stage.kept}",
            "" if stage.entered is None else f"{len(stage.entered)}",
            "" if stage.moved is None else f"{stage.moved}",
        )
        for stage in explanation.stages
    ]
    rows.append(
        (
            "all",
            "",
            format_bytes(explanation.bytes_compared),
            format_bytes(explanation.bytes_read),
            f"{explanation.milliseconds:.2f}",
            "",
            "",
            "",
        )
    )
    return f"{format_table(_HEADER, rows)}\n\n{_NOTE}"
