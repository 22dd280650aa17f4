"""An index from a workstation to a Raspberry Pi Zero 2 W: cut, copied, opened.

python examples/move_to_device.py BUNDLE INDEX.db DEVICE_FOLDER [QUESTION]

INDEX.db was built here with all that the model gives. DEVICE_FOLDER is where the board's card is
mounted, or any folder that is copied there afterwards; it receives notes.db and the bundle.
"""

import os
import shutil
import sys
from pathlib import Path

from edge_mrl import Bundle, Encoder, Index
from edge_mrl.index import reslice_index
from edge_mrl.planning import BundleFacts, load_profile, plan

BOARD = "raspberry-pi-zero-2w"


def main(bundle: str, place: str, device: str, question: str = "") -> None:
    source, folder = Path(place), Path(device)
    with Index.open(source) as index:
        documents = index.count()
    facts = BundleFacts.from_manifest(Bundle.open(bundle).manifest)
    planned = plan(facts, load_profile(BOARD), documents)
    stored, scan = planned.layout.stored, planned.layout.scan
    print(f"{BOARD}: {planned.variant}, {stored} stored, {scan} scanned, {documents} documents")

    # Cut here: the board would need long, and the model is not needed. A closed index is one file.
    cut = source.with_name("device.db")
    reslice_index(source, cut, stored.dim, bits=stored.bits, scan=scan).close()
    shutil.copytree(bundle, folder / "bundle", dirs_exist_ok=True)
    arriving = folder / "notes.db.new"
    shutil.copyfile(cut, arriving)
    with arriving.open("rb") as stream:
        os.fsync(stream.fileno())
    # Under its name only when it is whole: the board never opens half an index.
    arriving.replace(folder / "notes.db")
    size, before = cut.stat().st_size, source.stat().st_size
    cut.unlink()
    print(f"{before / 2**20:.1f} MiB here, {size / 2**20:.1f} MiB there")

    # What the board does.
    encoder = Encoder.load(folder / "bundle", variant=planned.variant, truncate_dim=stored.dim)
    with Index.open(folder / "notes.db", encoder) as index:
        print(f"{index.count()} documents, kept as {index.layout}")
        for hit in index.search(question, k=2) if question else ():
            print(f"{hit.score:.3f}  {hit.text}")


if __name__ == "__main__":
    if not 4 <= len(sys.argv) <= 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
