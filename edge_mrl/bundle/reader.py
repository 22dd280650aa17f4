"""Opening a bundle folder: nothing in it is trusted before its size and hash were checked."""

from __future__ import annotations

import os
import stat
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from edge_mrl.bundle.manifest import MANIFEST_NAME, FileEntry, Manifest, Variant
from edge_mrl.bundle.manifest_json import MAX_MANIFEST_BYTES, parse
from edge_mrl.errors import BundleError

if TYPE_CHECKING:
    from edge_mrl.bundle.golden import Golden


class Bundle(NamedTuple):
    """A bundle folder whose manifest was read. Files are checked when they are asked for."""

    path: Path
    manifest: Manifest

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> Bundle:
        """Read the manifest of a bundle folder.

        Raises:
            BundleError: there is no such folder, it is no bundle, or its manifest is wrong.
        """
        folder = Path(path)
        if not folder.is_dir():
            raise BundleError(f"there is no bundle at {folder}: make one with `edge-mrl export`")
        file = folder / MANIFEST_NAME
        if not file.is_file():
            raise BundleError(f"{folder} is not a bundle: it has no {MANIFEST_NAME}")
        try:
            str(folder).encode()
        except UnicodeEncodeError as error:
            raise BundleError(
                f"the path {folder} is not UTF-8, and engines take no other: rename the folder"
            ) from error
        if file.stat().st_size > MAX_MANIFEST_BYTES:
            raise BundleError(
                f"{file} is larger than {MAX_MANIFEST_BYTES} bytes: it cannot be genuine"
            )
        return cls(folder, parse(file.read_bytes()))

    def checked(self, path: str) -> Path:
        """The place of a listed file, after its type, size and SHA-256 were found to be as the
        manifest says.

        Raises:
            BundleError: the file is missing, a link, shorter, longer, or has other content.
        """
        entry = self.manifest.file(path)
        place = self.path / entry.path
        self._check_plain(entry, place)
        from edge_mrl.bundle.hashing import sha256_of

        try:
            found = sha256_of(place)
        except OSError as error:
            raise BundleError(
                f"{place} cannot be read ({error.strerror}): copy the bundle again"
            ) from error
        if found != entry.sha256:
            raise BundleError(
                f"{place} is damaged: its SHA-256 is not what the manifest says; copy the "
                "bundle again"
            )
        return place

    def check_all(self) -> None:
        """Check every listed file.

        Raises:
            BundleError: names every file that is not as the manifest says; of a single one, also
                what is wrong with it.
        """
        found: list[tuple[str, BundleError]] = []
        for entry in self.manifest.files:
            try:
                self.checked(entry.path)
            except BundleError as error:
                found.append((entry.path, error))
        if len(found) > 1:
            raise BundleError(
                f"{len(found)} of the {len(self.manifest.files)} files of {self.path} are missing "
                f"or damaged: {', '.join(path for path, _ in found)}; copy the bundle again"
            )
        for _, only in found:
            raise only

    def unlisted(self) -> list[str]:
        """Paths in the folder that the manifest does not list, at most 1000, sorted. Nothing reads
        them, so they do no harm; but nobody vouches for them either."""
        listed = {MANIFEST_NAME, *(entry.path for entry in self.manifest.files)}
        found = (
            place.relative_to(self.path).as_posix()
            for folder, _, names in os.walk(self.path)
            for place in map(Path(folder).joinpath, names)
        )
        return sorted(islice((path for path in found if path not in listed), 1000))

    def golden(self) -> Golden:
        """The golden texts and their reference vectors, (n, dim) float32 of unit length.

        Raises:
            BundleError: as `checked`, or the file does not hold golden texts.
        """
        from edge_mrl.bundle.golden import parse_golden

        return parse_golden(
            self.checked(self.manifest.golden).read_bytes(), self.manifest.embedding.dim
        )

    def size(self, variant: Variant) -> int:
        """Bytes of the files that a variant needs, tokenizer included, as the manifest says."""
        return sum(
            self.manifest.file(path).size for path in (*variant.files, self.manifest.tokenizer.path)
        )

    def _check_plain(self, entry: FileEntry, place: Path) -> None:
        root = self.path.resolve()
        if not place.exists() or place.resolve() != root / entry.path:
            raise BundleError(f"{place} is missing or a link: copy the bundle again")
        status = place.stat()
        if not stat.S_ISREG(status.st_mode):
            raise BundleError(f"{place} is not a plain file: copy the bundle again")
        if status.st_size != entry.size:
            raise BundleError(
                f"{place} has {status.st_size} bytes where the manifest says {entry.size}: "
                "the file is truncated or another one; copy the bundle again"
            )
