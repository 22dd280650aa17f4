"""Which variants an export writes: what the user names, what the model can give, or its defaults.

A format or a precision that the user names is written at least once, or the export is refused: a
script that goes on to copy the file would find none. Where a name is met by another pair, a pair
that cannot be is left out, and a note says why. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Set
from dataclasses import replace
from itertools import product
from typing import NamedTuple

from edge_mrl.bundle.manifest import VariantFormat
from edge_mrl.errors import ExportError
from edge_mrl_export.model import Gap, Source, VariantRequest
from edge_mrl_export.options import ExportOptions


class Wanted(NamedTuple):
    """The variants to write, in order, and what the user should know about those that are not."""

    requests: tuple[VariantRequest, ...]
    notes: tuple[str, ...]


def wanted_variants(model: Source, options: ExportOptions) -> Wanted:
    """The variants that `options` ask of a model.

    Raises:
        ExportError: the model cannot be written in a format or a precision that the user names, or
            a choice is about a format that is not written.
    """
    defaults = model.default_requests()
    if options.formats is None and options.precisions is None:
        found = Wanted(defaults, ())
        for request in defaults:
            model.check(request)
    else:
        found = _of_names(defaults, options, model.check)
    _refuse_idle(options, {request.format for request in found.requests})
    notes = (gap.why for gap in model.default_gaps() if _chosen_for_the_user(gap, options))
    return Wanted(
        tuple(replace(one, token_vectors=options.token_vectors) for one in found.requests),
        (*notes, *found.notes),
    )


def _of_names(
    defaults: Iterable[VariantRequest],
    options: ExportOptions,
    check: Callable[[VariantRequest], None],
) -> Wanted:
    formats = options.formats or dict.fromkeys(one.format for one in defaults)
    precisions = options.precisions or dict.fromkeys(one.precision for one in defaults)
    pairs = [VariantRequest(*pair) for pair in product(formats, precisions)]
    refused = {pair: why for pair in pairs if (why := _why_not(pair, check)) is not None}
    possible = tuple(pair for pair in pairs if pair not in refused)
    given = {name for pair in possible for name in (pair.format, pair.precision)}
    for name in (*(options.formats or ()), *(options.precisions or ())):
        if name not in given:
            raise ExportError(
                next(why for pair, why in refused.items() if name in (pair.format, pair.precision))
            )
    return Wanted(possible, tuple(f"left out: {why}" for why in refused.values()))


def _why_not(request: VariantRequest, check: Callable[[VariantRequest], None]) -> str | None:
    try:
        check(request)
    except ExportError as error:
        return str(error)
    return None


def _refuse_idle(options: ExportOptions, formats: Set[VariantFormat]) -> None:
    """A choice that changes nothing is not what the user meant."""
    choices: tuple[tuple[str, object, VariantFormat], ...] = (
        ("--sequence-lengths", options.sequence_lengths, "tflite"),
        ("--opset", options.opset, "onnx"),
    )
    for flag, value, about in choices:
        if value is not None and about not in formats:
            raise ExportError(
                f"{flag} is about {about}, of which nothing is written: name {about} among the "
                f"--formats, or leave {flag} out"
            )


def _chosen_for_the_user(gap: Gap, options: ExportOptions) -> bool:
    """Whether it was not the user who left out what is missing."""
    if gap.precision is None:
        return options.formats is None
    return options.precisions is None and (options.formats is None or gap.format in options.formats)
