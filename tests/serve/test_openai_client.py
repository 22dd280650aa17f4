"""OpenAI's own client, pointed at the server."""

import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    # It still imports what a later pydantic gave up.
    warnings.simplefilter("ignore")
    import openai

TEXTS = ["Compress a file.", "A bird.", "Ω ≠ ∅ 🐦"]


@pytest.fixture
def client(server):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        with openai.OpenAI(
            base_url=f"{server.address}/v1", api_key="none", max_retries=0, timeout=20
        ) as client:
            yield client


def vectors_of(answer):
    assert [item.index for item in answer.data] == list(range(len(answer.data)))
    return np.array([item.embedding for item in answer.data])


def test_its_vectors_are_the_encoder_s(client, encoder):
    """The client asks for base64 by itself and decodes it."""
    answer = client.embeddings.create(model="words", input=TEXTS)
    assert answer.model == "words"
    np.testing.assert_array_equal(vectors_of(answer), encoder.encode(TEXTS))
    counted = sum(encoder.count_tokens(TEXTS))
    assert (answer.usage.prompt_tokens, answer.usage.total_tokens) == (counted, counted)


def test_float_and_base64_are_the_same_numbers(client):
    coded = client.embeddings.create(model="words", input=TEXTS)
    plain = client.embeddings.create(model="words", input=TEXTS, encoding_format="float")
    np.testing.assert_array_equal(vectors_of(coded), vectors_of(plain))


@pytest.mark.parametrize("dim", [64, 128, 256])
def test_dimensions_cut_and_renormalise(client, encoder, dim):
    answer = client.embeddings.create(model="words", input="A bird.", dimensions=dim)
    whole = encoder.encode("A bird.").astype(np.float64)
    cut = whole[:dim] / np.linalg.norm(whole[:dim])
    np.testing.assert_allclose(vectors_of(answer)[0], cut, atol=1e-7)


def test_errors_are_the_client_s_own(client):
    with pytest.raises(openai.BadRequestError, match="not trained for 100") as caught:
        client.embeddings.create(model="words", input="x", dimensions=100)
    assert caught.value.param == "dimensions"
    with pytest.raises(openai.NotFoundError, match="this server has 'words'"):
        client.embeddings.create(model="text-embedding-3-small", input="x")
    with pytest.raises(openai.BadRequestError, match="send texts"):
        client.embeddings.create(model="words", input=[[1, 2, 3]])


def test_models(client):
    (model,) = client.models.list().data
    assert (model.id, model.owned_by) == ("words", "edge-mrl")
    assert client.models.retrieve("words").id == "words"
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("other")


def test_further_fields_pass(client, encoder):
    answer = client.embeddings.create(
        model="words", input="x", user="u1", extra_body={"input_type": "query"}
    )
    np.testing.assert_array_equal(vectors_of(answer)[0], encoder.encode_query("x"))
