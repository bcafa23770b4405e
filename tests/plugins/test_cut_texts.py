"""A CLIP's texts without the padding at their ends, against open_clip's own forward pass."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from unprompt.embeddings import unit
from unprompt.towers import ClipTowers
from unprompt.towers.branches import MOST, split_group
from unprompt.towers.cut_texts import can_cut, encode_cut, ends
from unprompt.types import FloatArray

from .conftest import load_clip
from .small_towers import save_clip

TEXTS = ("a red fox", "", "an oil painting of a lighthouse in the storm, " * 9, "fox", "a hat, 4k")


def _by_open_clip(towers: ClipTowers, texts: tuple[str, ...]) -> FloatArray:
    import torch

    with torch.no_grad():
        rows = towers._model.encode_text(towers.tokens(texts))
    return unit(rows.numpy())


@pytest.mark.parametrize("tokenizer", ["simple", "words", "seamless"])
def test_rows_are_those_of_open_clip_in_any_batch(tmp_path: Path, tokenizer: str) -> None:
    towers = load_clip(save_clip(tmp_path / "clip", tokenizer))
    theirs = _by_open_clip(towers, TEXTS)
    np.testing.assert_allclose(towers.texts(TEXTS), theirs, rtol=0, atol=2e-6)
    alone = np.concatenate([towers.texts([text]) for text in TEXTS])
    np.testing.assert_allclose(alone, theirs, rtol=0, atol=2e-6)


def test_only_columns_in_which_a_text_goes_on_are_computed(tmp_path: Path) -> None:
    towers = load_clip(save_clip(tmp_path / "clip"))
    tokens = towers.tokens(["a red fox", "fox"])
    assert ends(tokens).tolist() == [5, 3]  # start, words, end
    seen: list[int] = []
    towers._model.transformer.register_forward_hook(
        lambda _, __, states: seen.append(states.shape[1])
    )
    encode_cut(towers._model, tokens)
    assert seen == [5]


def test_another_pooling_is_not_cut(tmp_path: Path) -> None:
    model = load_clip(save_clip(tmp_path / "clip"))._model
    assert can_cut(model)
    model.text_pool_type = "last"
    assert not can_cut(model)


@pytest.mark.parametrize("tokenizer", ["simple", "words", "seamless"])
def test_rows_of_groups_are_those_of_their_texts(tmp_path: Path, tokenizer: str) -> None:
    towers = load_clip(save_clip(tmp_path / "clip", tokenizer))
    groups = [
        ["a red fox in the snow", "a red fox in the", "a red fox, 4k", "a red fox in the snow"],
        ["an oil painting of a lighthouse in the storm, " * 9],
        ["", "a hat"],
        ["nothing in common", "at all"],
        ["fox", "fox"],
    ]
    tokens = [towers.tokens(texts) for texts in groups]
    theirs = [_by_open_clip(towers, tuple(texts)) for texts in groups]
    theirs.append(np.empty((0, towers.dim), np.float32))
    for most in (1, 5, 512):
        rows = towers.encode_groups([*tokens, tokens[0][:0]], most)
        for own, expected in zip(rows, theirs, strict=True):
            np.testing.assert_allclose(own, expected, rtol=0, atol=2e-6)


def test_a_large_group_is_encoded_in_parts(tmp_path: Path) -> None:
    towers = load_clip(save_clip(tmp_path / "clip"))
    texts = [f"a red fox {'very ' * (i % 5)}{i}" for i in range(2 * MOST + 3)]
    assert [len(rows) for rows in split_group(towers.tokens(texts))] == [MOST, MOST, 3]
    (rows,) = towers.encode_groups([towers.tokens(texts)], 512)
    np.testing.assert_allclose(rows, towers.texts(texts), rtol=0, atol=2e-6)


def test_what_a_group_has_in_common_is_computed_once(tmp_path: Path) -> None:
    towers = load_clip(save_clip(tmp_path / "clip"))
    tokens = towers.tokens(["a red fox in snow", "a red fox asleep", "a red fox"])
    assert ends(tokens).tolist() == [7, 6, 5]
    seen: list[int] = []
    towers._model.transformer.register_forward_hook(
        lambda _, __, states: seen.append(states.shape[1])
    )
    towers.encode_groups([tokens], 512)
    assert seen == [4 + 3 + 2 + 1]  # start and three words, and what follows in each text


def test_rows_of_groups_of_another_model_are_those_of_their_texts(tmp_path: Path) -> None:
    towers = load_clip(save_clip(tmp_path / "clip"))
    expected = towers.texts(["a red fox", "a red hat"])
    towers._cuts = False
    (made,) = towers.encode_groups([towers.tokens(["a red fox", "a red hat"])], 512)
    np.testing.assert_allclose(made, expected, rtol=0, atol=2e-6)
