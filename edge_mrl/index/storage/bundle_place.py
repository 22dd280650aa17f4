"""Where an index's model lies: a note in the file, so that a search needs no second path."""

from __future__ import annotations

import os
from pathlib import Path

from edge_mrl.index.storage.store import Store


def remember(store: Store, bundle: Path, place: Path) -> None:
    """Write down the bundle's folder, as it is and as seen from the index. Inside `store.write()`.

    Args:
        store: an open index.
        bundle: the folder.
        place: where the index file stands, or will stand.
    """
    folder = bundle.absolute()
    store.set_fact("bundle", str(folder))
    store.set_fact("bundle_near", os.path.relpath(folder, place.absolute().parent))


def recall(store: Store) -> Path | None:
    """The bundle's folder; None where nothing was written down. Call inside `store.read()`."""
    near, far = store.fact("bundle_near"), store.fact("bundle")
    # os.path takes any text, also of a damaged file, without raising.
    if near is not None and os.path.isdir(store.place.parent / near):  # noqa: PTH112
        # First, so that an index and a bundle that were moved together still find each other.
        # Without the way there: the index's folder may have a name that an engine cannot take.
        return Path(os.path.realpath(store.place.parent / near))
    return None if far is None else Path(far)
