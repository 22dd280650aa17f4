"""Run by scripts/check-tflite-runtime, in an environment that has tflite-runtime 2.14 and no
LiteRT."""

import json
import shutil
import sys
import tempfile
from pathlib import Path

from edge_mrl import Encoder
from edge_mrl.bundle import Bundle
from edge_mrl.bundle.seal import sealed
from edge_mrl.errors import BackendMissingError, SelfTestError

ENGINE = "tflite-runtime"


def outcome(folder: Path, name: str) -> str:
    """What loading a variant and running all golden texts comes to."""
    try:
        return f"mean cosine {Encoder.load(folder, variant=name).verify():.6f}"
    except (BackendMissingError, SelfTestError) as error:
        return type(error).__name__


def without_marks(folder: Path, place: Path) -> Path:
    """A copy of a bundle whose variants claim to run on every engine."""
    copy = Path(shutil.copytree(folder, place / "copy"))
    manifest = json.loads((copy / "manifest.json").read_text())
    for variant in manifest["variants"]:
        variant["engines"] = []
    (copy / "manifest.json").write_bytes(sealed(manifest))
    return copy


def check(folder: Path) -> bool:
    """Try every TFLite variant of a bundle; print one line each."""
    fine = True
    with tempfile.TemporaryDirectory() as scratch:
        unmarked = without_marks(folder, Path(scratch))
        for variant in Bundle.open(folder).manifest.variants:
            if variant.format != "tflite":
                continue
            marked = ENGINE in variant.engines
            found = outcome(folder, variant.name), outcome(unmarked, variant.name)
            right = (
                all(result.startswith("mean cosine") for result in found)
                if marked
                else found == ("BackendMissingError", "SelfTestError")
            )
            fine = fine and right
            print(
                f"{'ok' if right else 'WRONG':5}  {variant.name:22} "
                f"{'marked for it' if marked else 'not marked':14} {found[0]}; "
                f"mark removed: {found[1]}"
            )
    return fine


if __name__ == "__main__":
    results = [check(Path(argument)) for argument in sys.argv[1:]]
    sys.exit(0 if all(results) else 1)
