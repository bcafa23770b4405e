"""A plugin for tests: it answers for every second image, whose prompt it knows, and abstains."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from unprompt import (
    Batch,
    Embeddings,
    Evidence,
    Images,
    Model,
    Predictor,
    PredictorSpec,
    TrainSet,
    hookimpl,
)
from unprompt.types import FloatArray
from unprompt_painter.world import World


class CarrierOptions(Model):
    """Which images carry their prompt, and what to do wrong."""

    every: int = Field(default=2, description="Every so many-th image; 0: none.")
    world: int | None = Field(default=None, description="The painter's seed; None: noisy images.")
    fault: Literal["", "prompt", "evidence", "wordless"] = Field(
        default="", description="What to give with an abstention, or not with an answer."
    )


class Carrier(Predictor):
    """Knows the true prompt of every second image, and nothing of the others."""

    options: CarrierOptions

    def prepare(self, train: TrainSet, artifact: Path) -> None:
        """Nothing is learned."""

    def load(self, artifact: Path) -> None:
        """Nothing is loaded."""

    def predict(self, images: Images) -> Iterator[Batch]:
        dim, fault = self._dim(), self.options.fault
        carried = [name for name in images.ids if self._carries(name, self.options.every)]
        others = tuple(name for name in images.ids if name not in carried)
        if others:
            nothing = Batch.abstaining(others, dim)
            prompts = ("a frog",) * len(others) if fault == "prompt" else nothing.prompts
            said = ((Evidence("a frog", 1.0, "read"),),) * len(others)
            yield Batch(
                nothing.embeddings, prompts, said if fault == "evidence" else nothing.evidence
            )
        if carried:
            texts = [self._prompt(name) for name in carried]
            yield Batch(
                Embeddings(tuple(carried), self._rows(carried, self.options.every)),
                (None,) * len(texts) if fault == "wordless" else tuple(texts),
                tuple((Evidence(text, 1.0, "read"),) for text in texts),
            )

    def check_variants(self, variants: Sequence[CarrierOptions]) -> None:
        """Any will do."""

    def predict_variants(
        self, images: Images, variants: Sequence[CarrierOptions]
    ) -> Iterator[Sequence[Embeddings]]:
        if images.ids:
            yield [
                Embeddings(images.ids, self._rows(images.ids, variant.every))
                for variant in variants
            ]

    def own_embeddings(self, images: Images) -> Iterator[Embeddings]:
        if images.ids:
            yield Embeddings(images.ids, self._rows(images.ids, self.options.every))

    def _rows(self, names: Sequence[str], every: int) -> FloatArray:
        rows = np.zeros((len(names), self._dim()), np.float32)
        carried = [i for i, name in enumerate(names) if self._carries(name, every)]
        encoder = self.runtime.text_encoder
        assert encoder is not None
        if carried:
            rows[carried] = encoder.encode([self._prompt(names[i]) for i in carried])
        return rows

    def _dim(self) -> int:
        assert self.runtime.text_encoder is not None
        return self.runtime.text_encoder.dim

    def _carries(self, image_id: str, every: int) -> bool:
        return bool(every) and int(image_id.rpartition("-")[2]) % every == 0

    def _prompt(self, image_id: str) -> str:
        split, _, number = image_id.rpartition("-")
        if self.options.world is not None:
            return World(seed=self.options.world).prompt(int(number))
        return f"{split} number {number}"


@hookimpl
def unprompt_predictor() -> PredictorSpec:
    return PredictorSpec("carrier", "knows half", CarrierOptions, f"{__name__}:Carrier")
