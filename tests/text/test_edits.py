"""Edits of a prompt: which there are, and what they are estimated to bring."""

from __future__ import annotations

import numpy as np

from unprompt import unit
from unprompt._text.edits import edits, estimates, pool
from unprompt._text.nearness import UNRELATED, Nearness, common_direction
from unprompt._text.parts import join, split

from .conftest import STICKY, Space


def after(prompt: str, candidates: list[str], limit: int) -> list[str]:
    return [join(edit.parts) for edit in edits(split(prompt), pool(candidates), limit)]


def test_parts_are_dropped_replaced_and_appended() -> None:
    assert after("a cat in a cave", ["a cat in a cave", "a dog on a hill"], 8) == [
        "in a cave",
        "a dog in a cave",
        "a cat",
        "a cat on a hill",
        "a cat in a cave, a dog",
        "a cat in a cave, on a hill",
    ]


def test_no_edit_is_longer_than_the_limit() -> None:
    candidates = ["a cat in a cave", "a very large brown dog on a hill"]
    assert after("a cat in a cave", candidates, 5) == ["in a cave", "a cat", "a cat on a hill"]
    assert "a very large brown dog in a cave" in after("a cat in a cave", candidates, 8)


def test_a_single_part_is_not_dropped() -> None:
    assert after("a cat", ["a cat"], 9) == []


def test_estimates_are_exact_where_texts_are_sums_of_equal_parts() -> None:
    """With orthogonal one-word parts of one length the sum is what the encoder gives."""
    words = ["red", "green", "blue", "grey"]
    rows = dict(zip(words, np.eye(6, dtype=np.float32), strict=False))
    prompt = split("red, green, blue")
    row = unit([[1, 1, 1, 0, 0, 0]])[0]
    target = unit([[1, 0, 1, 1, 0, 0]])[0]
    changes = list(edits(prompt, pool(words), 3))
    values = estimates(prompt, row, changes, rows, Nearness(target, np.zeros(6, np.float32), 0.0))
    texts = [set(join(edit.parts).split(", ")) for edit in changes]
    wanted = {"red", "blue", "grey"}
    expected = [len(text & wanted) / np.sqrt(3 * len(text)) for text in texts]
    assert len(changes) == 6
    np.testing.assert_allclose(values, expected, atol=1e-6)


def test_what_brings_a_text_near_to_everything_does_not_count(space: Space) -> None:
    candidates = ["a red fox", "a grey wolf", "a dark forest", f"snow, {STICKY}"]
    rows, target = space.encode(candidates), space.encode(["a red fox in the snow"])[0]
    mean = space.encode(UNRELATED).mean(axis=0)
    common = mean / np.linalg.norm(mean)
    nearness = Nearness.among(rows, target, common_direction(space))
    usual = np.quantile(rows @ common, 0.75)
    texts = space.encode(["a red fox", f"a red fox, {STICKY}", f"a red fox, {STICKY}, {STICKY}"])
    expected = texts @ target - np.clip(texts @ common - usual, 0, None)
    np.testing.assert_allclose(nearness(texts), expected, atol=1e-6)
    assert expected[0] > expected[1] > expected[2]


def test_unrelated_sentences_are_distinct() -> None:
    assert len(set(UNRELATED)) == len(UNRELATED) == 32
