"""BERT over packed tokens against transformers' own, padded and masked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from unprompt._encoding.batches import token_batches
from unprompt._encoding.packed import PackedBert, fits
from unprompt.embeddings import cosine, unit
from unprompt.types import FloatArray

if TYPE_CHECKING:
    from transformers import BertModel

TEXTS = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11], [12, 13, 14], [4], [15] * 20]


def _bert(activation: str = "gelu") -> BertModel:
    import torch
    from transformers import BertConfig, BertModel

    config = BertConfig(
        vocab_size=50,
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=24,
        hidden_act=activation,
        initializer_range=0.5,
    )
    torch.manual_seed(0)
    model: BertModel = BertModel(config)
    model.train(False)
    return model


def _padded(model: BertModel) -> FloatArray:
    """The mean over each text's tokens, by the library."""
    import torch

    width = max(map(len, TEXTS))
    ids = torch.tensor([[*text, *[0] * (width - len(text))] for text in TEXTS])
    mask = torch.tensor([[1] * len(text) + [0] * (width - len(text)) for text in TEXTS])
    with torch.no_grad():
        states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    mean = (states * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True)
    return unit(mean.numpy())


def _packed(model: BertModel, precision: str, budget: int) -> FloatArray:
    import torch

    packed = PackedBert.of(model, getattr(torch, precision))
    rows = np.empty((len(TEXTS), 32), np.float32)
    for groups in token_batches(TEXTS, budget):
        rows[np.concatenate([numbers for numbers, _ in groups])] = packed.rows(groups)
    return rows


@pytest.mark.parametrize("budget", [1, 10, 1000])
def test_packed_rows_are_the_librarys(budget: int) -> None:
    model = _bert()
    rows = _packed(model, "float32", budget)
    np.testing.assert_allclose(rows, _padded(model), rtol=0, atol=2e-6)


def test_bfloat16_products_keep_the_direction() -> None:
    model = _bert()
    rows = _packed(model, "bfloat16", 1000)
    assert rows.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-6)
    assert cosine(rows, _padded(model)).min() > 0.999


def test_other_architectures_do_not_fit() -> None:
    from transformers import DistilBertConfig, DistilBertModel

    assert fits(_bert())
    assert not fits(_bert("relu"))
    assert not fits(DistilBertModel(DistilBertConfig(dim=16, n_layers=1, n_heads=2, vocab_size=9)))


def test_batches_hold_each_text_once_the_short_ones_first() -> None:
    batches = [*token_batches(TEXTS, 6)]
    numbers = [int(i) for groups in batches for own, _ in groups for i in own]
    assert sorted(numbers) == [*range(len(TEXTS))]
    lengths = [len(TEXTS[i]) for i in numbers]
    assert lengths == sorted(lengths)
    for groups in batches:
        for own, ids in groups:
            assert ids.tolist() == [TEXTS[i] for i in own]
        sizes = [ids.shape[1] for own, ids in groups for _ in own]
        assert sum(sizes) - sizes[-1] < 6, "a batch ends with the text that fills it"
    assert [len(groups) for groups in batches] == [2, 1, 1]


def test_no_texts_are_no_batch() -> None:
    assert [*token_batches([], 8)] == []
