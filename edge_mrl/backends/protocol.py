"""What the encoder asks of an inference engine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from edge_mrl.slices import FloatArray


class WithTokens(NamedTuple):
    """Texts as vectors and as token vectors.

    Attributes:
        vectors: (n, dim) float32, as `Backend.embed` gives them.
        tokens: n arrays (tokens, dim) float32, rows of unit length; a token without a direction
            has none.
    """

    vectors: FloatArray
    tokens: list[FloatArray]


class TokenChoice(NamedTuple):
    """What token vectors are made of, and which.

    Attributes:
        attended: how many tokens at the beginning of each text the others attend to; the rest still
            have vectors. None: all.
        skipped: tokens that have no vector, by id.
    """

    attended: tuple[int, ...] | None = None
    skipped: tuple[int, ...] = ()


ALL_TOKENS = TokenChoice()


class Backend(Protocol):
    """Token ids in, unit vectors out. One instance holds one variant's weights."""

    def embed(
        self,
        token_ids: Sequence[Sequence[int]],
        dim: int,
        *,
        prompt_tokens: int = 0,
        room: int = 0,
    ) -> FloatArray:
        """Embed tokenised texts.

        Args:
            token_ids: one list of ids per text, special tokens included, possibly empty.
            dim: a size that the variant gives.
            prompt_tokens: how many tokens at the beginning of each text are read but left out of
                pooling. Only models that leave their prompts out take other than 0.
            room: pad each text to this many tokens at least, where the engine pads at all. What is
                padded must not change a vector; a check of that is what this is for.

        Returns:
            (n, dim) float32, rows of unit length; zero rows for texts without tokens where the
            model has no vector for them.
        """
        ...


class TokenBackend(Backend, Protocol):
    """A backend of a variant that also gives token vectors."""

    def embed_with_tokens(
        self,
        token_ids: Sequence[Sequence[int]],
        dim: int,
        *,
        prompt_tokens: int = 0,
        choice: TokenChoice = ALL_TOKENS,
    ) -> WithTokens:
        """As `embed`, with a vector for each token, special ones included, in the order of the
        text; those of the prompt are left out where they are left out of pooling. Tokens that
        others do not attend to are left out of pooling, too."""
        ...
