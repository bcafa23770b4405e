"""The embedded world: numbered prompts and the images that they make."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from unprompt_painter.combinations import Subset, subset
from unprompt_painter.grammar import phrase
from unprompt_painter.scene import Scene, fill, sample_scene, seen

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True)
class World:
    """Prompts and images, ``size`` by ``size`` pixels, as functions of the seed and their number.

    Two worlds with different seeds share the vocabulary and the drawing, nothing else.

    Attributes:
        seed: Which world.
        size: Side of an image in pixels.
        unseen: Share of scenes that are of held-out combinations, 0..1, see `subset`; None: as
            they fall. Scenes that are in their subset without it stay as they are.
    """

    seed: int
    size: int = 128
    unseen: float | None = None

    def scene(self, index: int) -> Scene:
        """Returns the scene behind a prompt."""
        rng = self._rng(index, "scene")
        scene = sample_scene(rng)
        if self.unseen is not None:
            # By a stream of its own: which subset it is says nothing of the scene in it.
            unseen = self._rng(index, "unseen").random() < self.unseen
            while subset(scene) != ("unseen" if unseen else "seen"):
                scene = sample_scene(rng)
        return scene

    def subset(self, index: int) -> Subset:
        """Returns whether an image is of a held-out combination."""
        return subset(self.scene(index))

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

        They are independent draws from the distribution of prompts given what the image shows,
        whatever the share of unseen scenes: it weighs all scenes of an image alike, because they
        are in one subset.
        """
        rng = self._rng(index, "wordings")
        visible = seen(self.scene(index))
        return [phrase(fill(visible, rng), rng) for _ in range(count)]

    def _rng(self, index: int, purpose: str) -> Random:
        # Seeding with text goes through SHA-512: the same on every machine and in every process.
        return Random(f"{self.seed}/{index}/{purpose}")
