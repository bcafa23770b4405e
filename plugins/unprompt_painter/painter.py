"""The plugin ``painter``: the embedded world as a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from unprompt import Dataset, DatasetSpec, Images, Model, Record, hookimpl

if TYPE_CHECKING:
    from PIL.Image import Image


KEPT = 320_000_000
"""Bytes of drawn images that a process keeps: 6,510 images of 128 by 128 pixels. Members of an
ensemble open every image anew, and drawing one takes longer than most towers take to see it."""


class PainterOptions(Model):
    """Options of ``painter``."""

    seed: int = Field(default=0, ge=0, description="Which world; the shipped towers name theirs.")
    images: int = Field(default=6000, ge=1, description="Images to draw, indices 0..images-1.")
    size: int = Field(default=128, ge=16, le=1024, description="Side of an image in pixels.")
    unseen: float | None = Field(
        default=None,
        ge=0,
        le=1,
        description="Share of images whose combination of subject, setting and style worlds for "
        "training leave out; 0: such a world. None: as they fall, about 0.27.",
    )


class Painter(Dataset):
    """Images 0..images-1 of one world; a source of images that draws them when they are opened."""

    def __init__(self, options: PainterOptions) -> None:
        """Nothing is drawn yet."""
        from unprompt_painter.world import World  # reads the vocabulary

        self._ids = tuple(f"{index:06d}" for index in range(options.images))
        self._world = World(options.seed, options.size, options.unseen)
        self._drawn: dict[str, bytes] = {}
        self._most = KEPT // (3 * options.size**2)

    def records(self) -> tuple[Record, ...]:
        """One row per index. Equal prompts share their ``prompt_id``."""
        return tuple(map(self._record, self._ids))

    def images(self) -> Images:
        """The images."""
        return Images(self._ids, self)

    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]]:
        """Prompts drawn from the grammar given what the image shows."""
        return {image_id: self._world.wordings(int(image_id), count) for image_id in image_ids}

    def open(self, image_id: str) -> Image:
        """Draws an image, RGB, or gives what it drew before."""
        from PIL import Image

        size = self._world.size
        if (pixels := self._drawn.get(image_id)) is not None:
            return Image.frombytes("RGB", (size, size), pixels)
        image = self._world.image(int(image_id))
        # The first ones stay: each member sees the images in the same order, where keeping the
        # latest would keep none of those that come next.
        if len(self._drawn) < self._most:
            self._drawn[image_id] = image.tobytes()
        return image

    def __getstate__(self) -> dict[str, object]:
        """Without pixels: worker processes draw their own."""
        return self.__dict__ | {"_drawn": {}}

    def digest(self, image_id: str) -> str:
        """Returns a name of everything that decides an image's pixels."""
        world = self._world
        share = "" if world.unseen is None else f"/unseen {world.unseen}"
        return f"{_painter_hash()}/{world.seed}/{world.size}{share}/{image_id}"

    def _record(self, image_id: str) -> Record:
        prompt = self._world.prompt(int(image_id))
        prompt_id = hashlib.sha256(prompt.encode()).hexdigest()[:16]
        return Record(image_id, prompt_id, prompt, subset=self._world.subset(int(image_id)))


@cache
def _painter_hash() -> str:
    """Returns a hash of this package's code and data: an edited painter draws other images."""
    files = sorted(Path(__file__).parent.rglob("*"))
    code = b"".join(path.read_bytes() for path in files if path.suffix in (".py", ".yaml"))
    return hashlib.sha256(code).hexdigest()[:16]


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    """Offers ``painter``."""
    return DatasetSpec(
        name="painter",
        summary="images drawn from prompts, with a known floor and oracle",
        options=PainterOptions,
        target="unprompt_painter.painter:Painter",
    )
