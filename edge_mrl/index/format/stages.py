"""From the segments of an index to the stages of a search. Pure arrays."""

from __future__ import annotations

from collections.abc import Sequence

from edge_mrl.index.format.layout import IndexLayout
from edge_mrl.index.format.rotation import turns
from edge_mrl.index.format.segments import Segment
from edge_mrl.kernel import BlockList, CodeBlock, Stage, StageList, Turn
from edge_mrl.slices import Slice


def stage_list(layout: IndexLayout, segments: Sequence[Segment]) -> StageList:
    """The scan of some segments and, where the layout has it, the look at their finer codes.

    Args:
        layout: the slices.
        segments: in order, with all codes that the layout wants; positions count through them.
    """
    made = [_stage(layout.scan, [segment.block for segment in segments])]
    if layout.refine is not None:
        finer = [segment.refined for segment in segments if segment.refined is not None]
        made.append(_stage(layout.refine, finer))
    return StageList.of(made)


def _stage(slice_: Slice, blocks: Sequence[CodeBlock]) -> Stage:
    return Stage(slice_.dim, slice_.bits, slice_turns(slice_), BlockList.of(blocks))


def slice_turns(slice_: Slice) -> tuple[Turn, ...]:
    """How the codes of a scan or refine slice are rotated: not at all at 8 bits."""
    return () if slice_.bits == 8 else turns(slice_.dim)
