"""Predict new images with a whole ensemble: blended embeddings, prompts and evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from unprompt._data.memory import MemoryImages
from unprompt._data.origin import Origin, origins
from unprompt._data.predictions import Fields
from unprompt._members.context import Context
from unprompt._members.member import LiveMember
from unprompt._registry.parts import Ensemble
from unprompt._scoring.blend import blend
from unprompt._text.shown import ShownPrompt, shown_prompts
from unprompt.contracts import Batch, Evidence, Images, TextEncoder, TrainSet
from unprompt.embeddings import Embeddings


@dataclass(frozen=True, slots=True)
class Blended:
    """The blend's predictions for n images.

    Attributes:
        batch: Its rows, its prompts and the members' evidence.
        shown: Where its prompts come from, and their readback; None where it has none.
        origins: Whether each image's prompt is predicted, or read from its file; ``none`` where
            nobody has an answer: the row is zero then.
    """

    batch: Batch
    shown: tuple[ShownPrompt | None, ...]
    origins: tuple[Origin, ...]

    @property
    def fields(self) -> Fields:
        """What files say of each image beside its prompt."""
        return {
            "origin": self.origins,
            "readback": [*self.readback.values()],
            "composed": [*self.composed.values()],
        }

    @property
    def origin(self) -> Mapping[str, Origin]:
        """Image id -> where its prompt comes from."""
        return dict(zip(self.batch.embeddings.ids, self.origins, strict=True))

    @property
    def readback(self) -> Mapping[str, float | None]:
        """Image id -> the cosine of the prompt's embedding with the predicted one."""
        shown = zip(self.batch.embeddings.ids, self.shown, strict=True)
        return {name: prompt.readback if prompt else None for name, prompt in shown}

    @property
    def composed(self) -> Mapping[str, bool]:
        """Image id -> whether its prompt is put together from parts of several texts."""
        shown = zip(self.batch.embeddings.ids, self.shown, strict=True)
        return {name: bool(prompt and prompt.composed) for name, prompt in shown}


def predict_members(
    ensemble: Ensemble, images: Images, train: TrainSet, context: Context
) -> dict[str, Batch]:
    """Every member's predictions for new images, by name.

    Args:
        ensemble: Members with their weights; those of weight 0 are not run.
        images: N images.
        train: The train split, for members without an artifact; may be empty.
        context: Registry, runtime and cache.
    """
    members = [member for member in ensemble.members if member.weight > 0]
    batches: dict[str, Batch] = {}
    with ExitStack() as stack:
        alive = [LiveMember(member, context, train.text_encoder) for member in members]
        for live in alive:  # missing files are reported before any image is opened
            stack.callback(live.close)
            live.check()
        # One after another, to hold one member's towers in memory.
        for member, live in zip(members, alive, strict=True):
            batches[member.name] = live.predict(live.prepare(train), images)
            live.close()
    return batches


def empty_train_set(encoder: TextEncoder) -> TrainSet:
    """For an ensemble without an experiment: its members bring an artifact or need no training."""
    no_rows = Embeddings((), np.empty((0, encoder.dim), np.float32))
    return TrainSet((), Images((), MemoryImages({})), no_rows, encoder)


def combine(
    batches: Sequence[Batch],
    weights: Sequence[float],
    encoder: TextEncoder | None,
    *,
    edit: bool,
    reads: Sequence[bool] = (),
) -> Blended:
    """Members' predictions for the same images as one.

    Args:
        batches: One per member, with the images in the same order.
        weights: The weights of the blend; a member of weight 0 adds no evidence.
        encoder: The text encoder to choose prompts with; None: no prompts.
        edit: Whether to edit the chosen prompts.
        reads: For each member whether it reads prompts from files; empty: none does.

    Returns:
        The blended rows; each image's evidence, in the order of the members; and as its prompt
        the one that a member read from the file, as it is, else the members' prompt or text of
        the evidence whose embedding is nearest to the blend, or what it is edited to. Without an
        answer of anybody a zero row, no evidence and no prompt.
    """
    blended = blend([batch.embeddings for batch in batches], weights)
    used = [batch for batch, weight in zip(batches, weights, strict=True) if weight > 0]
    read = _read(batches, weights, reads)
    evidence: list[tuple[Evidence, ...]] = []
    texts: list[list[str]] = []
    for i in range(len(blended)):
        evidence.append(tuple(piece for batch in used for piece in batch.evidence[i]))
        own = [prompt for batch in used if (prompt := batch.prompts[i])]
        texts.append(list(dict.fromkeys(own + [piece.text for piece in evidence[-1]])))
    shown: tuple[ShownPrompt | None, ...] = (None,) * len(blended)
    if encoder:
        shown = shown_prompts(blended.rows, texts, encoder, edit=edit, read=read)
    prompts = tuple(prompt.text if prompt else None for prompt in shown)
    is_read = np.isin(np.arange(len(blended)), [*read])
    where_from = origins(blended.answered, is_read)
    return Blended(Batch(blended, prompts, tuple(evidence)), shown, where_from)


def _read(
    batches: Sequence[Batch], weights: Sequence[float], reads: Sequence[bool]
) -> dict[int, str]:
    """The prompt that was read from each file, by the place of its image.

    Where members read different ones, that of the largest weight counts.
    """
    reading = [
        (weight, batch)
        for batch, weight, is_reading in zip(batches, weights, reads, strict=False)
        if is_reading and weight > 0
    ]
    read: dict[int, str] = {}
    for _, batch in sorted(reading, key=lambda pair: -pair[0]):
        for i, prompt in enumerate(batch.prompts):
            if prompt:
                read.setdefault(i, prompt)
    return read
