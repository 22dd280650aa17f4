"""What a worker answers with: an encoder and an index of its own thread. Bytes in, bytes out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from edge_mrl.bundle import Bundle
from edge_mrl.encoder import Encoder
from edge_mrl.errors import EdgeMrlError, IndexFileError, InputError, SliceError
from edge_mrl.index import Index
from edge_mrl.retrieval import Question
from edge_mrl.serve.followed import FollowedIndex
from edge_mrl.serve.http_error import HttpError
from edge_mrl.serve.requests import ServedModel, parse_embeddings, parse_search
from edge_mrl.serve.responses import embeddings_body, result_body
from edge_mrl.slices import prefix


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What is served.

    Attributes:
        bundle: the model's folder; None to search by vector only.
        index: the index file; None for embeddings only.
        model_name: what requests call the model; None for the bundle's own name.
        variant: a variant of the bundle; None for the first that runs here.
        dim: a trained size; None for the largest.
        threads: threads of the inference engine.
    """

    bundle: Path | None
    index: Path | None
    model_name: str | None = None
    variant: str | None = None
    dim: int | None = None
    threads: int = 1


class Engine:
    """Answers requests. Belongs to the thread that opened it."""

    def __init__(
        self, encoder: Encoder | None, index: FollowedIndex | None, model: ServedModel | None
    ) -> None:
        self._encoder = encoder
        self._index = index
        self.model = model

    @classmethod
    def open(cls, settings: EngineSettings) -> Engine:
        """Load the model and open the index.

        Raises:
            EdgeMrlError: either cannot be used; see `Encoder.load` and `Index.open`.
        """
        encoder, model = None, None
        if settings.bundle is not None:
            encoder = Encoder.load(
                settings.bundle,
                truncate_dim=settings.dim,
                variant=settings.variant,
                threads=settings.threads,
                token_vectors=_wants_tokens(settings),
            )
            model = ServedModel(
                settings.model_name or encoder.model_name,
                tuple(dim for dim in encoder.matryoshka_dims if dim <= encoder.dim),
                int((settings.bundle / "manifest.json").stat().st_mtime),
            )
        index = None if settings.index is None else FollowedIndex(settings.index, encoder)
        return cls(encoder, index, model)

    def close(self) -> None:
        """Close the index."""
        if self._index is not None:
            self._index.close()

    def embeddings(self, body: bytes) -> bytes:
        """`POST /v1/embeddings`.

        Raises:
            HttpError: the request cannot be answered.
        """
        if self._encoder is None or self.model is None:
            raise HttpError(404, "this server has no model: it searches by vector only")
        asked = parse_embeddings(body, self.model)
        with _explained("input"):
            prompt = self._encoder.prompt_for(asked.input_type)
            if asked.input_type == "query":
                vectors = self._encoder.encode_query(asked.texts)
            elif asked.input_type == "document":
                vectors = self._encoder.encode_document(asked.texts)
            else:
                vectors = self._encoder.encode(asked.texts, prompt=prompt)
            tokens = sum(self._encoder.count_tokens(asked.texts, prompt=prompt))
        if asked.dim != self._encoder.dim:
            vectors = prefix(vectors, asked.dim)
        return embeddings_body(vectors, asked.encoding, self.model.name, tokens)

    def search(self, body: bytes) -> bytes:
        """`POST /search`.

        Raises:
            HttpError: the request cannot be answered.
        """
        if self._index is None:
            raise HttpError(404, "this server has no index: start it with --index")
        asked = parse_search(body)
        with _explained("query", _field_of_slices(asked)):
            return result_body(self._index.current().ask(asked))


def _wants_tokens(settings: EngineSettings) -> bool:
    """Whether a variant is to be chosen that gives token vectors, since the index has them."""
    if settings.bundle is None or settings.variant is not None:
        return False
    if settings.index is None or not settings.index.exists():
        return False
    with Index.open(settings.index) as index:
        wanted = index.token_vectors_by_model
    return wanted and Bundle.open(settings.bundle).manifest.has_token_vectors


def _field_of_slices(asked: Question) -> str | None:
    """The field that holds the slices of a search; None where two do."""
    if asked.using is None:
        return "prefetch"
    return None if asked.root.branches else "using"


@contextmanager
def _explained(param: str, slices: str | None = None) -> Iterator[None]:
    """What is wrong with the request is the client's, what is wrong with a file is ours."""
    try:
        yield
    except SliceError as error:
        raise HttpError(400, str(error), param=slices) from error
    except InputError as error:
        raise HttpError(400, str(error), param=param) from error
    except IndexFileError as error:
        raise HttpError(503, str(error), code="index_unavailable") from error
    except EdgeMrlError as error:
        raise HttpError(500, str(error)) from error
