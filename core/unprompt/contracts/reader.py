"""What a family implements that reads prompts which are in a file already."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from unprompt.contracts.data import Images, TrainSet
from unprompt.contracts.predictor import Batch, Evidence, Predictor
from unprompt.embeddings import Embeddings
from unprompt.errors import ConfigError

READ = "read"
"""The kind of evidence that a prompt was read, not predicted; its score is always 1."""


@dataclass(frozen=True, slots=True)
class Reading:
    """What is in one image's file.

    Attributes:
        image_id: The image.
        prompt: The text, as the program that made the image stored it; None: there is none.
        source: Who stored it and where, such as ``ComfyUI, png:prompt``; empty without a prompt.
        remark: What else is worth a line, such as why a file with texts gives no prompt; None:
            nothing.
    """

    image_id: str
    prompt: str | None = None
    source: str = ""
    remark: str | None = None


class PromptReader(Predictor):
    """A family that reads prompts from files; its spec says ``reads=True``.

    Subclasses implement `read`. `predict` embeds what was read with the text encoder of the target
    space, and abstains on every other image.
    """

    @abstractmethod
    def read(self, images: Images) -> Iterator[Reading]:
        """What the images' files say, each image once, in their order; loads no model.

        Args:
            images: N images; those without a file (`Images.path`) have nothing to read.
        """

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Nothing is learned."""
        return

    def load(self, artifact: Path) -> None:
        """Nothing is loaded."""
        return

    def predict(self, images: Images) -> Iterator[Batch]:
        """Unit rows where a prompt was read, zero rows elsewhere.

        Raises:
            ConfigError: The runtime has no text encoder.
        """
        encoder = self.runtime.text_encoder
        if encoder is None:
            raise ConfigError("a family that reads prompts needs the runtime's text encoder")
        size = self.runtime.batch_size
        for start in range(0, len(images), size):
            part = images.select(images.ids[start : start + size])
            readings = tuple(self.read(part))
            texts = [reading.prompt for reading in readings if reading.prompt is not None]
            rows = np.zeros((len(readings), encoder.dim), np.float32)
            if texts:
                rows[[reading.prompt is not None for reading in readings]] = encoder.encode(texts)
            yield Batch(
                Embeddings(tuple(reading.image_id for reading in readings), rows),
                tuple(reading.prompt for reading in readings),
                tuple(_evidence(reading) for reading in readings),
            )


def _evidence(reading: Reading) -> tuple[Evidence, ...]:
    if reading.prompt is None:
        return ()
    kind = f"{READ} ({reading.source})" if reading.source else READ
    return (Evidence(reading.prompt, 1.0, kind),)
