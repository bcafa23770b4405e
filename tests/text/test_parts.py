"""Prompts fall into parts that can be dropped, replaced and put elsewhere, and back together."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unprompt._text.parts import Part, join, length, split


@pytest.mark.parametrize(
    ("prompt", "parts"),
    [
        ("a beige snail", [("a beige snail", ",")]),
        (
            "a watercolor of a teal tree in a cave, by Elda Morvane, 4k",
            [
                ("a watercolor", ","),
                ("a teal tree", "of"),
                ("in a cave", ""),
                ("by Elda Morvane", ","),
                ("4k", ","),
            ],
        ),
        (
            "two dogs and a cat sitting on top of a red car",
            [("two dogs", ","), ("a cat", "and"), ("sitting on top of a red car", "")],
        ),
        (
            "portrait of a woman, in the style of Greg Rutkowski and wlop",
            [
                ("portrait", ","),
                ("a woman", "of"),
                ("in the style of Greg Rutkowski and wlop", ","),
            ],
        ),
        (
            "a dog running in front of a house",
            [("a dog", ","), ("running in front of a house", "")],
        ),
        ("an oil painting of a king", [("an oil painting", ","), ("a king", "of")]),
        ("black and white ink", [("black and white ink", ",")]),
        ("a cat and the moon or", [("a cat", ","), ("the moon or", "and")]),
        ("a cat with", [("a cat", ","), ("with", "")]),
        ("of and by", [("of and by", ",")]),
        (", a  cat ,,", [("a cat", ",")]),
        ("", []),
    ],
)
def test_parts_of_a_prompt(prompt: str, parts: list[tuple[str, str]]) -> None:
    assert [(part.words, part.link) for part in split(prompt)] == parts


WORDS = st.sampled_from(("a", "of", "in", "cat", "king", "sitting", "and", "with", "red", ","))


@given(st.lists(WORDS, max_size=14))
def test_parts_make_the_prompt_again(words: list[str]) -> None:
    prompt = " ".join(words)
    pieces = [" ".join(piece.split()) for piece in prompt.split(",")]
    assert join(split(prompt)) == ", ".join(piece for piece in pieces if piece)
    assert length(split(prompt)) == len([word for word in words if word != ","])


def test_a_first_part_stands_without_its_link() -> None:
    parts = (Part("a teal tree", "of"), Part("in a cave", ""))
    assert join(parts) == "a teal tree in a cave"
    assert length(parts) == 6


@pytest.mark.parametrize(
    ("words", "opens"),
    [
        ("in a cave", True),
        ("sitting on a chair", True),
        ("king penguin", False),
        ("king", False),
        ("a cave", False),
    ],
)
def test_parts_with_a_preposition_of_their_own(words: str, opens: bool) -> None:
    assert Part(words).opens == opens
