"""Plans for an encoder: what a profile makes of a bundle. Loaded only where a profile is given."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

from edge_mrl.backends import available, first_runnable, installed_engines
from edge_mrl.bundle.reader import Bundle
from edge_mrl.planning import (
    AUTO,
    BundleFacts,
    DeviceProfile,
    IndexFacts,
    Plan,
    PlanFollower,
    load_profile,
    plan,
)
from edge_mrl.planning.companion_cost import NO_COMPANIONS, Companions
from edge_mrl.planning.facts import VariantFacts
from edge_mrl.planning.file_cost import DEFAULT_TEXT_BYTES

Profile = str | os.PathLike[str] | DeviceProfile
"""A device as `Encoder.load` and `Index.open` take it."""


@dataclass(frozen=True, slots=True)
class Planned:
    """The plan that an encoder runs, and for whom it was made."""

    plan: Plan
    profile: DeviceProfile
    documents: int
    text_bytes: int
    companions: Companions


def plan_encoder(
    bundle: Bundle,
    profile: Profile,
    documents: int,
    variant: str | None,
    dim: int | None,
    index: IndexFacts | None,
    *,
    token_vectors: bool = False,
    text_bytes: int | None = None,
    companions: Companions | None = None,
) -> Planned:
    """Plan for what the caller of `Encoder.load` has left open.

    Raises:
        ProfileError: the profile is unknown or wrong.
        PlanError: nothing fits.
    """
    facts, device = BundleFacts.from_manifest(bundle.manifest), _device(profile, bundle)
    able = {one.name for one in bundle.manifest.variants if one.token_vectors or not token_vectors}
    variants = tuple(one for one in facts.variants if one.name in able)
    if variant is not None:
        chosen = bundle.manifest.variant(variant).name
        variants = tuple(one for one in variants if one.name == chosen)
    else:
        variants = _runnable_here(variants, bundle, device)
    if dim is not None:
        # Whoever asks for a size has accepted what it keeps.
        device = device.at_any_quality()
        cut = (replace(one, dims=tuple(d for d in one.dims if d <= dim)) for one in variants)
        variants = tuple(one for one in cut if dim in one.dims)
    size = DEFAULT_TEXT_BYTES if text_bytes is None else text_bytes
    kept = companions or NO_COMPANIONS
    made = plan(
        replace(facts, variants=variants),
        device,
        documents,
        text_bytes_per_document=size,
        index=index,
        companions=kept,
    )
    return Planned(made, device, documents, size, kept)


def follower(
    bundle: Bundle,
    variant: str,
    dim: int,
    max_tokens: int | None,
    profile: Profile | None,
    planned: Planned | None,
) -> PlanFollower:
    """Plans for one index; see `Encoder.follower`. One of the last two is given.

    Raises:
        ProfileError: the profile is unknown or wrong.
    """
    if planned is not None and profile is None:
        profile = planned.profile
    device = _device(AUTO if profile is None else profile, bundle)
    facts = BundleFacts.from_manifest(bundle.manifest)
    if planned is None:
        return PlanFollower(facts, device, variant, dim, 0, max_tokens)
    return PlanFollower(
        facts,
        device,
        variant,
        dim,
        planned.documents,
        max_tokens,
        planned.text_bytes,
        planned.companions,
    )


def _runnable_here(
    variants: tuple[VariantFacts, ...], bundle: Bundle, device: DeviceProfile
) -> tuple[VariantFacts, ...]:
    """Those with an engine both here and on the device, since the encoder is to run here; all where
    there are none, so that what is missing is named."""
    here = {one.name for one in bundle.manifest.variants if available(one)}
    both = tuple(one for one in variants if one.name in here and device.facts.runs(one.engines))
    return both or variants


def _device(profile: Profile, bundle: Bundle) -> DeviceProfile:
    if isinstance(profile, DeviceProfile):
        return profile
    if os.fspath(profile) == AUTO:
        # Where nothing can run here, the command that brings an engine helps more than a plan's
        # refusal.
        first_runnable(bundle.manifest.variants)
    return load_profile(profile, engines=installed_engines())
