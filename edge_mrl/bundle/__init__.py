"""Bundles: what the exporter writes and a device loads."""

from edge_mrl.bundle.manifest import Manifest, Variant
from edge_mrl.bundle.reader import Bundle

__all__ = ["Bundle", "Manifest", "Variant"]
