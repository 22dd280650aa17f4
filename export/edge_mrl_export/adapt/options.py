"""What a user can ask of `edge-mrl adapt`, and the sizes trained where nobody names any. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from edge_mrl.errors import ExportError

MAX_TEXTS = 10_000
EPOCHS = 20
SEED = 0
SMALLEST = 32
"""The smallest size by default: below it, retrieval keeps little of any model that was tried."""


@dataclass(frozen=True, slots=True)
class AdaptOptions:
    """Choices of one run.

    `dims` are the sizes to train in rising order, None for `default_dims`. At most `max_texts` of
    the texts are used, spread evenly over the file. `seed` decides what is held out, the
    first weights, and the order of the batches. `revision` is a branch, tag or commit of a model on
    the hub, `trust_remote_code` lets code that a model brings run.
    """

    dims: tuple[int, ...] | None = None
    max_texts: int = MAX_TEXTS
    epochs: int = EPOCHS
    seed: int = SEED
    overwrite: bool = False
    revision: str | None = None
    trust_remote_code: bool = False

    def __post_init__(self) -> None:
        """Refuse numbers that cannot be.

        Raises:
            ExportError: `max_texts` or `epochs` is below 1, or the seed is negative.
        """
        for name, value, least in (
            ("--max-texts", self.max_texts, 1),
            ("--epochs", self.epochs, 1),
            ("--seed", self.seed, 0),
        ):
            if value < least:
                raise ExportError(f"{name} must be {least} or more, not {value}")


def default_dims(width: int) -> tuple[int, ...]:
    """Powers of two from 32 below the model's width, and the width: 32, 64, 128, 256, 384.

    Args:
        width: D, the length of the model's vector. Models of 64 and fewer numbers get a quarter and
            a half of it instead.
    """
    powers = [SMALLEST << shift for shift in range(16) if SMALLEST << shift < width]
    smaller: Sequence[int] = powers if len(powers) > 1 else [width // 4, width // 2]
    return (*(dim for dim in smaller if dim >= 1), width)
