"""The embedded world: numbered prompts and the images that they make."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from unprompt_painter.grammar import phrase
from unprompt_painter.scene import Scene, fill, sample_scene, seen

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class World:
    """Prompts and images, ``size`` by ``size`` pixels, as functions of the seed and their number.

    Two worlds with different seeds share the vocabulary and the drawing, nothing else.
    """

    seed: int
    size: int = 128

    def scene(self, index: int) -> Scene:
        """Returns the scene behind a prompt."""
        return sample_scene(self._rng(index, "scene"))

    def prompt(self, index: int) -> str:
        """Returns the prompt of an image."""
        return phrase(self.scene(index), self._rng(index, "prompt"))

    def image(self, index: int) -> Image.Image:
        """Returns the image of a prompt (RGB)."""
        from unprompt_painter.draw import draw

        # Another word here would make another image of every prompt.
        return draw(self.scene(index), self._rng(index, "picture"), self.size)

    def wordings(self, index: int, count: int) -> list[str]:
        """Returns prompts that could have made this very image.

        They are independent draws from the distribution of prompts given what the image shows.
        """
        rng = self._rng(index, "wordings")
        visible = seen(self.scene(index))
        return [phrase(fill(visible, rng), rng) for _ in range(count)]

    def _rng(self, index: int, purpose: str) -> Random:
        # Seeding with text goes through SHA-512: the same on every machine and in every process.
        return Random(f"{self.seed}/{index}/{purpose}")
