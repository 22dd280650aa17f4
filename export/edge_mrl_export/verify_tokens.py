"""Token vectors of a freshly built variant through the device runtime, against the model's own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from edge_mrl.encoder import Encoder
from edge_mrl.slices import FloatArray, prefix
from edge_mrl_export.gates import TokenMeasures


@dataclass(frozen=True, slots=True)
class TokenCheckup:
    """Texts and the model's own token vectors of each, at full width."""

    texts: tuple[str, ...]
    reference: tuple[FloatArray, ...]


def measure_tokens(folder: Path, variant: str, checkup: TokenCheckup) -> TokenMeasures:
    """Compare one variant of a bundle folder with the reference, token by token.

    The texts are run in one batch and alone, so padding and other texts count too. A text of which
    the variant reads less than the model is left out.

    Returns:
        Cosines of -1 where the tokens are not even as many as the model's.
    """
    encoder = Encoder.load(folder, variant=variant, self_test=False)
    whole = encoder.reads_whole(checkup.texts)
    pairs = zip(checkup.texts, checkup.reference, strict=True)
    kept = [pair for pair, reads in zip(pairs, whole, strict=True) if reads]
    texts, reference = [text for text, _ in kept], [rows for _, rows in kept]
    cosine: dict[int, float] = {}
    lowest, difference = 1.0, 0.0
    for dim in encoder.token_dims:
        batch = encoder.encode_tokens(texts, dim=dim, prompt="")
        cosines = _cosines(batch, [prefix(rows, dim) for rows in reference])
        cosine[dim], lowest = float(cosines.mean()), min(lowest, float(cosines.min()))
        for text, rows in zip(texts, batch, strict=True):
            alone = encoder.encode_tokens(text, dim=dim, prompt="")
            difference = max(difference, _difference(alone, rows))
    return TokenMeasures(cosine, lowest, difference)


def _cosines(ours: Sequence[FloatArray], theirs: Sequence[FloatArray]) -> FloatArray:
    if [len(rows) for rows in ours] != [len(rows) for rows in theirs]:
        return np.array([-1], dtype=np.float32)
    cosines: FloatArray = np.sum(np.concatenate(ours) * np.concatenate(theirs), axis=1)
    cosines[~np.isfinite(cosines)] = -1
    return cosines


def _difference(one: FloatArray, other: FloatArray) -> float:
    if one.shape != other.shape:
        return float("inf")
    return float(np.abs(one - other).max(initial=0))
