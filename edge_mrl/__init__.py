"""edge_mrl: on-device embedding search for Matryoshka models.

Load a bundle with `Encoder.load`, keep documents in an `Index`, and let a device profile choose the
slice. Importing this package loads nothing but itself; a name is loaded when it is first used. No
engine is loaded before a bundle needs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge_mrl.on_first_use import on_first_use
from edge_mrl.version import __version__

if TYPE_CHECKING:
    from edge_mrl.bundle import Bundle
    from edge_mrl.encoder import Encoder
    from edge_mrl.errors import EdgeMrlError
    from edge_mrl.index import Document, Hit, Index, IndexLayout
    from edge_mrl.planning import DeviceProfile, Plan, load_profile
    from edge_mrl.planning.planner import plan
    from edge_mrl.retrieval import Filter, Prefetch, SparseVector
    from edge_mrl.slices import Slice

_HOMES = {
    "Bundle": "edge_mrl.bundle",
    "DeviceProfile": "edge_mrl.planning",
    "Document": "edge_mrl.index",
    "EdgeMrlError": "edge_mrl.errors",
    "Encoder": "edge_mrl.encoder",
    "Filter": "edge_mrl.retrieval",
    "Hit": "edge_mrl.index",
    "Index": "edge_mrl.index",
    "IndexLayout": "edge_mrl.index",
    "Plan": "edge_mrl.planning",
    "Prefetch": "edge_mrl.retrieval",
    "Slice": "edge_mrl.slices",
    "SparseVector": "edge_mrl.retrieval",
    "load_profile": "edge_mrl.planning",
    "plan": "edge_mrl.planning",
}
"""Where each public name lives. On a small board numpy alone takes a second to import, so `edge-mrl
--help` and programs that may not need vectors do not wait for it."""

__all__ = [
    "Bundle",
    "DeviceProfile",
    "Document",
    "EdgeMrlError",
    "Encoder",
    "Filter",
    "Hit",
    "Index",
    "IndexLayout",
    "Plan",
    "Prefetch",
    "Slice",
    "SparseVector",
    "__version__",
    "load_profile",
    "plan",
]

__getattr__ = on_first_use(__name__, _HOMES)


def __dir__() -> list[str]:
    return __all__
