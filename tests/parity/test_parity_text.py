"""The interrogator's text in ``kaggle-68th.yaml``, with captions that are known."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from unprompt._data.images import folder_images
from unprompt.contracts import Runtime
from unprompt.testing import HashedWords, example_train_set
from unprompt_blip.interrogator import Interrogator

from .conftest import Solution
from .formulas import Clip, example_images, solution_texts, table

pytestmark = pytest.mark.slow

CAPTIONS = {
    "short": "a red house",
    "medium": "{medium} of a red house",
    "long": "a red house and a blue house and " * 8 + "a tree",  # with the phrases: too long
    "longer": "a red house and a blue house and " * 12,  # too long alone
}


PHRASES = {"short": {6}, "medium": {5}, "long": {2, 3, 4}, "longer": {1}}
"""How many a text may have; the medium is not captions twice, and what is too long is cut."""


@pytest.mark.parametrize("kind", list(CAPTIONS))
def test_the_text_is_the_template_cut_at_77_tokens(
    kind: str, solution: Solution, small_clip: Clip, tmp_path: Path
) -> None:
    from open_clip.tokenizer import SimpleTokenizer

    tokenizer = SimpleTokenizer()

    def tokens(text: str) -> int:
        return len(tokenizer.encode(text)) + 2  # start and end

    lines = table("mediums")
    nearest = (small_clip.images() @ small_clip.texts(lines).T).argmax(axis=1)
    captions = [CAPTIONS[kind].format(medium=lines[number]).strip() for number in nearest]
    wanted = []
    for caption, text in zip(captions, solution_texts(small_clip, captions), strict=True):
        phrases = [caption, *text.removeprefix(f"{caption}, ").split(", ")]
        while len(phrases) > 1 and tokens(", ".join(phrases)) > 77:
            phrases.pop()  # as clip-interrogator cuts: whole phrases
        words = ", ".join(phrases).split(" ")
        while tokens(" ".join(words)) > 77:
            words.pop()
        wanted.append(" ".join(words))

    (member,) = (member for member in solution.ensemble.members if member.name == "clip-blip")
    options: Any = member.part.options
    predictor = Interrogator(options, Runtime(text_encoder=HashedWords()))
    predictor.prepare(example_train_set(), tmp_path)
    predictor.load(tmp_path)
    images = folder_images([solution.folder / "images"]).select(tuple(example_images()))
    (batch,) = predictor.interrogate(images, dict(zip(images.ids, captions, strict=True)))
    predictor.close()
    assert list(batch.prompts) == wanted
    assert {len(text.split(", ")) for text in wanted} <= PHRASES[kind]
    assert all(tokens(text) <= 77 for text in wanted)
