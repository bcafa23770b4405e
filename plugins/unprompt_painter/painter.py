"""The plugin ``painter``: the embedded world as a dataset."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic import Field

from unprompt import Dataset, DatasetSpec, Images, Model, Record, hookimpl
from unprompt_painter.world import World

if TYPE_CHECKING:
    from PIL.Image import Image


class PainterOptions(Model):
    """Options of ``painter``."""

    seed: int = Field(default=0, ge=0, description="Which world; the shipped towers name theirs.")
    images: int = Field(default=6000, ge=1, description="Pictures to draw, indices 0..images-1.")
    size: int = Field(default=128, ge=16, le=1024, description="Side of a picture in pixels.")


class Painter(Dataset):
    """Pictures 0..images-1 of one world; each is drawn when it is opened."""

    def __init__(self, options: PainterOptions) -> None:
        """Nothing is drawn yet."""
        self._options = options
        self._world = World(options.seed, options.size)

    def records(self) -> tuple[Record, ...]:
        """One row per index. Equal prompts share their ``prompt_id``."""
        return tuple(self._record(index) for index in range(self._options.images))

    def images(self) -> Images:
        """The pictures."""
        ids = tuple(_name(index) for index in range(self._options.images))
        return Images(ids, _Drawn(self._world))

    def wordings(self, image_ids: Sequence[str], count: int) -> Mapping[str, Sequence[str]]:
        """Prompts drawn from the grammar given what the picture shows."""
        return {name: self._world.wordings(_index(name), count) for name in image_ids}

    def _record(self, index: int) -> Record:
        prompt = self._world.prompt(index)
        key = hashlib.sha256(prompt.encode()).hexdigest()[:16]
        return Record(_name(index), key, prompt)


class _Drawn:
    """Draws pictures by id."""

    def __init__(self, world: World) -> None:
        self._world = world

    def open(self, image_id: str) -> Image:
        """Draw it."""
        return self._world.picture(_index(image_id))

    def digest(self, image_id: str) -> str:
        """Of everything that decides its pixels."""
        return f"{_painter_hash()}/{self._world.seed}/{self._world.size}/{image_id}"


@cache
def _painter_hash() -> str:
    """A hash of this package's code: an edited painter draws other pictures."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _name(index: int) -> str:
    return f"{index:06d}"


def _index(image_id: str) -> int:
    return int(image_id)


@hookimpl
def unprompt_dataset() -> DatasetSpec:
    """Offer ``painter``."""
    return DatasetSpec(
        name="painter",
        summary="pictures drawn from prompts, with a known floor and oracle",
        options=PainterOptions,
        target="unprompt_painter.painter:Painter",
    )
