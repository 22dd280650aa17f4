"""The part of report.html that says which variants give token vectors and what those cost. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from edge_mrl.bundle.manifest import Manifest
from edge_mrl.cli.inspect import in_words
from edge_mrl.cli.output import format_bytes
from edge_mrl.planning.token_cost import TYPICAL_TOKENS, token_costs
from edge_mrl_export.gates import TOKEN_GATES
from edge_mrl_export.markup import Markup, code, element, table
from edge_mrl_export.report import VariantReport


def token_vectors(manifest: Manifest, reports: Sequence[VariantReport]) -> Iterator[Markup]:
    """Nothing for a bundle without token vectors."""
    having = [one for one in manifest.variants if one.token_vectors is not None]
    if not having:
        return
    without = [one.name for one in manifest.variants if one.token_vectors is None]
    lacking = f" {', '.join(without)}: none." if without else ""
    yield element("h2", "Token vectors")
    late = manifest.embedding.late_interaction
    if late is not None:
        yield element(
            "p",
            "This model was trained for late interaction. What is said above of its vectors is "
            "about the mean of a text's token vectors, which it was not trained for: it finds the "
            "texts that the token vectors then order.",
        )
        yield element("p", in_words(late), class_="note")
    yield element(
        "p",
        "For late interaction (MaxSim) these variants also give a vector for each token of a text, "
        f"at the same sizes, compared token by token.{lacking}",
    )
    yield table(
        ("variant", "cosine, mean", "lowest", "gate", "why"),
        [
            (
                one.name,
                f"{min(one.tokens.cosine.values()):.5f}",
                f"{one.tokens.cosine_min:.5f}",
                f"{TOKEN_GATES[variant.precision].cosine:g}",
                TOKEN_GATES[variant.precision].reason,
            )
            for variant in having
            for one in reports
            if one.name == variant.name and one.tokens is not None
        ],
    )
    yield element("p", "They are most of an index that keeps them; a slice of each makes it small:")
    yield table(
        ("slice", "bytes/token", f"index file, a document of {TYPICAL_TOKENS} tokens"),
        [
            (str(cost.slice), str(cost.token_bytes), format_bytes(cost.document_bytes))
            for cost in token_costs([dim for one in having for dim in one.dims])
        ],
    )
    widest = max(dim for one in having for dim in one.dims)
    yield code(
        f"edge-mrl build notes.db --bundle bundle --input corpus.jsonl --token-vectors {widest}x1\n"
        'edge-mrl search notes.db "zip an archive" --using tokens --funnel dense:50\n'
    )
