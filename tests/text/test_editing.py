"""Prompts are edited until they read like the prediction, whoever else is predicted."""

from __future__ import annotations

import numpy as np
import pytest

from unprompt import Runtime, unit
from unprompt._builtin.minilm import MiniLM, MiniLMOptions
from unprompt._text import editing
from unprompt._text.nearness import UNRELATED
from unprompt._text.parts import length, split
from unprompt._text.shown import shown_prompts
from unprompt.types import FloatArray

from .conftest import STICKY, Space

CANDIDATES = [
    ["a red fox in the snow", "a grey wolf at night", "an oil painting", "by the sea, 4k"],
    ["a boat on a lake, pencil sketch", "two ships in the fog, watercolor", "a lake"],
    ["a king with a crown", "a queen under a tree, neon", "a knight by a river, ukiyo-e"],
    ["a green frog", "a blue frog, vaporwave", "a pond in the rain"],
]
TRUE = [
    "a red fox at night, an oil painting",
    "two ships on a lake, watercolor",
    "a queen with a crown, ukiyo-e",
    "a green frog in the rain, vaporwave",
]


def predictions(space: Space) -> FloatArray:
    noise = np.random.default_rng(0).normal(size=(len(TRUE), space.dim)) / 30
    return unit(space.encode(TRUE) + noise)


def test_edited_prompts_read_more_like_the_prediction_and_are_nearer_to_the_truth(
    space: Space,
) -> None:
    rows, true = predictions(space), space.encode(TRUE)
    plain = shown_prompts(rows, CANDIDATES, space, edit=False)
    edited = shown_prompts(rows, CANDIDATES, space, edit=True)
    for i, (before, after) in enumerate(zip(plain, edited, strict=True)):
        assert before and after
        cosines = space.encode(CANDIDATES[i]) @ rows[i]
        assert before.text == CANDIDATES[i][int(cosines.argmax())] == after.candidate
        assert before.readback == pytest.approx(float(cosines.max()), abs=1e-6)
        assert (before.composed, after.composed) == (False, True)
        row = space.encode([after.text])[0]
        assert after.readback == pytest.approx(float(row @ rows[i]), abs=1e-6)
        assert after.readback > before.readback + 0.05
        assert row @ true[i] > space.encode([before.text])[0] @ true[i] + 0.05


def test_an_image_has_the_same_prompt_whoever_is_beside_it(
    space: Space, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = predictions(space)
    together = shown_prompts(rows, CANDIDATES, space, edit=True)
    order = [2, 0, 3, 1]
    shuffled = shown_prompts(rows[order], [CANDIDATES[i] for i in order], space, edit=True)
    alone = [shown_prompts(rows[[i]], [CANDIDATES[i]], space, edit=True)[0] for i in range(4)]
    monkeypatch.setattr(editing, "IMAGES", 3)
    divided = shown_prompts(rows, CANDIDATES, space, edit=True)
    assert tuple(alone) == together == divided
    assert shuffled == tuple(together[i] for i in order)


def test_a_sticky_phrase_is_not_shown(space: Space, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the guard prompts take the word that raises all cosines."""
    planted = [[*texts, f"a bowl, {STICKY}"] for texts in CANDIDATES]
    rows = unit(predictions(space) + space.encode([STICKY]) / 3)  # blends lean to the mean
    guarded = shown_prompts(rows, planted, space, edit=True)
    assert not any(STICKY in prompt.text for prompt in guarded if prompt)
    monkeypatch.setattr(editing, "common_direction", lambda _: np.zeros(space.dim, np.float32))
    unguarded = shown_prompts(rows, planted, space, edit=True)
    assert sum(STICKY in prompt.text for prompt in unguarded if prompt) >= 2


def test_no_prompt_grows_beyond_its_candidates(space: Space) -> None:
    shown = shown_prompts(predictions(space), CANDIDATES, space, edit=True)
    for prompt, texts in zip(shown, CANDIDATES, strict=True):
        assert prompt
        assert length(split(prompt.text)) <= max(length(split(text)) for text in texts)


def test_only_a_few_edits_are_encoded(space: Space) -> None:
    rows = predictions(space)
    space.lists.clear()
    shown_prompts(rows, CANDIDATES, space, edit=True)
    others = {*UNRELATED, *(text for texts in CANDIDATES for text in texts)}
    others |= {part.words for texts in CANDIDATES for text in texts for part in split(text)}
    edited = {text for texts in space.lists for text in texts} - others
    assert 4 <= len(edited) <= 4 * editing.BEAM * editing.TRIED * editing.ROUNDS


def test_images_without_words_have_no_prompt(space: Space) -> None:
    rows = predictions(space)[:3]
    shown = shown_prompts(rows, [[], [" , "], ["a frog"]], space, edit=True)
    assert shown[:2] == (None, None)
    assert shown[2] and (shown[2].text, shown[2].composed) == ("a frog", False)
    assert shown_prompts(rows[:0], [], space, edit=True) == ()


def test_a_prediction_without_direction_has_no_prompt(space: Space) -> None:
    """No text is nearer to it than another."""
    rows = np.zeros((1, space.dim), np.float32)
    assert shown_prompts(rows, CANDIDATES[:1], space, edit=True) == (None,)


@pytest.mark.parametrize("edit", [True, False])
def test_a_prompt_that_was_read_is_shown_as_it_is(space: Space, edit: bool) -> None:
    """Word for word, whatever other texts come nearer to the blend; the others are as without."""
    rows = predictions(space)[:3]
    text = "Masterpiece,  (a Frog:1.2) BREAK\n"
    shown = shown_prompts(rows, CANDIDATES[:3], space, edit=edit, read={1: text})
    others = shown_prompts(rows[[0, 2]], [CANDIDATES[0], CANDIDATES[2]], space, edit=edit)
    assert (shown[0], shown[2]) == others
    assert shown[1] and (shown[1].text, shown[1].candidate, shown[1].composed) == (
        text,
        text,
        False,
    )
    assert shown[1].readback == pytest.approx(float(space.encode([text])[0] @ rows[1]), abs=1e-6)


def test_the_shipped_encoder_edits_alike_alone_and_in_a_batch() -> None:
    """Padding moves its rows by 1e-7; that must not move a prompt."""
    encoder = MiniLM(MiniLMOptions(), Runtime(batch_size=16))
    noise = np.random.default_rng(1).normal(size=(len(TRUE), encoder.dim)) / 40
    rows = unit(encoder.encode(TRUE) + noise)
    together = shown_prompts(rows, CANDIDATES, encoder, edit=True)
    (alone,) = shown_prompts(rows[1:2], CANDIDATES[1:2], encoder, edit=True)
    assert alone and together[1] and alone.composed
    assert alone.text == together[1].text
    assert alone.readback == pytest.approx(together[1].readback, abs=1e-5)
