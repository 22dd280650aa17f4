"""Token types in the positions: the same vectors, one table less."""

import pytest
import torch
from transformers import BertConfig, BertModel

from edge_mrl_export.lite.token_types import fold_token_types


@pytest.fixture
def bert():
    torch.manual_seed(0)
    shape = {"num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertModel(
        BertConfig(vocab_size=20, hidden_size=8, initializer_range=0.5, **shape)
    ).eval()


def test_vectors_stay_as_they_were(bert):
    ids = torch.arange(12).reshape(2, 6)
    with torch.no_grad():
        before = bert(ids).last_hidden_state
        fold_token_types(bert)
        after = bert(ids).last_hidden_state
    torch.testing.assert_close(after, before, atol=1e-5, rtol=0)
    assert not isinstance(bert.embeddings.token_type_embeddings, torch.nn.Embedding)


def test_what_has_no_token_types_is_left_alone():
    module = torch.nn.Linear(2, 2)
    fold_token_types(module)
    assert not hasattr(module, "embeddings")
