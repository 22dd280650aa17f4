"""From vectors and hits to a body. Pure."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence

from edge_mrl.index.querying.result import QueryResult
from edge_mrl.serve.requests import Encoding, ServedModel
from edge_mrl.slices import FloatArray


def embeddings_body(vectors: FloatArray, encoding: Encoding, model: str, tokens: int) -> bytes:
    """The answer of `/v1/embeddings`.

    Args:
        vectors: (n, dim) float32.
        encoding: ``float`` writes each number so that it reads back as the same float32;
            ``base64`` the bytes of little-endian float32.
        model: the model's name.
        tokens: how many tokens the texts have.
    """
    little = vectors.astype("<f4")
    written: Sequence[object]
    if encoding == "base64":
        written = [base64.b64encode(row.tobytes()).decode() for row in little]
    else:
        written = little.tolist()
    return _json(
        {
            "object": "list",
            "data": [
                {"object": "embedding", "index": number, "embedding": one}
                for number, one in enumerate(written)
            ],
            "model": model,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }
    )


def result_body(result: QueryResult) -> bytes:
    """The answer of `/search`, as `edge-mrl search --json` prints it."""
    return _json(result.as_json())


def model_body(model: ServedModel) -> bytes:
    """The answer of `/v1/models/NAME`."""
    return _json(_model(model))


def models_body(models: Sequence[ServedModel]) -> bytes:
    """The answer of `/v1/models`."""
    return _json({"object": "list", "data": [_model(model) for model in models]})


def _model(model: ServedModel) -> dict[str, object]:
    return {
        "id": model.name,
        "object": "model",
        "created": model.created,
        "owned_by": "edge-mrl",
        "matryoshka_dims": list(model.dims),
    }


def _json(document: object) -> bytes:
    # Escaped, since metadata may hold half of a surrogate pair, which UTF-8 cannot.
    return json.dumps(document, separators=(",", ":")).encode()
