"""Train sets of numbers, and images of one colour each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import pytest
from PIL import Image

from unprompt.contracts import Images, Record, TrainSet
from unprompt.embeddings import Embeddings, unit
from unprompt.testing import HashedWords


@dataclass
class Colours:
    """Images of one colour, by id; counts how often one is opened."""

    levels: dict[str, tuple[int, int, int]]
    opened: list[str] = field(default_factory=list)

    def open(self, image_id: str) -> Image.Image:
        self.opened.append(image_id)
        return Image.new("RGB", (40, 40), self.levels[image_id])

    def digest(self, image_id: str) -> str:
        return "-".join(map(str, self.levels[image_id]))


def coloured(count: int, first: int = 0) -> Images:
    """``count`` images, no two of the same colour."""
    numbers = range(first, first + count)
    levels = {f"i{n}": (n % 256, 37 * n % 256, n // 256 % 256) for n in numbers}
    return Images(tuple(levels), Colours(levels))


MakeTrain = Callable[..., TrainSet]


@pytest.fixture(scope="session")
def make_train() -> MakeTrain:
    """``make_train(prompts, weights=..., rows=...)``: a train set with an image for each prompt."""

    def make(
        prompts: Sequence[str],
        weights: Sequence[float] | None = None,
        rows: object = None,
        groups: Sequence[str] | None = None,
    ) -> TrainSet:
        images = coloured(len(prompts))
        numbers = {text: f"p{i}" for i, text in enumerate(dict.fromkeys(prompts))}
        records = tuple(
            Record(
                image_id=name,
                prompt_id=numbers[prompt],
                prompt=prompt,
                weight=1.0 if weights is None else weights[i],
                group=None if groups is None else groups[i],
            )
            for i, (name, prompt) in enumerate(zip(images.ids, prompts, strict=True))
        )
        encoder = HashedWords()
        targets = encoder.encode(list(prompts)) if rows is None else unit(np.asarray(rows))
        return TrainSet(records, images, Embeddings(images.ids, targets), encoder)

    return make
