"""Option `exclude_exact`: the prompts of train images, so that their own are left out."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unprompt import Images, TrainSet
from unprompt.artifacts import read_json
from unprompt_knn.near import Mask, Near

FILE = "own-prompts.json"


def folded(text: str) -> str:
    """A prompt without what case and spaces make of it: the same for prompts that say the same."""
    return " ".join(text.split()).casefold()


@dataclass(frozen=True, eq=False)
class OwnPrompts:
    """The prompts that made the images of the train split.

    Attributes:
        of: A hash of an image's content -> its prompts, folded; equal images may have several.
    """

    of: Mapping[str, frozenset[str]]

    @classmethod
    def known(cls, train: TrainSet) -> OwnPrompts:
        """Those of a train split."""
        prompts: dict[str, frozenset[str]] = {}
        for record in train.records:
            digest = train.images.digest(record.image_id)
            prompts[digest] = prompts.get(digest, frozenset()) | {folded(record.prompt)}
        return cls(prompts)

    def save(self, folder: Path) -> None:
        """Write them into a folder."""
        plain = {digest: sorted(prompts) for digest, prompts in self.of.items()}
        (folder / FILE).write_text(json.dumps(plain, ensure_ascii=False), encoding="utf-8")

    @classmethod
    def read(cls, folder: Path) -> OwnPrompts:
        """Read what `save` wrote.

        Raises:
            DataError: The file is missing or damaged.
        """
        plain: dict[str, list[str]] = read_json(folder / FILE, dict[str, list[str]])
        return cls({digest: frozenset(prompts) for digest, prompts in plain.items()})

    def own(self, images: Images, ids: Sequence[str]) -> list[frozenset[str]]:
        """The prompts of each image; empty where they are not known."""
        return [self.of.get(images.digest(name), frozenset()) for name in ids]


def own_prompts(near: Near, own: Sequence[frozenset[str]]) -> Mask:
    """Which neighbours (n, K) are prompts of the image itself.

    None is where all of an image's neighbours are: something has to be left to predict from.

    Args:
        near: The neighbours.
        own: The prompts of each of n images, folded.
    """
    texts = np.array([folded(text) for text in near.texts], dtype=object)
    mask = np.zeros(near.rows.shape, bool)
    for number, prompts in enumerate(own):
        for prompt in prompts:
            mask[number] |= texts[near.rows[number]] == prompt
    remaining = np.isfinite(near.cosines) & ~mask
    mask[~remaining.any(axis=1)] = False
    return mask
